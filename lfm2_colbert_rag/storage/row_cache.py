"""An LRU cache of rows that filters found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from .._support.forking import renew_in_child

Rows = npt.NDArray[np.int64]

# Bytes of a key and of what Python keeps around an array, about.
_OVERHEAD = 1 << 10


class RowCache:
    """The arrays of rows that were found last, by what was asked; safe to use from many threads.

    Args:
        limit: bytes that all of them may take; a larger array is not kept.

    Example:
        >>> cache = RowCache()
        >>> cache.get("lang = es", lambda: np.array([3, 5])).tolist()
        [3, 5]
    """

    def __init__(self, limit: int = 64 << 20) -> None:
        self._limit = limit
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Begin anew: another thread of the parent may have been about to change the cache."""
        self._kept: LRUCache[Hashable, Rows] = LRUCache(self._limit, getsizeof=_size)
        self._changing = threading.Lock()

    def __len__(self) -> int:
        """Return the number of arrays that are kept."""
        return len(self._kept)

    def get(self, key: Hashable, find: Callable[[], Rows]) -> Rows:
        """Return what is known under a key, or find it.

        Args:
            key: whatever decides the rows, all of it.
            find: finds them; called without the lock, so that nobody waits for it.

        Returns:
            ``(n,)`` int64, read-only, since others get the same array.
        """
        with self._changing:
            known: Rows | None = self._kept.get(key)
        if known is not None:
            return known
        rows = find()
        rows.flags.writeable = False
        with self._changing:
            if _size(rows) <= self._kept.maxsize:
                self._kept[key] = rows
        return rows


def _size(rows: Rows) -> int:
    """Return what an array takes; an empty one takes something, too."""
    return rows.nbytes + _OVERHEAD
