"""What recall an index has, measured on itself.

The truth that a search is compared with is exact MaxSim over the original vectors, and a compressed
index no longer has them. Two losses make up the difference, and both are seen:

* what the search does not look at: the same queries are answered by scoring every vector;
* what rounding changes: its variance was measured when the vectors were compressed
  (``index.compression.Noise``), so true scores are drawn around those of every passage near the
  top, and the best k of them compared with what the search gave.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .index import CompressedIndex, Index, LiveSegment, Ranking, SearchSettings
from .index.compressed_segment import CompressedSegment
from .index.settings import LADDER
from .types import TokenMatrix

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
        low: lower end of its 95 % confidence interval (normal approximation over the queries).
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
    segments: Sequence[LiveSegment],
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
        segments: its segments.
        queries: matrices of query vectors.
        asked: how many of them, from the first, are users' own.
        generation: the index's generation.
        settings: how thoroughly to search; the index's own when None.
        seconds: stop after so long, but not before three queries.
    """
    if not isinstance(index, CompressedIndex) or not len(index):
        return Recall(1.0, 1.0, 1.0, len(queries), asked, generation)
    noise = _noise(segments)
    began, overlaps = time.monotonic(), []
    for query in queries:
        found = index.search_with_plans([query], K, settings=settings)[0][0]
        everything = index.scan([query], NEAR_TOP)[0]
        overlaps.append(_expected_overlap(found, everything, noise * len(query)))
        if seconds and len(overlaps) >= 3 and time.monotonic() - began > seconds:
            break
    values = np.array(overlaps)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 1.0
    margin = 1.96 * spread / math.sqrt(len(values))
    mean = float(values.mean())
    return Recall(
        mean,
        max(0.0, mean - margin),
        min(1.0, mean + margin),
        len(values),
        min(asked, len(values)),
        generation,
    )


def measure_ladder(
    index: CompressedIndex,
    segments: Sequence[LiveSegment],
    queries: Sequence[TokenMatrix],
    target: float = 1.0,
) -> list[dict[str, Any]]:
    """Measure every rung of the ladder on the same queries, up to the first that is good enough.

    Returns:
        One JSON object a rung: its settings, its recall, and milliseconds a query.
    """
    noise = _noise(segments)
    truths = [index.scan([query], NEAR_TOP)[0] for query in queries]
    rungs = []
    for settings in LADDER:
        began = time.perf_counter()
        found = [index.search_with_plans([query], K, settings=settings)[0][0] for query in queries]
        took = (time.perf_counter() - began) / len(queries)
        recall = np.mean(
            [
                _expected_overlap(one, truth, noise * len(query))
                for one, truth, query in zip(found, truths, queries, strict=True)
            ]
        )
        rungs.append({**asdict(settings), "recall": float(recall), "milliseconds": took * 1e3})
        if recall >= target:
            break
    return rungs


def sample_queries(
    segments: Sequence[LiveSegment], number: int, seed: int = SEED
) -> list[TokenMatrix]:
    """Take stretches of vectors from live passages, to be asked as queries."""
    live = [one for one in segments if one.live_count]
    if not live:
        return []
    chance = np.random.default_rng(seed)
    weights = np.array([one.live_count for one in live], dtype=float)
    queries = []
    for owner in chance.choice(len(live), number, p=weights / weights.sum()).tolist():
        chosen = live[owner]
        vectors = chosen.segment.vectors_of(int(chance.choice(chosen.positions)))
        start = int(chance.integers(0, max(1, len(vectors) - QUERY_VECTORS + 1)))
        queries.append(vectors[start : start + QUERY_VECTORS])
    return queries


def drift(segments: Sequence[LiveSegment]) -> float:
    """How much further vectors lie from the codebook than when it was made.

    Returns:
        Of the segment that has drifted most: how much its mean squared residual exceeds that of the
        codebook's own vectors, as a share of it; or the share of its vectors whose vocabulary id
        the codebook does not know, if that is more. New material shows long before it is much of
        the whole.
    """
    total = sum(live.segment.info.tokens for live in segments)
    worst = 0.0
    for live in segments:
        segment = live.segment
        if isinstance(segment, CompressedSegment) and segment.info.tokens >= DRIFT_SHARE * total:
            before = max(segment.codebook.info.energy, 1e-9)
            worst = max(worst, segment.info.energy / before - 1, segment.info.foreign)
    return worst


def _noise(segments: Sequence[LiveSegment]) -> float:
    """Variance of a score for one query vector, over all segments."""
    tokens = [live.segment.info.tokens for live in segments]
    noises = [live.segment.info.noise for live in segments]
    return float(np.average(noises, weights=tokens)) if sum(tokens) else 0.0


def _expected_overlap(found: Ranking, everything: Ranking, variance: float) -> float:
    """Share of the true best ten that was found, averaged over what the true scores may be."""
    wanted = min(K, len(everything))
    if not wanted:
        return 1.0
    # Passages of one score are most often one text, which rounding changes alike.
    different, which = np.unique(everything.scores, return_inverse=True)
    chance = np.random.default_rng(SEED)
    noise = chance.normal(0, np.sqrt(variance), (DRAWS, len(different)))
    drawn = (different + noise)[:, which]
    worst = np.partition(drawn, len(everything) - wanted, axis=1)[:, len(everything) - wanted]
    among = np.isin(everything.rows, found.rows[:wanted])
    return float((drawn[:, among] >= worst[:, None]).sum(axis=1).mean() / wanted)
