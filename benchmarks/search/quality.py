"""Exact MaxSim over a set of vectors, and how good an answer is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lfm2_colbert_rag.index.maxsim import blocks

from .vectors import VectorSet

K = 10
# Vectors of passages compared with all queries at once.
BLOCK = 16_384

Places = npt.NDArray[np.int64] | list[int]


def exact_best(
    vectors: VectorSet, queries: Sequence[npt.NDArray[np.float32]], k: int = K
) -> list[Places]:
    """Return the places of the best passages of each query by float32 MaxSim, best first."""
    return [np.argsort(-one, kind="stable")[:k] for one in exact_scores(vectors, queries)]


def exact_scores(
    vectors: VectorSet, queries: Sequence[npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """Return float32 MaxSim, ``(queries, passages)``."""
    joined = np.concatenate(queries)
    firsts = np.concatenate(([0], np.cumsum([len(query) for query in queries])[:-1]))
    scores = np.empty((len(queries), len(vectors.lengths)), np.float32)
    offsets = vectors.offsets
    for part in blocks(vectors.lengths, BLOCK):
        start, end = int(offsets[part.start]), int(offsets[part.stop])
        near = joined @ vectors.vectors[start:end].astype(np.float32).T
        best = np.maximum.reduceat(near, offsets[part] - start, axis=1)
        scores[:, part] = np.add.reduceat(best, firsts, axis=0)
    return scores


def remembered_best(folder: Path, name: str, vectors: VectorSet) -> list[Places]:
    """Do what :func:`exact_best` does for a set's own queries, once."""
    path = folder / f"{name}.npy"
    if not path.exists():
        np.save(path, np.stack(exact_best(vectors, vectors.queries)))
    return list(np.load(path))


def overlap(found: Sequence[Places], truth: Sequence[Places]) -> float:
    """Share of the true best passages that was found, over all queries."""
    pairs = zip(found, truth, strict=True)
    return float(np.mean([np.isin(best, mine[: len(best)]).mean() for mine, best in pairs]))


def ndcg(found: Sequence[Places], relevant: Sequence[Sequence[int]]) -> float:
    """Mean nDCG@10."""
    gains = 1 / np.log2(np.arange(2, K + 2))
    values = []
    for run, answers in zip(found, relevant, strict=True):
        hits = np.isin(run[:K], answers)
        values.append(gains[: len(hits)][hits].sum() / gains[: len(answers)].sum())
    return float(np.mean(values))
