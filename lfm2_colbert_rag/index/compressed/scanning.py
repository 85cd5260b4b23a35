"""MaxSim of chosen windows of a compressed segment, decompressed on the way."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ...types import TokenMatrix
from ..array_types import FloatArray, IntArray
from ..workers import in_parallel, thread_count

if TYPE_CHECKING:
    from .segment import CompressedSegment
    from .structs import Near
    from .ways import Kernels


# Fewer vectors than this are scored before another thread would have started.
WORTH_A_THREAD = 1_500


def score_positions(
    kernels: Kernels, segment: CompressedSegment, query: TokenMatrix, positions: IntArray
) -> FloatArray:
    """Score windows.

    Args:
        kernels: see :mod:`.ways`.
        segment: holds them.
        query: ``(rows, padded)`` float32, rotated like the segment's codebook.
        positions: ``(n,)`` of the windows in the segment.

    Returns:
        ``(n,)`` float32. A score depends on the query and the window only.
    """
    scores = np.zeros(len(positions), np.float32)
    if not len(query):
        return scores
    starts, lengths = segment.offsets[positions], segment.lengths[positions]
    in_parallel(
        kernels.score_windows,
        [
            (query, segment.source, starts[a:b], lengths[a:b], scores[a:b])
            for a, b in _shares(lengths)
        ],
    )
    return scores


def refine_positions(
    kernels: Kernels, segment: CompressedSegment, near: Near, positions: IntArray
) -> FloatArray:
    """Score windows by those of their vectors that lie near a query vector.

    Args:
        kernels: see :mod:`.ways`.
        segment: holds them.
        near: the query, and the centroids near each of its vectors, marked in the segment.
        positions: ``(n,)`` of the windows in the segment.

    Returns:
        ``(n,)`` float32, close to MaxSim where many lists were walked.
    """
    scores = np.empty(len(positions), np.float32)
    starts, lengths = segment.offsets[positions], segment.lengths[positions]
    in_parallel(
        kernels.refine_windows,
        [
            (near, segment.source, starts[a:b], lengths[a:b], scores[a:b])
            for a, b in _shares(lengths, 8 * WORTH_A_THREAD)
        ],
    )
    return scores


def _shares(lengths: IntArray, worth: int = WORTH_A_THREAD) -> list[tuple[int, int]]:
    """Cut windows into parts of like many vectors, one for each thread that is worth it."""
    total = int(lengths.sum())
    count = min(thread_count(), total // worth)
    if count <= 1:
        return [(0, len(lengths))] if len(lengths) else []
    goals = np.arange(1, count) * total // count
    cuts = np.searchsorted(np.cumsum(lengths), goals, side="right").tolist()
    return [(a, b) for a, b in itertools.pairwise((0, *cuts, len(lengths))) if a < b]
