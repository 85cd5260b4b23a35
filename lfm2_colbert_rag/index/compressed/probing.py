"""Which centroids each query vector is near, without looking at all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...types import TokenMatrix
from ..array_types import FloatArray
from ..jit import CHUNK, OFFSET, TOGETHER
from ..workers import even_parts, in_parallel, thread_count
from .probes import Probes
from .structs import Probed, Query, Shape

if TYPE_CHECKING:
    from .codebook import Codebook
    from .ways import Kernels

# Lengths so near to 1 are those of unit vectors.
_UNIT, _SMALLEST = 0.01, np.float32(1e-12)


def rotate_query(kernels: Kernels, codebook: Codebook, query: TokenMatrix) -> TokenMatrix:
    """Rotate a query like the vectors of a codebook, ``(rows, padded)`` float32."""
    # What an encoder keeps may not be written, and would be of another type.
    padded = np.require(codebook.codec.pad(query), requirements=["C", "W"])
    rotated = np.empty_like(padded)
    kernels.multiply(padded, codebook.transposed, rotated)
    return rotated


def find_probes(
    kernels: Kernels, codebook: Codebook, query: TokenMatrix, nprobe: int, share: float
) -> Probes:
    """Find the nearest centroids of each query vector in its nearest coarse groups.

    Args:
        kernels: see :mod:`.ways`.
        codebook: the centroids.
        query: ``(rows, padded)`` float32, what :func:`rotate_query` returns.
        nprobe: centroids wanted for each vector.
        share: part of the coarse groups to look in.
    """
    rows, count = len(query), len(codebook.groups.directions)
    wanted = min(count, max(2, round(share * count)))
    limit = min(nprobe, len(codebook))
    ids, sims = np.zeros((rows, limit), np.int32), np.zeros((rows, limit), np.float32)
    near = Probed(ids, sims, np.zeros(rows, np.int64))
    whole = _in_bytes(kernels, query, codebook.codec.shape)
    # The kernel sorts cosines, and makes places of them. Vectors of other lengths are compared at
    # unit length, and those that are no numbers, should any come so far, as vectors of zeros.
    norms = np.sqrt(np.einsum("ij,ij->i", query, query))
    factors = None
    units, asked = query, whole
    if not (np.abs(norms - 1) <= _UNIT).all():
        factors = np.maximum(norms, _SMALLEST)
        factors[~np.isfinite(factors)] = 1
        units, asked = _finite(query / factors[:, None]), _shorter(whole, factors)
    in_parallel(
        kernels.probe,
        [
            (units[a:b], asked.take(a, b), codebook.grouped, wanted, near.take(a, b))
            for a, b in even_parts(rows, thread_count())
        ],
    )
    if factors is not None:
        sims *= factors[:, None]
    return Probes(query, whole, near)


def _shorter(query: Query, factors: FloatArray) -> Query:
    """Return a query in whole numbers with each of its rows divided by a factor."""
    units = query.units.copy()
    units[: len(factors)] /= factors
    return Query(query.whole, _finite(units))


def _finite(numbers: FloatArray) -> FloatArray:
    return np.nan_to_num(numbers, nan=0.0, posinf=0.0, neginf=0.0)


def _in_bytes(kernels: Kernels, query: TokenMatrix, shape: Shape) -> Query:
    """Return a query in whole numbers."""
    together = -(-len(query) // TOGETHER) * TOGETHER
    width = CHUNK * len(shape.chunks)
    whole = Query(np.full((together, width), OFFSET, np.uint8), np.zeros(together, np.float32))
    kernels.to_bytes(query, whole)
    return whole
