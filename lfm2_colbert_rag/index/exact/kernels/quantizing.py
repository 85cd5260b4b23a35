# mypy: ignore-errors
"""Stored float16 vectors as blocks of bytes, and by how much these are off."""

from __future__ import annotations

import numpy as np

from ...jit import OFFSET, TOGETHER
from ...jit.compiling import kernel
from ...jit.compiling import number as _f
from ..layout import FOUR, MOST
from .halves import EXPONENT, widen


@kernel
def quantize_windows(halves, offsets, firsts, start, end, blocks, scales, errors, lengths):
    """Quantize windows ``start`` to ``end - 1``; False once a vector is not finite.

    Window w is the vectors ``offsets[w]`` to ``offsets[w + 1] - 1`` (``halves``, uint16), and
    becomes the blocks from ``firsts[w]`` on; the last one is filled up with its last vector.
    ``errors[w]`` is the squared length of the longest difference between a vector and its bytes,
    ``lengths[w]`` the squared length of the longest vector.
    """
    dim = halves.shape[1]
    bits = np.empty((1, dim), np.uint32)
    floats = bits.view(np.float32)
    for w in range(start, end):
        error, length, last = _f(0), _f(0), offsets[w + 1] - 1
        for b in range(firsts[w], firsts[w + 1]):
            for k in range(TOGETHER):
                t = min(offsets[w] + (b - firsts[w]) * TOGETHER + k, last)
                if widen(halves, t, floats, bits, 0) == EXPONENT:
                    return False
                largest = _f(0)
                for j in range(dim):
                    largest = max(largest, abs(floats[0, j]))
                scale = largest / _f(MOST) if largest > _f(0) else _f(1)
                squared, missing = _f(0), _f(0)
                for j in range(dim):
                    value = floats[0, j]
                    whole = np.rint(value / scale)
                    at = (j // FOUR) * FOUR * TOGETHER + k * FOUR + j % FOUR
                    blocks[b, at] = np.uint8(np.int32(whole) + OFFSET)
                    squared += value * value
                    missing += (value - whole * scale) ** 2
                scales[b, k] = scale
                length, error = max(length, squared), max(error, missing)
        errors[w], lengths[w] = error, length
    return True
