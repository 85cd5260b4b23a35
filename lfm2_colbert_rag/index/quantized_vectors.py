"""The vectors of a segment as bytes, which exact search compares first; made by :mod:`.exact`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .array_types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class QuantizedVectors:
    """The vectors of a segment in blocks of eight; no window shares a block with another.

    Attributes:
        blocks: ``(blocks, TOGETHER CHUNK chunks)`` uint8: four coordinates of each of eight
            vectors, then the next four, with OFFSET added. A window's last block is filled up with
            its last vector.
        scales: ``(blocks, TOGETHER)`` float32, what one part of a vector is.
        firsts: ``(windows + 1,)`` where each window's blocks begin.
        errors: ``(windows,)`` float32, the length of the longest difference between a vector and
            what its bytes stand for.
        lengths: ``(windows,)`` float32, the length of the longest vector.
    """

    blocks: npt.NDArray[np.uint8]
    scales: FloatArray
    firsts: IntArray
    errors: FloatArray
    lengths: FloatArray
