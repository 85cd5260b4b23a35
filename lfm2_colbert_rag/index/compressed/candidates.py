"""Candidates of a search; its stages go through them by batches, the best estimate first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..array_types import FloatArray, IntArray
from ..base import Ranking, run_starts


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
    """Yield where the batches of a stage start and end."""
    start, end = 0, min(size, stage.first + k)
    while start < end:
        yield start, end
        start, end = end, min(size, end + max(stage.more, int(stage.growth * end)))


@dataclass(frozen=True, eq=False)
class Candidates:
    """Windows of several segments, and estimates of their MaxSim.

    Attributes:
        owners: ``(n,)`` the number of each window's segment.
        positions: ``(n,)`` of the windows in their segments.
        estimates: ``(n,)`` float32.
    """

    owners: IntArray
    positions: IntArray
    estimates: FloatArray

    def __len__(self) -> int:
        return len(self.positions)

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """Put those of several segments together."""
        return cls(
            np.concatenate([part.owners for part in parts]),
            np.concatenate([part.positions for part in parts]),
            np.concatenate([part.estimates for part in parts]),
        )

    def best(self, limit: int) -> Candidates:
        """Those of the highest estimates, best first."""
        order = np.argsort(-self.estimates)[:limit]
        return Candidates(self.owners[order], self.positions[order], self.estimates[order])

    def take(self, start: int, end: int) -> Candidates:
        """Consecutive ones."""
        part = slice(start, end)
        return Candidates(self.owners[part], self.positions[part], self.estimates[part])

    def by_owner(self) -> Iterator[tuple[int, IntArray | slice]]:
        """Yield each segment's number, and which of the candidates are its windows."""
        if not self.owners.any():
            yield 0, slice(None)
            return
        for number in np.unique(self.owners).tolist():
            yield number, np.flatnonzero(self.owners == number)


class EstimateErrors:
    """By how much the latest windows scored above their estimates.

    Args:
        limit: how many of the last ones count.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values = np.empty(0, np.float32)

    def add(self, values: FloatArray) -> None:
        """Add the next ones."""
        self._values = np.concatenate((self._values, values))[-self._limit :]

    def upper_bound(self, estimate: float, margin: float) -> float:
        """The estimate, the mean error, and ``margin`` standard deviations of it together.

        Infinite while no error is known.
        """
        count = len(self._values)
        if not count:
            return np.inf
        mean = float(np.add.reduce(self._values)) / count
        spread = max(float(np.dot(self._values, self._values)) / count - mean * mean, 0.0) ** 0.5
        return float(estimate) + mean + margin * spread


def kth_largest(scores: FloatArray, k: int) -> float:
    """The k-th largest of some scores; minus infinity while there are fewer."""
    return float(np.partition(scores, len(scores) - k)[-k]) if len(scores) >= k else -np.inf


class TopK:
    """The windows scored so far, and the best rows among them."""

    def __init__(self) -> None:
        self._rows: list[IntArray] = []
        self._scores: list[FloatArray] = []
        self._windows: list[IntArray] = []
        self._split = False  # whether some row has several windows

    def add(self, rows: IntArray, scores: FloatArray, windows: IntArray | None = None) -> None:
        """Add scored windows.

        Args:
            rows: ``(n,)`` their rows.
            scores: ``(n,)``.
            windows: ``(n,)`` which of the row's windows each is; None where rows have but one.
        """
        self._rows.append(rows)
        self._scores.append(scores)
        self._windows.append(np.zeros(len(rows), np.int64) if windows is None else windows)
        self._split = self._split or windows is not None

    def minimum(self, k: int) -> float:
        """What a window must exceed to be among the best k rows; less while there are fewer."""
        if not self._rows:
            return -np.inf
        scores = np.concatenate(self._scores)
        return kth_largest(scores[self._best_windows(scores)] if self._split else scores, k)

    def ranking(self) -> Ranking:
        """The best window of each row, best row first."""
        if not self._rows:
            return Ranking.empty()
        rows, windows = np.concatenate(self._rows), np.concatenate(self._windows)
        scores = np.concatenate(self._scores)
        if self._split:
            best = self._best_windows(scores)
            rows, scores, windows = rows[best], scores[best], windows[best]
        return Ranking.ordered(rows, scores, windows)

    def _best_windows(self, scores: FloatArray) -> IntArray:
        """Return which of the windows scored so far is the best of its row, row by row."""
        rows, windows = np.concatenate(self._rows), np.concatenate(self._windows)
        order = np.lexsort((windows, -scores, rows))
        return order[run_starts(rows[order])]
