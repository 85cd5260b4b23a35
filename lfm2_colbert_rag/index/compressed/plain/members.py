"""The vectors of windows, and what they are made of."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ...array_types import FloatArray, IntArray
from ..codec import Codec
from ..structs import Source
from ..whole_levels import whole_value

# Vectors that are unpacked at a time: 4 MB of what is then worked out in 32 bits.
AT_ONCE = 8_192


def members(starts: IntArray, lengths: IntArray) -> tuple[IntArray, IntArray]:
    """Return the places of all vectors of windows, and where those of each window begin."""
    firsts = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) + np.repeat(starts - firsts, lengths), firsts


def centroids_of(source: Source, codes: IntArray) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Return the values of the centroids of these codes, and their scales."""
    known = len(source.values)
    own = np.flatnonzero(codes >= known)
    if not len(own):
        return source.values[codes], source.scales[codes]
    within = np.minimum(codes, known - 1)
    values, scales = source.values[within], source.scales[within]
    values[own] = source.extra_values[codes[own] - known]
    scales[own] = source.extra_scales[codes[own] - known]
    return values, scales


def lengths_of(source: Source, at: IntArray | slice) -> FloatArray | np.float32:
    """Return what lengths vectors are given; 1 where no lengths are kept."""
    if len(source.norms) and len(source.lengths):
        return source.lengths[source.norms[at]]
    return np.float32(1)


def unpack(packed: npt.NDArray[np.uint8], table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what packed levels stand for, ``(n, padded)``.

    Args:
        packed: ``(n, width)``.
        table: ``(planes, 256)``, what each level in a byte stands for.
    """
    planes, (count, width) = len(table), packed.shape
    out = np.empty((count, planes, width), table.dtype)
    for plane in range(planes):
        out[:, plane] = table[plane][packed]
    return out.reshape(count, planes * width)


@lru_cache
def levels_in_steps(nbits: int) -> FloatArray:
    """Return the table of :func:`unpack` for levels in steps."""
    values: FloatArray = Codec(8, nbits).values[_levels(nbits)]
    return values


@lru_cache
def wide_levels(nbits: int) -> npt.NDArray[np.int32]:
    """Return the table of :func:`unpack` for levels in 16 bits."""
    values = [whole_value(level, nbits, wide=True) for level in range(1 << nbits)]
    return np.array(values, np.int32)[_levels(nbits)]


def _levels(nbits: int) -> npt.NDArray[np.int64]:
    """Return the levels in each byte, ``(planes, 256)``."""
    shifts = np.arange(0, 8, nbits)[:, None]
    return (np.arange(256) >> shifts) & ((1 << nbits) - 1)
