"""MaxSim of chosen windows of a compressed segment, decompressed on the way."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from ...types import TokenMatrix
from .probing import Probes, chunks
from .segment import CompressedSegment
from .voting import Nearness
from .workers import in_parallel, thread_count

# Fewer vectors than this are scored before another thread would have started.
WORTH_A_THREAD = 1_500


def turned_query(segment: CompressedSegment, query: TokenMatrix) -> TokenMatrix:
    """Turn a query like the segment's vectors."""
    from . import kernels

    book = segment.codebook
    padded = book.codec.pad(query)
    turned = np.empty_like(padded)
    kernels.multiply(padded, book.turned_back, turned)
    return turned


def score_positions(
    segment: CompressedSegment, query: TokenMatrix, positions: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Score windows.

    Args:
        segment: holds them.
        query: what :func:`turned_query` returns.
        positions: ``(n,)`` their places.

    Returns:
        ``(n,)`` float32. A score depends on the query and the window only.
    """
    from . import kernels

    scores = np.zeros(len(positions), np.float32)
    if not len(query):
        return scores
    starts, lengths = segment.offsets[positions], segment.lengths[positions]
    asked = chunks(segment.codebook.codec.padded)
    in_parallel(
        kernels.score_windows,
        [
            (query, *segment.source, asked, starts[a:b], lengths[a:b], scores[a:b])
            for a, b in _shares(lengths)
        ],
    )
    return scores


def refine_positions(
    segment: CompressedSegment,
    probes: Probes,
    nearness: Nearness,
    positions: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Score windows by those of their vectors that lie near a query vector.

    Args:
        segment: holds them.
        probes: the centroids near each query vector.
        nearness: the query vectors near each centroid.
        positions: ``(n,)`` their places.

    Returns:
        ``(n,)`` float32, close to MaxSim where many lists were walked.
    """
    from . import kernels

    scores = np.empty(len(positions), np.float32)
    starts, lengths = segment.offsets[positions], segment.lengths[positions]
    floors = np.zeros(len(probes.whole), np.float32)
    floors[: len(probes.floors)] = probes.floors
    asked = probes.whole, probes.units, floors
    asked_of = chunks(segment.codebook.codec.padded)
    known = nearness.slots, nearness.sims, segment.source, asked_of
    in_parallel(
        kernels.refine_windows,
        [
            (*asked, *known, starts[a:b], lengths[a:b], scores[a:b])
            for a, b in _shares(lengths, 8 * WORTH_A_THREAD)
        ],
    )
    return scores


def _shares(lengths: npt.NDArray[np.int64], worth: int = WORTH_A_THREAD) -> list[tuple[int, int]]:
    """Cut windows into parts of like many vectors, one for each thread that is worth it."""
    total = int(lengths.sum())
    count = min(thread_count(), total // worth)
    if count <= 1:
        return [(0, len(lengths))] if len(lengths) else []
    goals = np.arange(1, count) * total // count
    cuts = np.searchsorted(np.cumsum(lengths), goals, side="right").tolist()
    return [(a, b) for a, b in itertools.pairwise((0, *cuts, len(lengths))) if a < b]
