"""Votes: what the inverted lists of near centroids say of the windows that they mention."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .probing import Probes, chunks
from .segment import CompressedSegment, Lists
from .workers import even_parts, in_parallel, thread_count

Bools = npt.NDArray[np.bool_]
NEVER = np.int16(32_767)  # above every place of a query vector: such windows are passed over


@dataclass(frozen=True, eq=False)
class Votes:
    """Windows that got most votes.

    Attributes:
        positions: ``(n,)`` int64 places in the segment.
        promises: ``(n,)`` float32, the MaxSim that the centroids promise.
    """

    positions: npt.NDArray[np.int64]
    promises: npt.NDArray[np.float32]


class Workspaces:
    """Arrays that a search needs for a moment, kept for the next one; safe to share."""

    def __init__(self) -> None:
        self._free: dict[tuple[int, str], list[npt.NDArray[Any]]] = {}
        self._lock = threading.Lock()

    def borrow(self, size: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Give an array, all 0 unless it was given back otherwise."""
        with self._lock:
            free = self._free.get((size, np.dtype(dtype).str))
            if free:
                return free.pop()
        return np.zeros(size, dtype)

    def give_back(self, *arrays: npt.NDArray[Any]) -> None:
        """Take back what was borrowed."""
        with self._lock:
            for array in arrays:
                self._free.setdefault((len(array), array.dtype.str), []).append(array)


@dataclass(frozen=True, eq=False)
class Nearness:
    """The centroids that some query vector is near.

    Attributes:
        slots: ``(codes,)`` int32, a number from 1 on for each of them, 0 for all others.
        sims: ``(numbers, rows)`` float32, their similarities to the query's vectors, by number.
    """

    slots: npt.NDArray[np.int32]
    sims: npt.NDArray[np.float32]


@contextmanager
def noted(segment: CompressedSegment, probes: Probes, workspaces: Workspaces) -> Iterator[Nearness]:
    """Note the centroids that some query vector is near.

    Args:
        segment: whose centroids.
        probes: what was found near.
        workspaces: where to take arrays from.
    """
    from . import kernels

    slots = workspaces.borrow(len(segment.codebook) + len(segment.extra), np.int32)
    codes = np.empty(min(int(probes.found.sum()), len(slots)) + 1, np.int32)
    codes = codes[: kernels.note_near(probes.ids, probes.found, slots, codes) + 1]
    try:
        sims = np.zeros((len(codes), len(probes.whole)), np.float32)
        kernels.meet_centroids(
            probes.whole,
            probes.units,
            *segment.source[1:5],
            codes,
            chunks(segment.codebook.codec.padded),
            sims,
        )
        yield Nearness(slots, sims)
    finally:
        kernels.forget_near(codes[1:], slots)
        workspaces.give_back(slots)


def count_votes(
    segment: CompressedSegment,
    allowed: Bools | None,
    probes: Probes,
    most: int,
    workspaces: Workspaces,
) -> Votes:
    """Walk a segment's lists and return the windows with most votes.

    Args:
        segment: what to search.
        allowed: ``(windows,)`` which windows may be found; None for all.
        probes: the centroids near the query, the segment's own among them.
        most: about how many windows to return.
        workspaces: where to take arrays from.
    """
    floors = probes.floors
    highest = float((probes.sims[:, 0] - floors).sum()) if probes.sims.shape[1] else 0.0
    halves = max(1, thread_count() // max(1, len(segment.lists)))
    found = in_parallel(
        _count_block,
        [(lists, allowed, probes, most, highest, halves, workspaces) for lists in segment.lists],
    )
    base = np.float32(floors.sum())
    return Votes(
        np.concatenate([positions for positions, _ in found]),
        np.concatenate([votes for _, votes in found]) + base,
    )


def _count_block(
    lists: Lists,
    allowed: Bools | None,
    probes: Probes,
    most: int,
    highest: float,
    halves: int,
    workspaces: Workspaces,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    from . import kernels

    parts = even_parts(len(probes.query), halves)
    pairs = [
        (workspaces.borrow(lists.size, np.int16), workspaces.borrow(lists.size, np.float32))
        for _ in parts
    ]
    for touched, _ in pairs:
        touched.fill(-1)
        if allowed is not None:
            touched[~allowed[lists.first : lists.first + lists.size]] = NEVER
    in_parallel(
        kernels.vote,
        [
            (a, b, probes.ids, probes.sims, probes.found, lists.starts, lists.listed, *pair)
            for (a, b), pair in zip(parts, pairs, strict=True)
        ],
    )
    votes = pairs[0][1]
    for _, other in pairs[1:]:
        votes += other
        other.fill(0)
    room = min(lists.size, 2 * most + 64)
    windows, gains = np.empty(room, np.int64), np.empty(room, np.float32)
    count = kernels.select(votes, most, np.float32(highest), windows, gains)
    for pair in pairs:
        workspaces.give_back(*pair)
    return windows[:count] + lists.first, gains[:count]
