"""One pass over the queries of a set: what each leg finds, and both, under several weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lfm2_colbert_rag.encoder.background import encode_background
from lfm2_colbert_rag.evaluation import Dataset
from lfm2_colbert_rag.evaluation.runs import keep_order
from lfm2_colbert_rag.retriever.search.chance import Chances
from lfm2_colbert_rag.retriever.search.fusion_tuning import learn, weights
from lfm2_colbert_rag.retriever.search.hybrid import FusionCandidates, Legs
from lfm2_colbert_rag.retriever.search.index_cache import IndexCache
from lfm2_colbert_rag.retriever.search.late import Query
from lfm2_colbert_rag.retriever.search.mixed_languages import Languages
from lfm2_colbert_rag.storage.store import Store
from lfm2_colbert_rag.storage.tunings import Fusion

DEPTH = 10
DRAWS, DRAWN = 5, 30
_DISCOUNTS = 1 / np.log2(np.arange(2, DEPTH + 2))

Runs = dict[str, dict[str, dict[str, float]]]


class BothLegs:
    """The legs of an index, asked once for all modes: they are what its search asks, too.

    Args:
        folder: of the index, with posting lists.
        encoder: what it was encoded with.
    """

    def __init__(self, folder: Path, encoder: Any) -> None:
        self._encoder = encoder
        self._store = Store(folder)
        self._snapshot = self._store.snapshot()
        chances = Chances(lambda _: encode_background(encoder))
        self._legs = Legs(self._store, IndexCache(), chances, Languages(self._store))

    def ask(self, dataset: Dataset) -> tuple[Runs, npt.NDArray[np.float64]]:
        """Ask every judged query.

        Returns:
            The run of each mode, and ``(queries, weights)`` nDCG@10 under each of
            :func:`lfm2_colbert_rag.retriever.search.fusion_tuning.weights`.
        """
        judged = dataset.judged()
        encoded = self._encoder.encode_query(list(judged.values()))
        runs: Runs = {"late": {}, "lexical": {}, "hybrid": {}}
        table = np.empty((len(judged), len(weights())))
        asked = [[Query(text, one)] for text, one in zip(judged.values(), encoded, strict=True)]
        answers = self._legs.candidates(self._snapshot, asked, DEPTH)
        for number, (id, found) in enumerate(zip(judged, answers, strict=True)):
            names = self._names(found)
            for mode, (rows, scores) in _ranked(found).items():
                best = zip(rows[:DEPTH].tolist(), scores[:DEPTH].tolist(), strict=True)
                runs[mode][id] = keep_order((names[row], score) for row, score in best)
            for column, weight in enumerate(weights()):
                rows = found.fused(Fusion(weight=weight)).ranking.rows[:DEPTH].tolist()
                table[number, column] = _ndcg([names[row] for row in rows], dataset.qrels[id])
        return runs, table

    def close(self) -> None:
        """Let go of the index."""
        self._store.close()

    def _names(self, found: FusionCandidates) -> dict[int, str]:
        passages = self._store.catalog.passages(found.late.rows.tolist())
        return {row: passage.id for row, passage in passages.items()}


def learned(gains: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Learn a weight from a few queries and measure on the rest, several times."""
    if len(gains) < 2 * DRAWN:
        return {}
    usual = int(np.argmin(np.abs(np.array(weights()) - Fusion().weight)))
    chance, default, held_out, adopted = np.random.default_rng(11), [], [], 0
    for _ in range(DRAWS):
        drawn = np.zeros(len(gains), dtype=bool)
        drawn[chance.choice(len(gains), DRAWN, replace=False)] = True
        report = learn(gains[drawn], 5)
        adopted += report.adopted
        default.append(gains[~drawn, usual].mean())
        held_out.append(gains[~drawn, weights().index(report.fusion.weight)].mean())
    return {
        "default": round(float(np.mean(default)), 4),
        "learned": round(float(np.mean(held_out)), 4),
        "adopted": f"{adopted} of {DRAWS}",
    }


def _ranked(found: FusionCandidates) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    late = np.argsort(-found.late.scores, kind="stable")
    shared = np.flatnonzero(found.bm25 > 0)
    words = shared[np.argsort(-found.bm25[shared], kind="stable")]
    both = found.fused(Fusion()).ranking
    return {
        "late": (found.late.rows[late], found.late.scores[late]),
        "lexical": (found.late.rows[words], found.bm25[words]),
        "hybrid": (both.rows, both.scores),
    }


def _ndcg(run: list[str], grades: Mapping[str, int]) -> float:
    best = np.array(sorted(grades.values(), reverse=True)[:DEPTH], dtype=float)
    gains = np.array([grades.get(id, 0) for id in run], dtype=float)
    return float(gains @ _DISCOUNTS[: len(gains)] / (best @ _DISCOUNTS[: len(best)]))
