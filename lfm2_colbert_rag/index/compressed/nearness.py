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


@contextmanager
def near_centroids(segment: CompressedSegment, probes: Probes, pool: BufferPool) -> Iterator[Near]:
    """Mark the centroids that some query vector is near, and compare them with all of them.

    Args:
        segment: whose centroids.
        probes: what was found near.
        pool: where to take arrays from.
    """
    from . import kernels

    slots = pool.borrow(len(segment.codebook) + len(segment.extra), np.int32)
    codes = np.empty(min(int(probes.near.found.sum()), len(slots)) + 1, np.int32)
    codes = codes[: kernels.mark_near(probes.near, slots, codes) + 1]
    try:
        near = Near(slots, np.zeros((len(codes), len(probes.query.whole)), np.float32))
        source = segment.source
        kernels.centroid_similarities(
            probes.query, source.book, source.extra, codes, source.shape, near.sims
        )
        yield near
    finally:
        kernels.clear_near(codes[1:], slots)
        pool.give_back(slots)
