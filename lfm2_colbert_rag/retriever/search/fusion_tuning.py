"""The part of the facade that learns from judged queries how to fuse the legs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._support.validation import check_query
from ...errors import ConfigError, InputError
from ...storage.store import Store
from ...types import TokenVectors
from .fusion import Fusion, fuse
from .hybrid import Legs

DEPTH = 10
# Weights that are compared, relative to the default, and how many queries weigh as much as it.
_FACTORS = 2.0 ** np.arange(-4, 3.1, 0.5)
_PRIOR = 30.0
_LEAST = 5
_DISCOUNTS = 1 / np.log2(np.arange(2, DEPTH + 2))

_Table = npt.NDArray[np.float64]


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


class Fusing:
    """The part of :class:`~lfm2_colbert_rag.Retriever` that tunes hybrid search."""

    _store: Store
    _legs: Legs

    def _encode(self, queries: list[str]) -> list[TokenVectors]:
        raise NotImplementedError

    def tune_fusion(
        self,
        queries: Mapping[str, str],
        qrels: Mapping[str, Mapping[str, int]],
        *,
        folds: int = 5,
    ) -> FusionReport:
        """Learn from judged queries how much words count in ``mode="hybrid"``, and remember it.

        Some 30 queries are enough. The weight is drawn towards the default, the more the fewer
        they are, and the default stays where cross-validation does not show a gain. The result is
        kept with the index, and replaces what was learned before.

        Args:
            queries: questions by their ids.
            qrels: for each query's id the grades of passages by their ids, 0 for those that are
                not relevant. Queries without a relevant passage in this index are left out.
            folds: parts into which the queries are divided.

        Raises:
            InputError: fewer than 5 queries can be used.
            ConfigError: fewer than 2 folds, or an index without words.

        Example:
            >>> retriever.tune_fusion({"q1": "reset the router", ...},
            ...                       {"q1": {"reset": 1}, ...})  # doctest: +SKIP
        """
        if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
            raise ConfigError(f"folds must be a whole number of at least 2, not {folds!r}.")
        self._legs.prepare()
        table = self._gains(queries, qrels)
        if len(table) < _LEAST:
            raise InputError(
                f"{len(table)} of the {len(queries)} queries have a relevant passage here; "
                f"give at least {_LEAST}, better 30."
            )
        report = learn(table, min(folds, len(table)))
        value = report.fusion.to_dict() if report.adopted else None
        with self._store.locks.writing():
            self._store.catalog.change_setting("fusion", value)
        return report

    def _gains(self, queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]]) -> _Table:
        """Return nDCG@10 of each usable query under each weight."""
        snapshot, rows = self._store.snapshot(), []
        for id, query in queries.items():
            found = self._store.catalog.rows_by_id(list(qrels.get(id, {})), snapshot.generation)
            grades = {found[doc]: grade for doc, grade in qrels.get(id, {}).items() if doc in found}
            if not any(grade > 0 for grade in grades.values()):
                continue
            text = check_query(query)
            vectors = self._encode([text])[0].vectors
            (one,) = self._legs.candidates(snapshot, [(text, vectors)], DEPTH)
            gains = np.array([max(0, grades.get(row, 0)) for row in one.late.rows.tolist()], float)
            best = sum(
                grade * discount
                for grade, discount in zip(
                    sorted((max(0, g) for g in grades.values()), reverse=True),
                    _DISCOUNTS,
                    strict=False,
                )
            )
            row = []
            for weight in weights():
                fusion = Fusion(weight=weight)
                scores = fuse(one.distances, one.lexical, one.share, fusion)
                order = np.argsort(-scores, kind="stable")[:DEPTH]
                row.append(float(gains[order] @ _DISCOUNTS[: len(order)]) / best)
            rows.append(row)
        return np.array(rows)


def weights() -> list[float]:
    """Return the weights that are compared."""
    return [float(Fusion().weight * factor) for factor in _FACTORS]


def learn(table: _Table, folds: int) -> FusionReport:
    """Choose a weight by cross-validation.

    Args:
        table: ``(queries, weights)`` what each query gains under each of :func:`weights`.
        folds: parts that are left out in turn.
    """
    usual = int(np.argmin(np.abs(np.log(_FACTORS))))
    part = np.arange(len(table)) % folds
    held_out = np.empty(len(table))
    for fold in range(folds):
        held_out[part == fold] = table[part == fold, _choose(table[part != fold], usual)]
    gain = held_out - table[:, usual]
    error = float(gain.std(ddof=1)) / len(gain) ** 0.5
    adopted = float(gain.mean()) > error
    weight = weights()[_choose(table, usual) if adopted else usual]
    return FusionReport(
        queries=len(table),
        folds=folds,
        default=float(table[:, usual].mean()),
        learned=float(held_out.mean()),
        adopted=adopted,
        fusion=Fusion(weight=weight),
    )


def _choose(table: _Table, usual: int) -> int:
    """Return the place of the best weight, drawn towards the usual one."""
    means = table.mean(axis=0)
    smooth = np.convolve(np.pad(means, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    best = int(np.argmax(smooth))
    return round(usual + (best - usual) * len(table) / (len(table) + _PRIOR))
