"""Levels of packed residuals, and what vectors are rebuilt of, in whole numbers.

Level x, one of -15, -13 .. 15 of 4 bits, is ``x (bend + x**2)``: see :data:`.codec.BENDS`. In 16
bits that is multiplied, in 8 bits divided.
"""

from __future__ import annotations

from .codec import BENDS

# By the bits of a level. Multiplied levels fill 16 bits. Divided they are at most 63, which adds
# 3 % at most to the error that they have.
TIMES = {4: 3, 2: 128}
PARTS = {4: 149, 2: 4}
# What 1 stands for then, in steps.
WIDE_UNITS = {n: 1 / (2 * BENDS[n] * TIMES[n]) for n in BENDS}
UNITS = {n: PARTS[n] / (2 * BENDS[n]) for n in BENDS}
# A centroid's values are shifted by so many bits so that they fill 16.
SHIFTS = {4: 8, 2: 12}
# Unit length of a query vector in whole numbers, and what a factor of a part of a rebuilt vector is
# a part of. A rebuilt vector of length 1 has no more than WHOLE parts: its product with a query
# vector, and every part of the sum, is below 2**31 by the inequality of Cauchy and Schwarz. What
# all rounding does to a product of unit vectors is about 1e-4.
FULL = 32_767
WHOLE = 1 << 15


def whole_value(level: int, nbits: int, *, wide: bool) -> int:
    """Return what one level, counted from 0, stands for in 16 bits, or in 8."""
    place = 2 * level - (1 << nbits) + 1
    value = place * (BENDS[nbits] + place * place)
    if wide:
        return value * TIMES[nbits]
    return (value * inverse_of_parts(nbits) + (1 << 15)) >> 16


def inverse_of_parts(nbits: int) -> int:
    """Return what to multiply with instead of dividing, in parts of 2**16."""
    return round((1 << 16) / PARTS[nbits])


def largest_scale(nbits: int) -> float:
    """Return the size of a coordinate whose shifted value would be WHOLE, in a centroid's scale."""
    return float(WHOLE >> SHIFTS[nbits])


def largest_step(nbits: int) -> float:
    """Return the size of a coordinate whose level in 16 bits would be WHOLE, in steps."""
    return WHOLE * WIDE_UNITS[nbits]
