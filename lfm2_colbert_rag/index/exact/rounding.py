"""How much float32 may lose of a MaxSim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...types import TokenMatrix
from ..array_types import FloatArray, IntArray

_EPSILON = float(np.finfo(np.float32).eps)


def rounding_errors(queries: Sequence[TokenMatrix]) -> FloatArray:
    """Return :func:`lost_by_rounding` of queries.

    Args:
        queries: ``(query tokens, dim)`` float32 each.

    Returns:
        ``(queries,)`` float32.
    """
    ends = np.cumsum([len(query) for query in queries])
    lengths = summed_lengths(np.concatenate(queries), ends)
    return lost_by_rounding(lengths, ends, queries[0].shape[1])


def lost_by_rounding(lengths: npt.NDArray[np.float64], ends: IntArray, dim: int) -> FloatArray:
    """Return by how much two float32 sums for one MaxSim may differ, for vectors of length 1.

    A sum of n products is off by n times half the epsilon of what the sizes of the products add up
    to, at most, in whichever order (Higham, "Accuracy and Stability of Numerical Algorithms",
    section 3.1); two of them by twice that.

    Args:
        lengths: ``(queries,)`` what the lengths of each query's vectors sum up to.
        ends: ``(queries,)`` where each query's vectors end.
        dim: width of the vectors.

    Returns:
        ``(queries,)`` float32.
    """
    counts = ends.copy()
    counts[1:] -= ends[:-1]
    return ((counts + (dim + 8)) * _EPSILON * lengths).astype(np.float32)


def summed_lengths(vectors: FloatArray, ends: IntArray) -> npt.NDArray[np.float64]:
    """Add up the lengths of the vectors that belong to each query, one number after the other.

    Kernels add up in the same order, so that they find the same bits.

    Args:
        vectors: ``(at least ends[-1], dim)``.
        ends: ``(queries,)`` where each query's vectors end.
    """
    squares = vectors[: ends[-1]].astype(np.float64) ** 2
    lengths = np.sqrt(np.cumsum(squares, axis=1)[:, -1])
    owners = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return np.bincount(owners, lengths, minlength=len(ends)).astype(np.float64, copy=False)
