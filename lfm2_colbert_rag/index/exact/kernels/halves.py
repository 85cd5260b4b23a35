# mypy: ignore-errors
"""Stored float16 as float32, without instructions that not every processor has."""

from __future__ import annotations

import numpy as np

from ...jit.compiling import number as _f
from ...jit.compiling import part

# What tells a float32 from a float16 of the same value: 13 more bits, and another bias of the
# exponent. Below NORMAL a float16 has no leading one: it is made with one, which is taken away.
BITS, BIAS, NORMAL = 13, 112 << 23, 0x400
BIAS_BELOW, LEADING = 113 << 23, np.float32(2.0**-14)
EXPONENT = 0x7C00  # all its bits are set in NaN and infinity, and in no number


@part
def widen(halves, t, floats, bits, k):
    """Row t of float16, given as uint16, becomes row k of ``floats``, of which ``bits`` is a view.

    Returns the largest exponent, as bits in their place.
    """
    largest = np.uint16(0)
    for j in range(halves.shape[1]):
        half = halves[t, j]
        largest = max(largest, half & np.uint16(EXPONENT))
        size = np.uint32(half & np.uint16(0x7FFF))
        bits[k, j] = np.uint32(
            (size << np.uint32(BITS)) + np.uint32(BIAS if size >= NORMAL else BIAS_BELOW)
        )
    for j in range(halves.shape[1]):
        half = halves[t, j]
        size = half & np.uint16(0x7FFF)
        found = floats[k, j] - (_f(0) if size >= np.uint16(NORMAL) else LEADING)
        floats[k, j] = -found if half > np.uint16(0x7FFF) else found
    return largest
