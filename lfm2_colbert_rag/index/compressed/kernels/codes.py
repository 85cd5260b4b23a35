# mypy: ignore-errors
"""How the codes and the levels of stored vectors are read."""

from __future__ import annotations

import numpy as np

from ...jit.compiling import kernel, part
from ..codec import BENDS

BENDS_OF_4, BENDS_OF_2 = BENDS[4], BENDS[2]
CODE_MASK = (1 << 19) - 1
CODE_BITS = 19


@part
def bend_of(planes):
    """By how much levels lie further apart away from zero; see ..codec.BENDS."""
    return np.float32(1) / np.float32(BENDS_OF_2 if len(planes) == 4 else BENDS_OF_4)


@part
def value_of(place, bend):
    """What the level at a place (.. -3, -1, 1, 3 ..) stands for, in steps; see ..codec.BENDS."""
    return place * np.float32(0.5) * (np.float32(1) + bend * place * place)


@part
def joint_at(codes, at):
    """Code and step of one vector, still together."""
    return np.int64(codes[at, 0]) | (np.int64(codes[at, 1]) << 8) | (np.int64(codes[at, 2]) << 16)


@kernel
def codes_below(codes, limit):
    """Tell whether all vectors name one of so many centroids."""
    largest = np.int64(-1)
    for t in range(len(codes)):
        largest = max(largest, joint_at(codes, t) & CODE_MASK)
    return largest < limit
