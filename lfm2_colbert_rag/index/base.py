"""The contract of an index: what every way of searching token vectors must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import PassageNotFoundError
from ..types import TokenMatrix, Window
from .maxsim import score_block
from .segment import Segment


@dataclass(frozen=True, eq=False)
class LiveSegment:
    """A segment as one generation sees it.

    Attributes:
        segment: the immutable files.
        live: ``(windows,)`` bool, False for those of deleted passages; None when all are live.
    """

    segment: Segment
    live: npt.NDArray[np.bool_] | None = None

    @property
    def positions(self) -> npt.NDArray[np.intp]:
        """Positions of the live windows, ascending."""
        return np.arange(len(self.segment.rows)) if self.live is None else np.flatnonzero(self.live)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each live window."""
        return self.segment.rows if self.live is None else self.segment.rows[self.live]

    @property
    def passages(self):
        return self.live_count

    @property
    def vectors(self):
        if self.live is None:
            return self.segment.info.tokens
        return int(self.segment.lengths[self.live].sum())

    @property
    def live_count(self) -> int:
        """Number of live passages."""
        return len(run_starts(self.rows))

    def without(self, rows: npt.NDArray[np.int64]) -> LiveSegment:
        """Return the same segment with more passages deleted; this one stays as it is."""
        dead = np.isin(self.segment.rows, rows)
        if not dead.any():
            return self
        return LiveSegment(self.segment, ~dead if self.live is None else self.live & ~dead)

    def is_live(self, position: int) -> bool:
        """Tell whether the window at a position belongs to a live passage."""
        return self.live is None or bool(self.live[position])


class LiveSegments(Sequence):
    def __init__(self, segments):
        self._segments = tuple(segments)
        self._first_rows = np.array([s.segment.rows[0] for s in self._segments], dtype=np.int64)
        self._last_rows = np.array([s.segment.rows[-1] for s in self._segments], dtype=np.int64)
        self.passages = sum(s.live_count for s in self._segments)

    def __len__(self):
        return len(self._segments)

    def __getitem__(self, i):
        return self._segments[i]

    @property
    def rows(self):
        r = [l.rows for l in self._segments]
        return np.unique(np.concatenate(r)) if r else np.empty(0, np.int64)

    def find(self, row):
        for i in np.flatnonzero((self._first_rows <= row) & (row <= self._last_rows)):
            live = self._segments[i]
            positions = live.segment.positions(row)
            if positions and live.is_live(positions[0]):
                return live.segment, positions
        raise PassageNotFoundError(f"row {row} is not live in this generation.")

    def windows(self, row):
        segment, positions = self.find(row)
        return map(segment.window, positions)

    def window(self, row, place):
        segment, positions = self.find(row)
        return segment.window(positions[place])

    def window_span(self, row, place):
        segment, positions = self.find(row)
        return segment.window_span(positions[place])


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

    @staticmethod
    def joined(one, other):
        return Ranking(
            np.concatenate((one.rows, other.rows)),
            np.concatenate((one.scores, other.scores)),
            np.concatenate((one.windows, other.windows)),
        )


class Index(ABC):
    """Read-only view of one generation: immutable, and safe to search from many threads.

    Laws that hold for every subclass (``tests/contract``):

    * a row's score is the largest MaxSim in float32 of the query and one of the row's windows,
      whatever else is stored;
    * ``search(k)`` ranks at least k rows whenever k live rows are allowed, however many windows
      they have;
    * deleted rows, and rows outside ``rows``, never appear;
    * equal passages get equal scores.
    """

    def __init__(self, segments: Sequence[LiveSegment]) -> None:
        self.segments = segments if isinstance(segments, LiveSegments) else LiveSegments(segments)
        self._segments = tuple(segments)
        filled = [s.segment.rows for s in self._segments]
        self._first_rows = np.array([rows[0] for rows in filled], dtype=np.int64)
        self._last_rows = np.array([rows[-1] for rows in filled], dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of live passages."""
        return sum(segment.live_count for segment in self._segments)

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

    def windows(self, row: int) -> Iterator[Window]:
        """Yield the stored windows of a live row, in the order of the text.

        Raises:
            PassageNotFoundError: the row is not live in this generation.
        """
        segment, positions = self._find(row)
        return map(segment.window, positions)

    def window(self, row: int, place: int) -> Window:
        """Return one of a live row's windows, counted from 0.

        Raises:
            PassageNotFoundError: the row is not live in this generation.
        """
        segment, positions = self._find(row)
        return segment.window(positions[place])

    def window_span(self, row: int, place: int) -> tuple[int, int]:
        """Return only the characters of one of a live row's windows.

        Raises:
            PassageNotFoundError: the row is not live in this generation.
        """
        segment, positions = self._find(row)
        return segment.window_span(positions[place])

    def _find(self, row: int) -> tuple[Segment, range]:
        for i in np.flatnonzero((self._first_rows <= row) & (row <= self._last_rows)):
            live = self._segments[i]
            positions = live.segment.positions(row)
            if positions and live.is_live(positions[0]):
                return live.segment, positions
        raise PassageNotFoundError(f"row {row} is not live in this generation.")

    def _rescore(self, query: TokenMatrix, rows: npt.NDArray[np.int64]) -> Ranking:
        """Score windows one by one, so that a score depends on the query and the window only.

        Matrix products over many windows at once may differ in the last bit with their place in
        the block; alone, equal passages get equal scores, and ties can be broken by id.
        """
        scores = np.empty(len(rows), dtype=np.float32)
        windows = np.empty(len(rows), dtype=np.int64)
        for i, row in enumerate(rows):
            segment, positions = self._find(int(row))
            each = [_score(query, segment.vectors_of(position)) for position in positions]
            windows[i] = np.argmax(each)
            scores[i] = each[windows[i]]
        order = np.lexsort((rows, -scores))
        return Ranking(rows[order], scores[order], windows[order])

    @staticmethod
    def _cut(ranking: Ranking, k: int) -> Ranking:
        """Keep the best k rows, and all that tie with the last of them."""
        if len(ranking) <= k:
            return ranking
        kept = int((ranking.scores >= ranking.scores[k - 1]).sum())
        return Ranking(ranking.rows[:kept], ranking.scores[:kept], ranking.windows[:kept])


def run_starts(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return where each run of equal rows starts: one place a passage."""
    if not len(rows):
        return np.empty(0, dtype=np.intp)
    return np.concatenate(([0], np.flatnonzero(np.diff(rows)) + 1))


def _score(query: TokenMatrix, vectors: TokenMatrix) -> np.float32:
    return score_block(query, vectors, np.array([len(vectors)]))[0]
