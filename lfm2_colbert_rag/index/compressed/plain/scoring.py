"""MaxSim over vectors that are rebuilt in whole numbers, as the kernels rebuild them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...._support.products import product
from ...array_types import FloatArray, IntArray
from ...maxsim import blocks
from ..codec import unpack_codes
from ..structs import Source
from ..whole_levels import FULL, SHIFTS, WHOLE, largest_scale, largest_step
from .members import AT_ONCE, centroids_of, lengths_of, members, unpack, wide_levels

_SMALLEST = np.float32(1e-12)


def score_windows(
    query: FloatArray, source: Source, starts: IntArray, lengths: IntArray, out: FloatArray
) -> None:
    """MaxSim of windows.

    All products of whole numbers, and their sums, are far below 2**53: float64 has them without
    error, so that a score does not depend on what is scored together with it.
    """
    norms = np.maximum(np.sqrt(np.einsum("ij,ij->i", query, query)), _SMALLEST)
    asked = np.rint(query * (np.float32(FULL) / norms)[:, None]).astype(np.float64)
    units = norms / np.float32(FULL)
    for part in blocks(lengths, AT_ONCE):
        at, firsts = members(starts[part], lengths[part])
        vectors, factors = _rebuilt(source, at)
        found = product(vectors.astype(np.float64), asked.T).astype(np.float32)
        found *= factors[:, None]
        out[part] = (np.maximum.reduceat(found, firsts, axis=0) * units).sum(axis=1)


def _rebuilt(
    source: Source, at: IntArray
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.floating]]:
    """Return vectors in whole numbers, and what to multiply each with."""
    nbits = 8 // len(source.planes)
    codes, steps = unpack_codes(source.codes[at])
    values, scales = centroids_of(source, codes)
    near = scales * np.float32(largest_scale(nbits))
    far = source.steps[steps] * np.float32(largest_step(nbits))
    # As many parts as let the largest coordinate fit that there may be.
    parts = np.minimum(np.float32(FULL) / np.maximum(near + far, _SMALLEST), np.float32(WHOLE))
    rest = unpack(source.packed[at], wide_levels(nbits))
    middle = values[:, : rest.shape[1]].astype(np.int32)
    middle <<= SHIFTS[nbits]
    vectors = _scaled(middle, near * parts)
    vectors += _scaled(rest, far * parts)
    if not len(source.lengths):
        return vectors, np.float32(1) / parts
    squared = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    found = np.sqrt(np.maximum(squared, 1)).astype(np.float32)
    return vectors, np.asarray(lengths_of(source, at) / found)


def _scaled(values: npt.NDArray[np.int32], factors: FloatArray) -> npt.NDArray[np.int32]:
    """Multiply numbers of 16 bits with factors in parts of 2**15, in place, rounded."""
    values *= np.rint(factors).astype(np.int32)[:, None]
    values += 1 << 14
    values >>= 15
    return values
