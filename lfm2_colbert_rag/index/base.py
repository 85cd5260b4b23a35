"""The contract of an index: what every way of searching token vectors must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import PassageNotFoundError
from ..scoring import score_block
from ..types import TokenMatrix
from .segment import Segment


@dataclass(frozen=True, eq=False)
class LiveSegment:
    """A segment as one generation sees it.

    Attributes:
        segment: the immutable files.
        live: ``(passages,)`` bool, False for deleted passages; None when all are live.
    """

    segment: Segment
    live: npt.NDArray[np.bool_] | None = None

    @property
    def live_count(self) -> int:
        """Number of live passages."""
        return len(self.segment.rows) if self.live is None else int(self.live.sum())

    def without(self, rows: npt.NDArray[np.int64]) -> LiveSegment:
        """Return the same segment with more passages deleted; this one stays as it is."""
        dead = np.isin(self.segment.rows, rows)
        if not dead.any():
            return self
        return LiveSegment(self.segment, ~dead if self.live is None else self.live & ~dead)

    def is_live(self, position: int) -> bool:
        """Tell whether the passage at a position is live."""
        return self.live is None or bool(self.live[position])


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows and their MaxSim, best first.

    Attributes:
        rows: ``(n,)`` int64 row numbers.
        scores: ``(n,)`` float32, descending. Where several rows share the score of the k-th, all
            of them are here, so that whoever knows the ids can break the tie by id.
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of ranked rows."""
        return len(self.rows)


class Index(ABC):
    """Read-only view of one generation: immutable, and safe to search from many threads.

    Laws that hold for every subclass (``tests/contract``):

    * a score is MaxSim in float32 of the query and the stored vectors, whatever else is stored;
    * ``search(k)`` ranks at least k rows whenever k live rows are allowed;
    * deleted rows, and rows outside ``rows``, never appear;
    * equal passages get equal scores.
    """

    def __init__(self, segments: Sequence[LiveSegment]) -> None:
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

    def vectors(self, row: int) -> TokenMatrix:
        """Return the stored vectors of a live row, ``(num_tokens, dim)`` float32.

        Raises:
            PassageNotFoundError: the row is not live in this generation.
        """
        segment, position = self._find(row)
        return segment.vectors[segment.span(position)].astype(np.float32)

    def token_ids(self, row: int) -> npt.NDArray[np.int32]:
        """Return the vocabulary ids of a live row's vectors, ``(num_tokens,)`` int32.

        Raises:
            PassageNotFoundError: the row is not live in this generation.
        """
        segment, position = self._find(row)
        return np.array(segment.token_ids[segment.span(position)])

    def _find(self, row: int) -> tuple[Segment, int]:
        for i in np.flatnonzero((self._first_rows <= row) & (row <= self._last_rows)):
            live = self._segments[i]
            position = live.segment.position(row)
            if position is not None and live.is_live(position):
                return live.segment, position
        raise PassageNotFoundError(f"row {row} is not live in this generation.")

    def _rescore(self, query: TokenMatrix, rows: npt.NDArray[np.int64]) -> Ranking:
        """Score rows one by one, so that a score depends on the query and the passage only.

        Matrix products over many passages at once may differ in the last bit with their place in
        the block; alone, equal passages get equal scores, and ties can be broken by id.
        """
        scores = np.empty(len(rows), dtype=np.float32)
        for i, row in enumerate(rows):
            vectors = self.vectors(int(row))
            scores[i] = score_block(query, vectors, np.array([len(vectors)]))[0]
        order = np.lexsort((rows, -scores))
        return Ranking(rows[order], scores[order])

    @staticmethod
    def _cut(ranking: Ranking, k: int) -> Ranking:
        """Keep the best k rows, and all that tie with the last of them."""
        if len(ranking) <= k:
            return ranking
        kept = int((ranking.scores >= ranking.scores[k - 1]).sum())
        return Ranking(ranking.rows[:kept], ranking.scores[:kept])
