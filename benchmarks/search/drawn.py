"""Passages that are drawn while an index grows, and what its answers should be meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..harness import Clock
from .synthetic import LENGTH, World

BLOCK, JUDGED, K = 1_000, 12, 10


class Truth:
    """The exact best passages of some queries, as passages come."""

    def __init__(self, queries: list[npt.NDArray[np.float32]]) -> None:
        self._queries = np.concatenate(queries)
        self._count = len(queries)
        self._scores = np.full((len(queries), 0), 0, np.float32)
        self._places = np.full((len(queries), 0), 0, np.int64)

    def save(self, path: Path) -> None:
        """Keep what was found for :meth:`load`."""
        np.savez(path, queries=self._queries, places=self._places)

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Read what :meth:`save` kept."""
        with np.load(path) as stored:
            truth = cls(np.split(stored["queries"], JUDGED))
            truth._places = stored["places"]
        return truth

    def see(self, first: int, vectors: npt.NDArray[np.float32]) -> None:
        """Take passages into account, the first of which has this place."""
        scores = []
        for start in range(0, len(vectors), 100 * LENGTH):
            near = self._queries @ vectors[start : start + 100 * LENGTH].T
            best = near.reshape(len(near), -1, LENGTH).max(axis=2)
            scores.append(best.reshape(self._count, -1, best.shape[1]).sum(axis=1))
        fresh = np.concatenate(scores, axis=1)
        places = np.broadcast_to(first + np.arange(fresh.shape[1]), fresh.shape)
        self._scores = np.concatenate((self._scores, fresh), axis=1)
        self._places = np.concatenate((self._places, places), axis=1)
        order = np.argsort(-self._scores, axis=1, kind="stable")[:, :K]
        self._scores = np.take_along_axis(self._scores, order, axis=1)
        self._places = np.take_along_axis(self._places, order, axis=1)

    def recall(self, found: list[npt.NDArray[np.int64]]) -> float:
        """Share of the best ten that was found."""
        pairs = zip(found, self._places, strict=True)
        return float(np.mean([np.isin(best, mine).mean() for mine, best in pairs]))


class Source:
    """Passages drawn while they are added; the time that drawing takes is not the index's.

    Args:
        world: what they are drawn from.
        truth: sees them.
        first: place of the first.
        size: number of passages, in whole blocks.
    """

    def __init__(self, world: World, truth: Truth, first: int, size: int) -> None:
        self.size = size
        self.clock = Clock()
        self._world, self._truth, self._first = world, truth, first
        self._tokens: list[npt.NDArray[np.int32]] = []

    def matrices(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield each passage's vectors."""
        for start in range(self._first, self._first + self.size, BLOCK):
            with self.clock:
                block = self._world.block(start // BLOCK, BLOCK)
                self._truth.see(start, block.vectors)
                self._tokens += list(block.tokens())
            yield from block.matrices()

    def tokens(self) -> Iterator[npt.NDArray[np.int32]]:
        """Yield each passage's vocabulary ids, once its vectors were drawn."""
        for place in range(self.size):
            yield self._tokens[place]
