# mypy: ignore-errors
"""How the inner loops are compiled: by numba when first used, and kept (:mod:`.caching`)."""

from __future__ import annotations

import logging
import threading

import numpy as np
from numba import njit
from numba.core import event

from .caching import KernelCache, can_be_written, places
from .readiness import THREAD

logger = logging.getLogger(__name__)

number = np.float32
LOWEST = number(-3.0e38)
# The name of each kernel that was compiled in this process, rather than found.
COMPILED = []


def _compiler(**options):
    def compile_later(function):
        chosen = {"nogil": True, "fastmath": True, "error_model": "numpy", **options}
        dispatcher = njit(**chosen)(function)
        dispatcher._cache = KernelCache(function)
        _OURS.add(dispatcher)
        return dispatcher

    return compile_later


class _Compilations(event.Listener):
    """Notes what is compiled, and tells people why the first searches take longer."""

    def on_start(self, event):
        """Note a kernel of ours, and say why it takes long before the first."""
        dispatcher = event.data["dispatcher"]
        if dispatcher not in _OURS:
            return
        if not COMPILED:
            _say_so()
        COMPILED.append(dispatcher.py_func.__name__)

    def on_end(self, event):
        """Nothing is of interest."""


def _say_so():
    kept = any(can_be_written(place) for place in places())
    beside = threading.current_thread().name == THREAD
    logger.warning(
        "compiling the search kernels for this machine: half a minute, once%s%s",
        "" if kept else " a process, as no cache can be written (set LFM2_COLBERT_CACHE)",
        "; searches are slower meanwhile (`lfm2-colbert warm` does it ahead)" if beside else "",
    )


_OURS = set()
kernel = _compiler()
# Sums in the order in which they are written, to the last bit.
exact_kernel = _compiler(fastmath=False)
# Parts of kernels: a call with a dozen arrays would take longer than what is done with them.
part = _compiler(forceinline=True)
exact_part = _compiler(forceinline=True, fastmath=False)
event.register("numba:compile", _Compilations())
