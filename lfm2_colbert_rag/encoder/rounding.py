"""Weights in fewer bits: integers with a scale a row, and short floats; with numpy alone."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

FloatType = Literal["float32", "float16", "bfloat16"]


def quantize_rows(
    weight: npt.NDArray[np.float32], largest: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Round each row of a matrix to integers.

    Args:
        weight: ``(rows, columns)`` float32.
        largest: the integers lie between this and its negative.

    Returns:
        ``(rows, columns)`` int8 and ``(rows,)`` float32 with ``weight ~ integers * scale``.
    """
    scale = np.abs(weight).max(axis=1) / np.float32(largest)
    scale[scale == 0] = 1  # a row of zeros
    integers = np.rint(weight / scale[:, None]).astype(np.int8)
    return integers, scale.astype(np.float32)


def to_float_type(
    array: npt.NDArray[np.float32], stored_as: FloatType
) -> npt.NDArray[np.float32] | npt.NDArray[np.float16] | npt.NDArray[np.uint16]:
    """Round to a float type; bfloat16 comes as its bits, since numpy does not know it."""
    if stored_as == "float32":
        return array
    if stored_as == "float16":
        return array.astype(np.float16)
    bits = np.ascontiguousarray(array).view(np.uint32).astype(np.uint64)
    # Round to nearest, ties to even: add just under half of the last kept place, and its own bit.
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
