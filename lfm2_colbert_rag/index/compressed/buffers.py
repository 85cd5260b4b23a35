"""Arrays that are used for a moment, and used again."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._support.forking import renew_in_child


class BufferPool:
    """Arrays that a search needs for a moment, kept for the next one; safe to share.

    Example:
        >>> pool = BufferPool()
        >>> votes = pool.borrow(3, np.float32)
        >>> pool.give_back(votes)
        >>> pool.borrow(3, np.float32) is votes
        True
    """

    def __init__(self) -> None:
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Begin anew: another thread of the parent may hold the lock."""
        self._free: dict[tuple[int, str], list[npt.NDArray[Any]]] = {}
        self._lock = threading.Lock()

    def borrow(self, size: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Give an array, all 0 unless it was given back otherwise."""
        with self._lock:
            free = self._free.get((size, np.dtype(dtype).str))
            if free:
                return free.pop()
        return np.zeros(size, dtype)

    def give_back(self, *arrays: npt.NDArray[Any]) -> None:
        """Take back what was borrowed."""
        with self._lock:
            for array in arrays:
                self._free.setdefault((len(array), array.dtype.str), []).append(array)
