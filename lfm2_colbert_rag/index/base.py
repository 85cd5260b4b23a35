"""The contract of an index: what every way of searching token vectors must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, overload
from weakref import ref

import numpy as np
import numpy.typing as npt

from ..errors import PassageNotFoundError
from ..types import TokenMatrix, Window

if TYPE_CHECKING:
    from .segment import Segment


# Filters whose windows a segment keeps, a byte a window each.
_LIMITS = 4
# Of fewer rows than a so-manyth of a segment each is looked up by itself.
_FEW = 16


@dataclass(frozen=True, eq=False)
class LiveSegment:
    """A segment as one generation sees it.

    Attributes:
        segment: the immutable files.
        live: ``(windows,)`` bool, False for those of deleted passages; None when all are live.
    """

    segment: Segment
    live: npt.NDArray[np.bool_] | None = None
    _limits: _Limits = field(default_factory=lambda: _Limits(), init=False, repr=False)

    @property
    def positions(self) -> npt.NDArray[np.int64]:
        """Positions of the live windows, ascending."""
        return np.arange(len(self.segment.rows)) if self.live is None else np.flatnonzero(self.live)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each live window."""
        return self.segment.rows if self.live is None else self.segment.rows[self.live]

    @cached_property
    def passages(self) -> int:
        """Number of live passages."""
        return self.segment.info.passages if self.live is None else len(run_starts(self.rows))

    @cached_property
    def windows(self) -> int:
        """Number of live windows."""
        return len(self.segment.rows) if self.live is None else int(self.live.sum())

    @cached_property
    def vectors(self) -> int:
        """Number of live vectors."""
        if self.live is None:
            return self.segment.info.vectors
        return int(self.segment.lengths[self.live].sum())

    def without(self, rows: npt.NDArray[np.int64]) -> LiveSegment:
        """Return the same segment with more passages deleted; this one stays as it is."""
        kept = np.isin(self.segment.rows, rows, invert=True)
        if self.live is not None:
            kept &= self.live
        unchanged = kept.all() if self.live is None else np.array_equal(kept, self.live)
        return self if unchanged else LiveSegment(self.segment, kept)

    def within(self, rows: npt.NDArray[np.int64] | None) -> LiveSegment:
        """Return the same segment with no other passages live than these.

        Args:
            rows: ascending; None for all.
        """
        if rows is None:
            return self
        known = self._limits.get(rows)
        if known is None:
            chosen = _windows_of(rows, self.segment.rows)
            known = LiveSegment(self.segment, chosen if self.live is None else chosen & self.live)
            self._limits.keep(rows, known)
        return known

    def is_live(self, position: int) -> bool:
        """Tell whether the window at a position belongs to a live passage."""
        return self.live is None or bool(self.live[position])


