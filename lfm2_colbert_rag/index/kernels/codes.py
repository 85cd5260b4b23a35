# mypy: ignore-errors
"""How the codes and the levels of stored vectors are read.

``lanes`` and ``planes`` are tuples as long as a packed residual is wide and as its bytes hold
coordinates. Their lengths are known when a kernel is compiled, which lets the loops over
dimensions be unrolled: four times faster than with a width that is only known when it runs.
"""

from __future__ import annotations

import numpy as np

from .compiling import part

CODE_MASK = (1 << 19) - 1
CODE_BITS = 19


@part
def joint_at(codes, at):
    """Code and step of one vector, still together."""
    return np.int64(codes[at, 0]) | (np.int64(codes[at, 1]) << 8) | (np.int64(codes[at, 2]) << 16)
