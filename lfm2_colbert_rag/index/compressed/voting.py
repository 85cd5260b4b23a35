"""Votes: what the inverted lists of near centroids say of the windows that they mention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..array_types import BoolArray, FloatArray, IntArray
from ..workers import even_parts, in_parallel, thread_count

if TYPE_CHECKING:
    from .buffers import BufferPool
    from .probes import Probes
    from .segment import CompressedSegment
    from .structs import Lists
    from .ways import Kernels


NEVER = np.int16(32_767)  # above every number of a query vector: such windows are passed over


@dataclass(frozen=True, eq=False)
class Votes:
    """Windows that got most votes.

    Attributes:
        positions: ``(n,)`` int64, of windows in the segment.
        estimates: ``(n,)`` float32, their MaxSim as the centroids estimate it.
    """

    positions: IntArray
    estimates: FloatArray


def count_votes(
    kernels: Kernels,
    segment: CompressedSegment,
    allowed: BoolArray | None,
    probes: Probes,
    limit: int,
    pool: BufferPool,
) -> Votes:
    """Walk a segment's lists and return the windows with most votes.

    Args:
        kernels: see :mod:`.ways`.
        segment: what to search.
        allowed: ``(windows,)`` which windows may be found; None for all.
        probes: the centroids near the query, the segment's own among them.
        limit: about how many windows to return.
        pool: where to take arrays from.
    """
    floors, sims = probes.floors, probes.near.sims
    highest = float((sims[:, 0] - floors).sum()) if sims.shape[1] else 0.0
    halves = max(1, thread_count() // max(1, len(segment.lists)))
    found = in_parallel(
        _count_block,
        [
            (kernels, lists, allowed, probes, limit, highest, halves, pool)
            for lists in segment.lists
        ],
    )
    base = np.float32(floors.sum())
    return Votes(
        np.concatenate([positions for positions, _ in found]),
        np.concatenate([votes for _, votes in found]) + base,
    )


def _count_block(
    kernels: Kernels,
    lists: Lists,
    allowed: BoolArray | None,
    probes: Probes,
    limit: int,
    highest: float,
    halves: int,
    pool: BufferPool,
) -> tuple[IntArray, FloatArray]:
    parts = even_parts(len(probes.rotated), halves)
    pairs = [
        (pool.borrow(lists.size, np.int16), pool.borrow(lists.size, np.float32)) for _ in parts
    ]
    for touched, _ in pairs:
        touched.fill(-1)
        if allowed is not None:
            touched[~allowed[lists.first : lists.first + lists.size]] = NEVER
    in_parallel(
        kernels.vote,
        [(a, b, probes.near, lists, *pair) for (a, b), pair in zip(parts, pairs, strict=True)],
    )
    votes = pairs[0][1]
    for _, other in pairs[1:]:
        votes += other
        other.fill(0)
    room = min(lists.size, 2 * limit + 64)
    windows, gains = np.empty(room, np.int64), np.empty(room, np.float32)
    count = kernels.select(votes, limit, np.float32(highest), windows, gains)
    for pair in pairs:
        pool.give_back(*pair)
    return windows[:count] + lists.first, gains[:count]