class _Limits:
    """What a segment was limited to last; safe to use from many threads.

    Only arrays that nobody may change are known again, as a filter's rows are; each is known by
    itself, not by what it holds.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[ref[npt.NDArray[np.int64]], LiveSegment], ...] = ()

    def get(self, rows: npt.NDArray[np.int64]) -> LiveSegment | None:
        """Return the segment limited to these rows; None where that is not known."""
        return next((limited for known, limited in self._kept if known() is rows), None)

    def keep(self, rows: npt.NDArray[np.int64], limited: LiveSegment) -> None:
        """Know a limited segment again, in place of one of long ago, or of rows that are gone."""
        if rows.flags.owndata and not rows.flags.writeable:
            kept = [one for one in self._kept if one[0]() is not None]
            self._kept = ((ref(rows), limited), *kept[: _LIMITS - 1])


class LiveSegments(Sequence[LiveSegment]):
    """The segments of one generation, and the stored windows of each live row.

    Args:
        segments: in the order of their rows.
        rows: ``(passages,)`` int64 the live rows, ascending, where they are known.

    Example:
        >>> segments = LiveSegments([])
        >>> len(segments), segments.passages
        (0, 0)
    """

    def __init__(
        self, segments: Sequence[LiveSegment] = (), rows: npt.NDArray[np.int64] | None = None
    ) -> None:
        self._segments = tuple(segments)
        self._rows = rows
        filled = [s.segment.rows for s in self._segments]
        self._first_rows = np.array([rows[0] for rows in filled], dtype=np.int64)
        self._last_rows = np.array([rows[-1] for rows in filled], dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self._segments)

    @overload
    def __getitem__(self, number: int) -> LiveSegment: ...

    @overload
    def __getitem__(self, number: slice) -> tuple[LiveSegment, ...]: ...

    def __getitem__(self, number: int | slice) -> LiveSegment | tuple[LiveSegment, ...]:
        """Return one segment, or a tuple of some."""
        return self._segments[number]

    def __iter__(self) -> Iterator[LiveSegment]:
        """Yield the segments."""
        return iter(self._segments)

    @cached_property
    def passages(self) -> int:
        """Number of live passages."""
        return sum([live.passages for live in self._segments])

    @property
    def vectors(self) -> int:
        """Number of live vectors."""
        return sum([live.vectors for live in self._segments])

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """``(passages,)`` int64 the live rows, ascending."""
        if self._rows is not None:
            return self._rows
        rows = [live.rows for live in self._segments]
        return np.unique(np.concatenate(rows)) if rows else np.empty(0, dtype=np.int64)

    def find(self, row: int) -> tuple[Segment, range]:
        """Return the segment that holds a live row, and the positions of the row's windows.

        Raises:
            PassageNotFoundError: the row is not live in this generation.
        """
        for number in np.flatnonzero((self._first_rows <= row) & (row <= self._last_rows)):
            live = self._segments[number]
            first, last = np.searchsorted(live.segment.rows, (row, row + 1)).tolist()
            if first < last and (live.live is None or live.live[first]):
                return live.segment, range(first, last)
        raise PassageNotFoundError(f"row {row} is not live in this generation.")

    def windows(self, row: int) -> Iterator[Window]:
        """Yield the stored windows of a live row, in the order of the text.

        Raises:
            PassageNotFoundError: the row is not live in this generation.
        """
        segment, positions = self.find(row)
        return map(segment.window, positions)

    def windows_of(self, rows: Iterable[int]) -> dict[int, tuple[Window, ...]]:
        """Return the stored windows of several live rows, those of a segment together.

        Raises:
            PassageNotFoundError: a row is not live in this generation.
        """
        found = {row: self.find(row) for row in rows}
        by_segment: dict[int, tuple[Segment, list[int]]] = {}
        for segment, positions in found.values():
            by_segment.setdefault(id(segment), (segment, []))[1].extend(positions)
        windows = {
            (known, position): window
            for known, (segment, positions) in by_segment.items()
            for position, window in zip(positions, segment.windows_at(positions), strict=True)
        }
        return {
            row: tuple(windows[id(segment), position] for position in positions)
            for row, (segment, positions) in found.items()
        }

    def window(self, row: int, place: int) -> Window:
        """Return one of a live row's windows, counted from 0.

        Raises:
            PassageNotFoundError: the row is not live in this generation.
        """
        segment, positions = self.find(row)
        return segment.window(positions[place])

    def window_spans(self, windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return only the characters of windows, each named by a live row and its place there.

        Raises:
            PassageNotFoundError: a row is not live in this generation.
        """
        found = [self.find(row) for row, _ in windows]
        return [
            segment.window_span(positions[place])
            for (segment, positions), (_, place) in zip(found, windows, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows and their scores, best first.

    Attributes:
        rows: ``(n,)`` int64 row numbers, each once.
        scores: ``(n,)`` float32, descending. Where several rows share the score of the k-th, all
            of them are here, so that whoever knows the ids can break the tie by id.
        windows: ``(n,)`` int64, which of the row's windows gave the score, counted from 0; the
            first of those that tie.
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    windows: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of ranked rows."""
        return len(self.rows)

    @classmethod
    def empty(cls) -> Ranking:
        """Return the ranking of no rows."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, none.astype(np.float32), none)

    @classmethod
    def ordered(
        cls,
        rows: npt.NDArray[np.int64],
        scores: npt.NDArray[np.float32],
        windows: npt.NDArray[np.int64],
    ) -> Ranking:
        """Rank rows by their scores; those of one score by their number."""
        order = np.lexsort((rows, -scores))
        return cls(rows[order], scores[order], windows[order])

    @classmethod
    def joined(cls, rankings: Sequence[Ranking]) -> Ranking:
        """Put rankings of different rows together."""
        filled = [ranking for ranking in rankings if len(ranking)]
        if len(filled) < 2:
            return filled[0] if filled else cls.empty()
        return cls.ordered(
            np.concatenate([ranking.rows for ranking in filled]),
            np.concatenate([ranking.scores for ranking in filled]),
            np.concatenate([ranking.windows for ranking in filled]),
        )

    def cut(self, k: int) -> Ranking:
        """Keep the best k rows, and all that tie with the last of them."""
        if len(self) <= k:
            return self
        kept = int((self.scores >= self.scores[k - 1]).sum())
        return Ranking(self.rows[:kept], self.scores[:kept], self.windows[:kept])


class Index(ABC):
    """Read-only view of one generation: immutable, and safe to search from many threads.

    Laws that hold for every subclass (``tests/contract``):

    * a row's score is the largest MaxSim in float32 of the query and one of the row's windows,
      whatever else is stored;
    * ``search(k)`` ranks at least k rows whenever k live rows are allowed, however many windows
      they have;
    * deleted rows, and rows outside ``rows``, never appear;
    * equal passages get equal scores.

    Args:
        segments: the segments of the generation, in the order of their rows.

    Attributes:
        segments: the same, with their stored windows by row.
    """

    def __init__(self, segments: Sequence[LiveSegment]) -> None:
        self.segments = segments if isinstance(segments, LiveSegments) else LiveSegments(segments)

    def __len__(self) -> int:
        """Return the number of live passages."""
        return self.segments.passages

    def prepare(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what the first search would have to do beforehand."""

    @abstractmethod
    def search(
        self,
        queries: Sequence[TokenMatrix],
        k: int,
        *,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[Ranking]:
        """Rank the live passages for each query.

        Args:
            queries: matrices of shape ``(num_tokens_i, dim)`` float32.
            k: positive number of results wanted.
            rows: ascending rows to which the search is limited; None for all.

        Returns:
            One ranking a query, see :class:`Ranking` for ties.
        """


def run_starts(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return where each run of equal rows starts: one position a passage."""
    if not len(rows):
        return np.empty(0, dtype=np.intp)
    return np.concatenate(([0], np.flatnonzero(rows[1:] != rows[:-1]) + 1))


def _windows_of(
    rows: npt.NDArray[np.int64], windows: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Tell which windows, given by their rows, are of some rows; both ascend."""
    if not len(rows) or not len(windows):
        return np.zeros(len(windows), np.bool_)
    first, last = np.searchsorted(rows, (windows[0], windows[-1] + 1))
    rows = rows[first:last]
    if len(rows) * _FEW >= len(windows):
        return np.isin(windows, rows)
    starts, ends = (np.searchsorted(windows, rows, side) for side in ("left", "right"))
    sizes = ends - starts
    chosen = np.zeros(len(windows), np.bool_)
    chosen[np.arange(sizes.sum()) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)] = True
    return chosen
