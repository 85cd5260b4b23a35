"""Relevance: how far a score lies above what the same query scores by chance.

A MaxSim says little by itself: it grows with the query, and some languages, and some queries, lie
nearer to everything than others. What it says depends on what that query scores in this very index
against passages that have nothing to do with it: its *baseline*. So a sample of windows is kept at
hand, and every query is compared with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ...index.base import LiveSegment
    from ...index.exact.in_memory import QuantizedWindows
    from ...types import TokenMatrix

WINDOWS = 64  # by measurement: half of them cost a point of accuracy, see benchmarks/relevance.py
MIN_WINDOWS = 32  # a smaller sample would hold too much of what was asked for
QUERY_VECTORS = 32  # vectors of a window that is taken for a query
MAX_VECTORS = 12_288  # three megabytes in half precision: little to hold, and to compare with
MIN_SPREAD = 1e-3  # of mean cosines: what rounding to float16 leaves between equal texts

# Where answers and the best of what answers nothing are equally frequent, and how fast that
# changes, in standard deviations; fitted on four collections, checked on others:
# benchmarks/relevance.py.
MIDDLE, STEEPNESS = 3.0, 1.2


@dataclass(frozen=True)
class Baseline:
    """What one query scores against passages that have nothing to do with it.

    Attributes:
        mean: their mean MaxSim.
        std: the standard deviation, positive.
    """

    mean: float
    std: float


def relevance(score: float, query_vectors: int, baseline: Baseline | None = None) -> float:
    """Scale a MaxSim score to 0..1; a higher score of the same query never gets less.

    Args:
        score: MaxSim over unit vectors.
        query_vectors: number of the query's vectors.
        baseline: what the same query scores by chance.

    Returns:
        How far the score lies above the baseline: 0.5 at three standard deviations. Where there is
        none, the mean of the best cosines, with negative means clipped to 0.

    Example:
        >>> relevance(24.0, 32)
        0.75
        >>> relevance(24.0, 32, Baseline(mean=18.0, std=2.0))
        0.5
    """
    return relevances([score], query_vectors, baseline)[0]


def relevances(
    scores: Sequence[float], query_vectors: int, baseline: Baseline | None = None
) -> list[float]:
    """Scale several scores of one query; see :func:`relevance`."""
    if not query_vectors:
        return [0.0 for _ in scores]
    if baseline is None:
        return [clipped(score / query_vectors) for score in scores]
    return [scaled((score - baseline.mean) / baseline.std) for score in scores]


def scaled(deviation: float) -> float:
    """Scale standard deviations above chance to 0..1: :data:`MIDDLE` of them to 0.5."""
    above = min(max(deviation - MIDDLE, -500.0), 500.0)
    return 1.0 / (1.0 + math.exp(-STEEPNESS * above))


def clipped(cosine: float) -> float:
    """Scale a mean cosine to 0..1, where nothing is known of chance."""
    return min(1.0, max(0.0, cosine))


@dataclass(frozen=True, eq=False)
class WindowVectors:
    """Vectors of several windows, end to end; every comparison with chance goes through here.

    Attributes:
        vectors: ``(total vectors, dim)`` float32.
        lengths: ``(windows,)`` vectors of each.
    """

    vectors: TokenMatrix
    lengths: npt.NDArray[np.int64]

    @classmethod
    def of(cls, windows: Sequence[TokenMatrix]) -> WindowVectors:
        """Put windows together: at least one, each ``(n, dim)`` float32 with a vector."""
        lengths = np.array([len(one) for one in windows], dtype=np.int64)
        return cls(np.concatenate(windows), lengths)

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.lengths)

    def __iter__(self) -> Iterator[TokenMatrix]:
        """Yield the vectors of each."""
        return iter(np.split(self.vectors, np.cumsum(self.lengths)[:-1]))

    def scores(self, query: TokenMatrix) -> npt.NDArray[np.float32]:
        """Return ``(windows,)`` float32 MaxSim of a query, ``(query vectors, dim)`` float32.

        Over bytes, which moves it by a hundredth of what windows differ by.
        """
        return self._quantized().scores(query)

    def scores_of(self, queries: Sequence[TokenMatrix]) -> npt.NDArray[np.float32]:
        """Return ``(queries, windows)`` the same of some queries."""
        return self._quantized().scores_of(queries)

    def _quantized(self) -> QuantizedWindows:
        from ...index.exact.in_memory import QuantizedWindows

        known: QuantizedWindows | None = self.__dict__.get("quantized")
        if known is None:
            known = self.__dict__["quantized"] = QuantizedWindows(list(self))
        return known


@dataclass(frozen=True, eq=False)
class Pairs:
    """What windows score that query one another.

    Attributes:
        keys: of each window, by what its vectors are.
        cosines: ``(windows, windows)`` float32; ``[i, j]`` is the mean cosine of the first
            :data:`QUERY_VECTORS` vectors of window i and what answers them best in window j.
    """

    keys: tuple[bytes, ...]
    cosines: npt.NDArray[np.float32]

    @classmethod
    def of(cls, windows: WindowVectors, known: Pairs | None = None) -> Pairs:
        """Let windows query one another, but for those of which this is known already."""
        each = list(windows)
        keys = tuple(blake2b(one.tobytes()).digest() for one in each)
        places = {} if known is None else {key: place for place, key in enumerate(known.keys)}
        found = np.array([places.get(key, -1) for key in keys])
        old, new = np.flatnonzero(found >= 0), np.flatnonzero(found < 0)
        cosines = np.empty((len(each), len(each)), dtype=np.float32)
        fresh = [each[place] for place in new]
        if len(new):
            cosines[new] = _cosines(fresh, windows)
        if known is not None and len(old):
            cosines[np.ix_(old, old)] = known.cosines[np.ix_(found[old], found[old])]
            if len(new):
                asking = [each[place] for place in old]
                cosines[np.ix_(old, new)] = _cosines(asking, WindowVectors.of(fresh))
        return cls(keys, cosines)


def _cosines(queries: Sequence[TokenMatrix], windows: WindowVectors) -> npt.NDArray[np.float32]:
    """Return what windows score that are queries, ``(queries, windows)``, in the mean."""
    first = [one[:QUERY_VECTORS] for one in queries]
    lengths = np.array([len(one) for one in first], dtype=np.float32)
    return windows.scores_of(first) / lengths[:, None]


@dataclass(frozen=True, eq=False)
class BaselineSample:
    """Windows of an index that stand for what has nothing to do with a query.

    Attributes:
        windows: the windows.
        known: what windows of a former sample score that query one another; None where there was
            none, or nobody asked for its spread.
    """

    windows: WindowVectors
    known: Pairs | None = None

    def baseline(self, query: TokenMatrix) -> Baseline:
        """Return what a query scores by chance.

        Args:
            query: ``(query tokens, dim)`` float32.
        """
        scores = self.windows.scores(query)
        # Where all scores are equal, the least that rounding to float16 leaves between texts.
        return Baseline(float(scores.mean()), max(float(scores.std()), MIN_SPREAD * len(query)))

    @classmethod
    def of(
        cls, windows: Sequence[TokenMatrix], former: BaselineSample | None = None
    ) -> BaselineSample:
        """Return some windows as a sample.

        Args:
            windows: their vectors, ``(n, dim)`` float32; at least one, each with a vector.
            former: a sample that may have had some of them.
        """
        return cls(WindowVectors.of(windows), None if former is None else former.asked)

    @property
    def asked(self) -> Pairs | None:
        """What the windows score that query one another, or those of a former sample do.

        None where nobody asked for a spread yet.
        """
        return self.__dict__.get("pairs", self.known)

    @cached_property
    def pairs(self) -> Pairs:
        """What the windows score that query one another: a twentieth of a second's work."""
        return Pairs.of(self.windows, self.known)

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the mean cosines of windows that have nothing to do with another.

        The windows query one another: so it is a scale of the model and the material, whatever is
        asked in whatever language. It is the standard deviation over windows, in the mean.
        """
        others = [np.delete(one, place).std() for place, one in enumerate(self.pairs.cosines)]
        return max(float(np.mean(others)), MIN_SPREAD)


def sample_windows(
    segments: Iterable[LiveSegment],
    keys: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint64]] | None = None,
) -> list[TokenMatrix]:
    """Choose windows by a hash of their row, so that later additions change few of them.

    Args:
        segments: whose windows.
        keys: gives for rows what is hashed in their place; None for the rows themselves.

    Returns:
        The vectors of up to :data:`WINDOWS` windows, ``(n, dim)`` float32, each with a vector; of
        long ones no more than :data:`MAX_VECTORS` in all, but :data:`MIN_WINDOWS` windows.
    """
    segments = list(segments)
    hashed = [_hashed(number, live, keys) for number, live in enumerate(segments)]
    if not hashed:
        return []
    hashes, owners, positions = (np.concatenate(part) for part in zip(*hashed, strict=True))
    limit = min(WINDOWS, len(hashes))
    best = np.argpartition(hashes, limit - 1)[:limit] if limit else np.empty(0, np.int64)
    best = best[np.argsort(hashes[best])]
    owners, positions = owners[best], positions[best]
    lengths = np.array(
        [segments[o].segment.lengths[p] for o, p in zip(owners, positions, strict=True)], np.int64
    )
    chosen = affordable(lengths)
    found: dict[int, TokenMatrix] = {}
    for owner in set(owners[chosen].tolist()):
        mine = chosen[owners[chosen] == owner]
        some = segments[owner].segment.vectors_of_some(positions[mine].tolist())
        found |= dict(zip(mine.tolist(), some, strict=True))
    return [np.asarray(found[place], dtype=np.float32) for place in chosen.tolist()]


def affordable(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return which of some windows are taken for a sample: those with vectors, of long not all.

    Args:
        lengths: ``(n,)`` how many vectors each has.
    """
    chosen: list[int] = []
    vectors = 0
    for place, length in enumerate(lengths.tolist()):
        vectors += length
        if length and (vectors <= MAX_VECTORS or len(chosen) < MIN_WINDOWS):
            chosen.append(place)
    return np.array(chosen, np.int64)


def _hashed(
    number: int,
    live: LiveSegment,
    keys: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint64]] | None,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return a hash of each live window, its segment's number and its position there."""
    rows = live.segment.rows
    positions = live.positions
    first = np.searchsorted(rows, rows[positions])
    named = rows[positions].astype(np.uint64) if keys is None else keys(rows[positions])
    mixed = named * np.uint64(1024) + (positions - first).astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31)), np.full(len(positions), number), positions
