# mypy: ignore-errors
"""How the inner loops are compiled: by numba when first used, kept in its cache.

A kernel is compiled again only when its own file has changed. After a change of a part that another
file's kernels use (:mod:`.simd`, ``codes``), touch those files.
"""

from __future__ import annotations

import numpy as np
from numba import njit

number = np.float32
LOWEST = number(-3.0e38)


def _compiler(**options):
    """Keep what is compiled where numba finds a place for it, beside this file or in its cache."""

    def compile_later(function):
        chosen = {"nogil": True, "fastmath": True, "error_model": "numpy", **options}
        try:
            return njit(cache=True, **chosen)(function)
        except RuntimeError:  # no folder can be written: compiled again by every process
            return njit(**chosen)(function)

    return compile_later


kernel = _compiler()
# Sums in the order in which they are written, to the last bit.
exact_kernel = _compiler(fastmath=False)
# Parts of kernels: a call with a dozen arrays would take longer than what is done with them.
part = _compiler(forceinline=True)
