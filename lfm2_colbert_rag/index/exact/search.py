"""Exact search: the ranking by float32 MaxSim over all stored vectors. The oracle.

Every allowed window is scored over bytes first, with a margin in which its MaxSim must lie
(:mod:`.quantized`). Only windows that may belong to the best k by that are scored in float32, in
two rounds: those that look best, and then those that may still be better than the k-th of them.
Scores in float32 are summed in one order everywhere, so that they depend on the query and the
window only, and ties can be broken by id.

Until the kernels for that are ready, blocks of vectors are multiplied by numpy: a slower way to the
same ranking, bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...errors import InputError
from ...types import TokenMatrix
from ..array_types import FloatArray, IntArray
from ..base import Index, LiveSegment, Ranking, run_starts
from .windows import Windows

# Queries that share one pass over the vectors, and the vectors that these may have.
_QUERIES, _QUERY_VECTORS = 64, 512


class MaxSim(Protocol):
    """A way to score windows.

    Attributes:
        few: so many vectors are scored for one query sooner than estimated first.
    """

    few: int

    def prepare(self, windows: Windows) -> None:
        """Make ready what :meth:`estimate` needs of windows."""

    def estimate(
        self, queries: Sequence[TokenMatrix], windows: Windows
    ) -> tuple[FloatArray, FloatArray]:
        """Estimate MaxSim of windows.

        Returns:
            ``(queries, windows)`` scores, and by how much each may differ from :meth:`score`'s.

        Raises:
            IndexCorruptError: a vector is not finite.
        """

    def score(self, query: TokenMatrix, windows: Windows) -> FloatArray:
        """Return ``(windows,)`` MaxSim in float32, see :func:`..maxsim.score_window`."""


class ExactIndex(Index):
    """The ranking by MaxSim in float32 over memory-mapped float16 vectors.

    Args:
        segments: the segments of one generation.
        way: how windows are scored; by kernels once they are ready when None.

    Example:
        >>> index = ExactIndex([])
        >>> len(index.search([np.ones((2, 4), dtype=np.float32)], k=3)[0])
        0
    """

    def __init__(self, segments: Sequence[LiveSegment], *, way: MaxSim | None = None) -> None:
        super().__init__(segments)
        self._way = way
        self._all: Windows | None = None

    def prepare(self) -> None:
        """Make the bytes of segments that have none yet, where kernels are ready."""
        windows = self._windows(None)
        if len(windows):
            way = self._way or _way(windows.dim)
            if windows.vectors > way.few:
                way.prepare(windows)

    def search(
        self,
        queries: Sequence[TokenMatrix],
        k: int,
        *,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[Ranking]:
        """Rank the live passages for each query; one pass over the vectors serves many queries.

        Raises:
            InputError: a query is not as wide as the vectors.
            IndexCorruptError: a vector is not finite.
        """
        windows = self._windows(rows)
        if not len(windows):
            return [Ranking.empty() for _ in queries]
        _require_width(queries, windows.dim)
        way = self._way or _way(windows.dim)
        few = len(queries) == 1 and windows.vectors <= way.few
        if few or len(windows.starts) <= k:
            windows.require_finite()
            return [_ranking(windows, way.score(query, windows)).cut(k) for query in queries]
        found = []
        for group in _groups(queries):
            for query, scores, margins in zip(group, *way.estimate(group, windows), strict=True):
                found.append(_best(way, query, windows, scores, margins, k))
        return found

    def _windows(self, rows: npt.NDArray[np.int64] | None) -> Windows:
        if rows is not None:
            return Windows.of(self.segments, rows)
        if self._all is None:
            self._all = Windows.of(self.segments, None)
        return self._all


def _way(dim: int) -> MaxSim:
    from .compiled import KERNELS, CompiledMaxSim
    from .plain import PlainMaxSim

    return CompiledMaxSim() if KERNELS.ready(dim) else PlainMaxSim()


def _require_width(queries: Sequence[TokenMatrix], dim: int) -> None:
    for query in queries:
        if query.ndim != 2 or query.shape[1] != dim:
            raise InputError(
                f"a query must be a matrix of shape (num_tokens, {dim}), as the vectors of this "
                f"index are, not {query.shape}."
            )


def _groups(queries: Sequence[TokenMatrix]) -> Iterator[list[TokenMatrix]]:
    group: list[TokenMatrix] = []
    vectors = 0
    for query in queries:
        vectors += len(query)
        if group and (len(group) == _QUERIES or vectors > _QUERY_VECTORS):
            yield group
            group, vectors = [], len(query)
        group.append(query)
    if group:
        yield group


def _best(
    way: MaxSim,
    query: TokenMatrix,
    windows: Windows,
    scores: FloatArray,
    margins: FloatArray,
    k: int,
) -> Ranking:
    """Rank the best k of more than k rows, given estimates and their margins."""
    least = _kth(np.maximum.reduceat(scores, windows.starts), k)
    first = np.flatnonzero(scores >= least)
    found = way.score(query, windows.take(first))
    # As good as the k-th of these another must be at least, at most by its margin.
    wanted = _kth(np.maximum.reduceat(found, run_starts(windows.rows[first])), k)
    rest = np.flatnonzero((scores < least) & (scores + margins >= wanted))
    chosen = np.concatenate((first, rest))
    found = np.concatenate((found, way.score(query, windows.take(rest))))
    order = np.argsort(chosen)
    return _ranking(windows.take(chosen[order]), found[order]).cut(k)


def _kth(scores: FloatArray, k: int) -> np.float32:
    """Return the k-th largest of at least k scores."""
    found: np.float32 = np.partition(scores, len(scores) - k)[len(scores) - k]
    return found


def _ranking(windows: Windows, scores: FloatArray) -> Ranking:
    """Rank rows by the best of their windows, the first of those that tie."""
    starts = windows.starts
    best = np.maximum.reduceat(scores, starts)
    counts = np.diff(starts, append=len(windows))
    winners = np.flatnonzero(scores == np.repeat(best, counts))
    winners = winners[run_starts(windows.rows[winners])]
    return Ranking.ordered(windows.rows[starts], best, _places(windows, winners))


def _places(windows: Windows, chosen: npt.NDArray[np.intp]) -> IntArray:
    """Return which of its row's windows each is, counted from 0."""
    places = np.empty(len(chosen), np.int64)
    some = windows.take(chosen)
    for segment, mine in some.by_owner():
        places[mine] = some.positions[mine] - np.searchsorted(segment.rows, some.rows[mine])
    return places
