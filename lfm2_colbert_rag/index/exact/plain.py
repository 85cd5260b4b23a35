"""Exact search without kernels: products of blocks of vectors, by numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...types import TokenMatrix
from ..array_types import FloatArray, IntArray
from ..maxsim import blocks, score_block, score_window
from ..segment import ExactSegment
from .rounding import rounding_errors
from .windows import Windows

# Vectors decoded to float32 at a time: 16 MB at 128 dimensions.
BLOCK_TOKENS = 32_768


class PlainMaxSim:
    """MaxSim by products of blocks.

    Args:
        block_tokens: vectors held in float32 at a time.
    """

    few = 0

    def __init__(self, block_tokens: int = BLOCK_TOKENS) -> None:
        self._block_tokens = block_tokens

    def prepare(self, windows: Windows) -> None:
        """Nothing is kept for later."""

    def estimate(
        self, queries: Sequence[TokenMatrix], windows: Windows
    ) -> tuple[FloatArray, FloatArray]:
        """Score windows in blocks: all that may be off is rounding."""
        windows.require_finite()
        scores = np.empty((len(queries), len(windows)), np.float32)
        longest = np.empty(len(windows), np.float32)
        for segment, mine in windows.by_owner():
            positions = windows.positions[mine]
            lengths = segment.lengths[positions]
            for part in blocks(lengths, self._block_tokens):
                vectors = _gather(segment, positions[part], lengths[part])
                here = slice(mine.start + part.start, mine.start + part.stop)
                starts = np.concatenate(([0], np.cumsum(lengths[part])[:-1]))
                longest[here] = np.maximum.reduceat(np.linalg.norm(vectors, axis=1), starts)
                for number, query in enumerate(queries):
                    scores[number, here] = score_block(query, vectors, lengths[part])
        return scores, np.outer(rounding_errors(queries), longest)

    def score(self, query: TokenMatrix, windows: Windows) -> FloatArray:
        """Score windows one by one."""
        found = [
            score_window(query, segment.vectors_of(position))
            for segment, mine in windows.by_owner()
            for position in windows.positions[mine].tolist()
        ]
        return np.array(found, np.float32)


def _gather(segment: ExactSegment, positions: IntArray, lengths: IntArray) -> TokenMatrix:
    """Copy the windows at these ascending positions into one float32 array, end to end."""
    starts = segment.offsets[positions]
    if positions[-1] - positions[0] + 1 == len(positions):
        return segment.vectors[starts[0] : starts[-1] + lengths[-1]].astype(np.float32)
    shifts = starts - np.concatenate(([0], np.cumsum(lengths)[:-1]))
    return segment.vectors[np.arange(lengths.sum()) + np.repeat(shifts, lengths)].astype(np.float32)
