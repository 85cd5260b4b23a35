"""How much float32 may lose of a MaxSim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...types import TokenMatrix
from ..array_types import FloatArray

_EPSILON = float(np.finfo(np.float32).eps)


def rounding_errors(queries: Sequence[TokenMatrix]) -> FloatArray:
    """Return by how much two float32 sums for one MaxSim may differ, for vectors of length 1.

    A sum of n products is off by n times half the epsilon of what the sizes of the products add up
    to, at most, in whichever order (Higham, "Accuracy and Stability of Numerical Algorithms",
    section 3.1); two of them by twice that.

    Args:
        queries: ``(query tokens, dim)`` float32 each.

    Returns:
        ``(queries,)`` float32.
    """
    return np.array(
        [
            (sum(query.shape) + 8) * _EPSILON * float(np.linalg.norm(query, axis=1).sum())
            for query in queries
        ],
        np.float32,
    )
