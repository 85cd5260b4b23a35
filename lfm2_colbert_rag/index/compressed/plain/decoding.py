"""Stored vectors decoded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...array_types import FloatArray
from ..codec import unpack_centroids, unpack_codes
from ..structs import Source
from .members import AT_ONCE, centroids_of, lengths_of, levels_in_steps, unpack

_LOOKED_AT = 1 << 20


def codes_below(codes: npt.NDArray[np.uint8], limit: int) -> bool:
    """Tell whether all vectors name one of so many centroids."""
    return all(
        int(unpack_centroids(codes[start : start + _LOOKED_AT]).max()) < limit
        for start in range(0, len(codes), _LOOKED_AT)
    )


def decode_many(source: Source, start: int, end: int, out: FloatArray) -> None:
    """Consecutive vectors; those of known length are given it."""
    for first in range(start, end, AT_ONCE):
        last = min(end, first + AT_ONCE)
        out[first - start : last - start] = _decoded(source, slice(first, last))


def _decoded(source: Source, at: slice) -> FloatArray:
    codes, steps = unpack_codes(source.codes[at])
    values, scales = centroids_of(source, codes)
    vectors: FloatArray = unpack(source.packed[at], levels_in_steps(8 // len(source.planes)))
    vectors *= source.steps[steps][:, None]
    vectors += values[:, : vectors.shape[1]] * scales[:, None]
    if len(source.lengths):
        found = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        vectors *= (lengths_of(source, at) / np.maximum(found, np.float32(1e-12)))[:, None]
    return vectors
