"""The centroids that some query vector is near, marked for as long as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from .structs import Near

if TYPE_CHECKING:
    from .buffers import BufferPool
    from .probes import Probes
    from .segment import CompressedSegment
    from .ways import Kernels


@contextmanager
def near_centroids(
    kernels: Kernels, segment: CompressedSegment, probes: Probes, pool: BufferPool
) -> Iterator[Near]:
    """Mark the centroids that some query vector is near, and compare them with all of them.

    Args:
        kernels: see :mod:`.ways`.
        segment: whose centroids.
        probes: what was found near.
        pool: where to take arrays from.
    """
    slots = pool.borrow(len(segment.codebook) + len(segment.extra), np.int32)
    codes = np.empty(min(int(probes.near.found.sum()), len(slots)) + 1, np.int32)
    codes = codes[: kernels.mark_near(probes.near.ids, probes.near.found, slots, codes) + 1]
    whole, units = probes.query
    floors = np.zeros(len(whole), np.float32)
    floors[: len(probes.floors)] = probes.floors
    try:
        sims = np.zeros((len(codes), len(whole)), np.float32)
        kernels.centroid_similarities(whole, units, segment.source, codes, sims)
        yield Near(whole, units, floors, slots, sims)
    finally:
        kernels.clear_near(codes[1:], slots)
        pool.give_back(slots)
