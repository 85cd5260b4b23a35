"""Products of large matrices, which no fork may fall into."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .forking import NO_FORK


def product(left: npt.ArrayLike, right: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return the matrix product, as ``left @ right``.

    The libraries behind it (OpenBLAS, for one) end their threads when the process forks, and a
    product that another thread was in the midst of never ends then, in the parent itself.

    Example:
        >>> product([[1, 2]], [[3], [4]]).tolist()
        [[11]]
    """
    with NO_FORK:
        return np.asarray(left) @ np.asarray(right)
