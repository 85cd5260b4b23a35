"""What recall an index has, measured on itself.

The truth that a search is compared with is exact MaxSim over the original vectors, and a compressed
index no longer has them. Two losses make up the difference, and both are seen:

* what the search does not look at: the same queries are answered by scoring every vector;
* what quantization changes: its variance was measured when the vectors were compressed
  (``index.compressed.noise.Noise``), so true scores are drawn around those of every passage near
  the top, and the best k of them compared with what the search gave.

The interval holds the recall of more such questions, and what exact search would say of these very
ones: questions differ from one another, and what quantization did to each is known in the mean
only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...index.base import Index, LiveSegment, Ranking
from ...index.compressed.search import CompressedIndex
from ...index.compressed.segment import CompressedSegment
from ...index.settings import PRESETS, SearchSettings
from ...types import TokenMatrix
from .intervals import share_interval

K = 10
DRAWS = 32
# Passages beyond the best so many cannot come to be among the best ten by rounding.
NEAR_TOP = 200
QUERY_VECTORS = 16
SEED = 7
# A segment with less of the index than this says nothing of its drift.
DRIFT_SHARE = 0.005


@dataclass(frozen=True)
class Recall:
    """Recall@10 of an index against exact MaxSim, as far as it can be known.

    Attributes:
        recall: the estimate.
        low: lower end of its 95 % confidence interval, in which the queries are what is drawn by
            chance (:func:`~.intervals.share_interval`).
        high: upper end.
        queries: how many queries it was measured on.
        asked: how many of them users had asked; the others were taken from passages.
        generation: the generation that was measured.
    """

    recall: float
    low: float
    high: float
    queries: int
    asked: int
    generation: int

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)


def measure_recall(
    index: Index,
    queries: Sequence[TokenMatrix],
    *,
    asked: int,
    generation: int,
    settings: SearchSettings | None = None,
    seconds: float | None = None,
) -> Recall:
    """Measure recall@10.

    Args:
        index: what to measure.
        queries: matrices of query vectors.
        asked: how many of them, from the first, are users' own.
        generation: the index's generation.
        settings: how thoroughly to search; the index's own when None.
        seconds: stop after so long, but not before three queries.
    """
    if not isinstance(index, CompressedIndex) or not len(index):
        return Recall(1.0, 1.0, 1.0, len(queries), asked, generation)
    index.wait_for_kernels()
    noise = _noise(index.segments)
    began, drawn = time.monotonic(), []
    for number, query in enumerate(queries):
        found = index.search_with_traces([query], K, settings=settings)[0][0]
        everything = index.scan([query], NEAR_TOP)[0]
        drawn.append(_overlaps(found, everything, noise * len(query), number))
        if seconds and len(drawn) >= 3 and time.monotonic() - began > seconds:
            break
    mean, low, high = _summary(drawn)
    return Recall(mean, low, high, len(drawn), min(asked, len(drawn)), generation)


def measure_presets(
    index: CompressedIndex,
    queries: Sequence[TokenMatrix],
    target: float = 1.0,
) -> list[dict[str, Any]]:
    """Measure the presets on the same queries, from the fastest to the first that is good enough.

    Returns:
        One JSON object a preset: its settings, its recall, and milliseconds a query.
    """
    index.wait_for_kernels()
    noise = _noise(index.segments)
    truths = [index.scan([query], NEAR_TOP)[0] for query in queries]
    measured = []
    for settings in PRESETS:
        began = time.perf_counter()
        found = [index.search_with_traces([query], K, settings=settings)[0][0] for query in queries]
        took = (time.perf_counter() - began) / len(queries)
        recall = np.mean(
            [
                _overlaps(one, truth, noise * len(query), number).mean()
                for number, (one, truth, query) in enumerate(
                    zip(found, truths, queries, strict=True)
                )
            ]
        )
        measured.append({**asdict(settings), "recall": float(recall), "milliseconds": took * 1e3})
        if recall >= target:
            break
    return measured


@dataclass(frozen=True, eq=False)
class Stretch:
    """Consecutive vectors of a live passage.

    Attributes:
        row: of the passage.
        span: the passage's characters that they stand for; empty where nobody knows.
        vectors: ``(n, dim)`` float32, as they are stored.
    """

    row: int
    span: tuple[int, int]
    vectors: TokenMatrix


def sample_stretches(
    segments: Sequence[LiveSegment], number: int, seed: int = SEED
) -> list[Stretch]:
    """Take parts of live passages about as long as a question; fewer only of an empty index.

    Their texts, encoded as questions, are answered as users' own are: with 2 bits at a recall of
    0.907 beside 0.901. Asked as they are stored, the same vectors are easier: 0.933.
    """
    live = [one for one in segments if one.passages]
    if not live:
        return []
    chance = np.random.default_rng(seed)
    weights = np.array([one.passages for one in live], dtype=float)
    found = []
    for owner in chance.choice(len(live), number, p=weights / weights.sum()).tolist():
        chosen = live[owner]
        position = int(chance.choice(chosen.positions))
        vectors = chosen.segment.vectors_of(position)
        start = int(chance.integers(0, max(1, len(vectors) - QUERY_VECTORS + 1)))
        part = slice(start, start + QUERY_VECTORS)
        span = _joint_span(chosen.segment.spans_of(position)[part])
        found.append(Stretch(int(chosen.segment.rows[position]), span, vectors[part]))
    return found


def drift(segments: Sequence[LiveSegment]) -> float:
    """How much further vectors lie from the codebook than when it was made.

    Returns:
        Of the segment that has drifted most: how much its mean squared residual exceeds that of the
        codebook's own vectors, as a share of it; or the share of its vectors whose vocabulary id
        the codebook does not know, if that is more. New material shows long before it is much of
        the whole.
    """
    total = sum(live.segment.info.vectors for live in segments)
    worst = 0.0
    for live in segments:
        segment = live.segment
        if isinstance(segment, CompressedSegment) and segment.info.vectors >= DRIFT_SHARE * total:
            before = max(segment.codebook.info.mse, 1e-9)
            worst = max(worst, segment.info.mse / before - 1, segment.info.oov_share)
    return worst


def _joint_span(spans: npt.NDArray[np.int32]) -> tuple[int, int]:
    """Return the characters from the first to the last; markers have none."""
    told = spans[spans[:, 0] < spans[:, 1]]
    return (int(told[:, 0].min()), int(told[:, 1].max())) if len(told) else (0, 0)


def _noise(segments: Sequence[LiveSegment]) -> float:
    """Variance of a score for one query vector, over all segments."""
    vectors = [live.segment.info.vectors for live in segments]
    noises = [live.segment.info.noise for live in segments]
    return float(np.average(noises, weights=vectors)) if sum(vectors) else 0.0


def _summary(drawn: Sequence[npt.NDArray[np.float64]]) -> tuple[float, float, float]:
    """Return the mean of all queries' shares, and the ends of its interval."""
    if not drawn:
        return 1.0, 0.0, 1.0
    means = np.array([shares.mean() for shares in drawn])
    within = float(np.mean([shares.var() for shares in drawn]))
    between = float(means.var(ddof=1)) if len(means) > 1 else 0.0
    mean = float(means.mean())
    return mean, *share_interval(mean, between + within, len(means), K)


def _overlaps(
    found: Ranking, everything: Ranking, variance: float, number: int
) -> npt.NDArray[np.float64]:
    """Share of the true best ten that was found, for each draw of what the true scores may be.

    Args:
        found: what the search gave.
        everything: what scoring every vector gave.
        variance: of a true score around the one that was given.
        number: of the query; each has draws of its own, or all would err to the same side.

    Returns:
        ``(draws,)`` float64.
    """
    wanted = min(K, len(everything))
    if not wanted:
        return np.ones(DRAWS)
    # Passages of one score are most often one text, which rounding changes alike.
    different, which = np.unique(everything.scores, return_inverse=True)
    chance = np.random.default_rng((SEED, number))
    noise = chance.normal(0, np.sqrt(variance), (DRAWS, len(different)))
    scores = (different + noise)[:, which]
    worst = np.partition(scores, len(everything) - wanted, axis=1)[:, len(everything) - wanted]
    among = np.isin(everything.rows, found.rows[:wanted])
    # Where several tie with the last of the best, any of them may stand for it.
    return np.minimum(1.0, (scores[:, among] >= worst[:, None]).sum(axis=1) / wanted)
