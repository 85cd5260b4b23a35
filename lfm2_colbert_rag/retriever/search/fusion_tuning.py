"""Learning from judged queries how much BM25 counts in hybrid search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..._support.validation import check_query, whole_number
from ...errors import ConfigError, InputError
from ...filters.strings import composed
from ...storage.tunings import Fusion

if TYPE_CHECKING:
    from ...storage.store import Snapshot, Store
    from .searcher import Searcher

DEPTH = 10
# Weights that are compared, relative to the default, and how many queries weigh as much as it.
_FACTORS = 2.0 ** np.arange(-4, 3.1, 0.5)
_PRIOR = 30.0
_MINIMUM = 5
_DISCOUNTS = 1 / np.log2(np.arange(2, DEPTH + 2))


@dataclass(frozen=True)
class FusionReport:
    """What was learned about fusing, and how it was found.

    Attributes:
        queries: judged queries that were used.
        folds: parts of them that were left out in turn.
        default: mean nDCG@10 of the default fusion.
        learned: mean nDCG@10 of learned weights, each query judged by weights that were learned
            without it.
        adopted: whether the index fuses by the learned weight from now on; otherwise the queries
            did not show that it is better than the default, which stays.
        fusion: how the index fuses from now on.
        measure: name of the measure.
    """

    queries: int
    folds: int
    default: float
    learned: float
    adopted: bool
    fusion: Fusion
    measure: str = "nDCG@10"

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)


def tune_fusion(
    store: Store,
    searcher: Searcher,
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
    folds: int,
) -> FusionReport:
    """Learn a weight and keep it with the index; see ``Retriever.tune_fusion``."""
    parts = whole_number(folds)
    if parts is None or parts < 2:
        raise ConfigError(f"folds must be a whole number of at least 2, not {folds!r}.")
    store.require_writable()
    snapshot = store.snapshot()
    gains = [
        _gains(searcher, snapshot, check_query(query), grades)
        for id, query in queries.items()
        if (grades := _grades(store, snapshot, qrels.get(id, {})))
    ]
    if len(gains) < _MINIMUM:
        raise InputError(
            f"{len(gains)} of the {len(queries)} queries have a relevant passage here; give at "
            f"least {_MINIMUM}, better 30."
        )
    report = learn(np.array(gains), min(parts, len(gains)))
    learned = report.fusion.to_dict() if report.adopted else None
    store.change_settings(snapshot.settings.space, fusion=learned)
    return report


def _grades(store: Store, snapshot: Snapshot, judged: Mapping[str, int]) -> dict[int, int] | None:
    """Return the grades of one query by row; None where no passage here is relevant."""
    known = {composed(id): grade for id, grade in judged.items()}  # as ids are stored
    rows = store.catalog.rows_by_id(list(known), snapshot.generation)
    grades = {rows[id]: max(0, grade) for id, grade in known.items() if id in rows}
    return grades if any(grades.values()) else None


def _gains(
    searcher: Searcher, snapshot: Snapshot, text: str, grades: Mapping[int, int]
) -> list[float]:
    """Return nDCG@10 of one query under each weight."""
    (found,) = searcher.legs.candidates(snapshot, [searcher.queries(snapshot, [text])[0]], DEPTH)
    gains = np.array([grades.get(row, 0) for row in found.late.rows.tolist()], float)
    ideal = np.sort(np.array(list(grades.values()), float))[::-1][:DEPTH]
    best = float(ideal @ _DISCOUNTS[: len(ideal)])
    measured = []
    for weight in weights():
        scores = found.scores(Fusion(weight=weight))
        order = np.argsort(-scores, kind="stable")[:DEPTH]
        measured.append(float(gains[order] @ _DISCOUNTS[: len(order)]) / best)
    return measured


def weights() -> list[float]:
    """Return the weights that are compared."""
    return [float(Fusion().weight * factor) for factor in _FACTORS]


def learn(gains: npt.NDArray[np.float64], folds: int) -> FusionReport:
    """Choose a weight by cross-validation.

    Args:
        gains: ``(queries, weights)`` what each query gains under each of :func:`weights`.
        folds: parts that are left out in turn.
    """
    default = int(np.argmin(np.abs(np.log(_FACTORS))))
    part = np.arange(len(gains)) % folds
    held_out = np.empty(len(gains))
    for fold in range(folds):
        held_out[part == fold] = gains[part == fold, _choose(gains[part != fold], default)]
    gain = held_out - gains[:, default]
    error = float(gain.std(ddof=1)) / len(gain) ** 0.5
    adopted = float(gain.mean()) > error
    weight = weights()[_choose(gains, default) if adopted else default]
    return FusionReport(
        queries=len(gains),
        folds=folds,
        default=float(gains[:, default].mean()),
        learned=float(held_out.mean()),
        adopted=adopted,
        fusion=Fusion(weight=weight),
    )


def _choose(gains: npt.NDArray[np.float64], default: int) -> int:
    """Return the place of the best weight, drawn towards the default."""
    means = gains.mean(axis=0)
    smooth = np.convolve(np.pad(means, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    best = int(np.argmax(smooth))
    return round(default + (best - default) * len(gains) / (len(gains) + _PRIOR))
