"""Candidates of a search; its stages go through them by batches, best promise first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...types import TokenMatrix
from ..base import Ranking, run_starts
from .scanning import score_positions
from .segment import CompressedSegment


@dataclass(frozen=True)
class Stage:
    """How a stage of the search goes through its candidates.

    Attributes:
        first: windows of the first batch, beside the k wanted.
        more: windows of the others, at least.
        growth: windows of the others, as a share of all before.
    """

    first: int
    more: int
    growth: float


def batches(size: int, stage: Stage, k: int) -> Iterator[tuple[int, int]]:
    """Yield the places of the batches of a stage."""
    start, end = 0, min(size, stage.first + k)
    while start < end:
        yield start, end
        start, end = end, min(size, end + max(stage.more, int(stage.growth * end)))


@dataclass(frozen=True, eq=False)
class Candidates:
    """Windows of several segments, and the MaxSim that they are promised."""

    owners: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    promises: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.positions)

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """Put those of several segments together."""
        return cls(
            np.concatenate([part.owners for part in parts]),
            np.concatenate([part.positions for part in parts]),
            np.concatenate([part.promises for part in parts]),
        )

    def best(self, most: int) -> Candidates:
        """The most promising, best first."""
        order = np.argsort(-self.promises)[:most]
        return Candidates(self.owners[order], self.positions[order], self.promises[order])

    def take(self, start: int, end: int) -> Candidates:
        """Those at consecutive places."""
        part = slice(start, end)
        return Candidates(self.owners[part], self.positions[part], self.promises[part])

    def by_owner(self) -> Iterator[tuple[int, npt.NDArray[np.int64] | slice]]:
        """Yield each segment's number and the places of its windows."""
        if not self.owners.any():
            yield 0, slice(None)
            return
        for number in np.unique(self.owners).tolist():
            yield number, np.flatnonzero(self.owners == number)


class Surprises:
    """By how much windows did better than they were promised, lately.

    Args:
        most: how many of the last ones count.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values = np.empty(0, np.float32)

    def note(self, values: npt.NDArray[np.float32]) -> None:
        """Add the next ones."""
        self._values = np.concatenate((self._values, values))[-self._most :]

    def likely(self, promise: float, caution: float) -> float:
        """The most that a window of this promise is expected to reach."""
        count = len(self._values)
        if not count:
            return np.inf
        mean = float(np.add.reduce(self._values)) / count
        spread = max(float(np.dot(self._values, self._values)) / count - mean * mean, 0.0) ** 0.5
        return float(promise) + mean + caution * spread


def least(scores: npt.NDArray[np.float32], k: int) -> float:
    """The k-th largest of some scores; less while there are fewer."""
    return float(np.partition(scores, len(scores) - k)[-k]) if len(scores) >= k else -np.inf


class Found:
    """Windows scored so far: their rows, scores, and places among the windows of their row."""

    def __init__(self) -> None:
        self._rows: list[npt.NDArray[np.int64]] = []
        self._scores: list[npt.NDArray[np.float32]] = []
        self._places: list[npt.NDArray[np.int64]] = []
        self._split = False  # whether some row has several windows

    def score(
        self,
        segment: CompressedSegment,
        query: TokenMatrix,
        positions: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float32]:
        """Score windows, and the other windows of their rows; returns the scores of the former."""
        wanted = positions
        if not segment.single:
            first = np.searchsorted(segment.rows, segment.rows[positions])
            last = np.searchsorted(segment.rows, segment.rows[positions], side="right")
            wanted = np.unique(
                np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=False)])
            )
        scores = score_positions(segment, query, wanted)
        rows = segment.rows[wanted]
        self._rows.append(rows)
        self._scores.append(scores)
        if segment.single:
            self._places.append(np.zeros(len(rows), np.int64))
            return scores
        self._places.append(wanted - np.searchsorted(segment.rows, rows))
        self._split = True
        return scores[np.searchsorted(wanted, positions)]

    def least(self, k: int) -> float:
        """What a window must beat to be among the best k rows; less while there are fewer."""
        if not self._split:
            scores = np.concatenate(self._scores) if self._scores else np.empty(0, np.float32)
            return least(scores, k)
        ranking = self.ranking()
        return float(ranking.scores[k - 1]) if len(ranking) >= k else -np.inf

    def ranking(self) -> Ranking:
        """The best window of each row, best row first."""
        if not self._rows:
            none = np.empty(0, dtype=np.int64)
            return Ranking(none, none.astype(np.float32), none)
        rows, places = np.concatenate(self._rows), np.concatenate(self._places)
        scores = np.concatenate(self._scores)
        best = np.arange(len(rows))
        if self._split:
            order = np.lexsort((places, -scores, rows))
            best = order[run_starts(rows[order])]
        best = best[np.lexsort((rows[best], -scores[best]))]
        return Ranking(rows[best], scores[best], places[best])
