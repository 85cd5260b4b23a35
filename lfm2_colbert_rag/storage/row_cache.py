"""The rows that filters found last, each filter's in the newest generation that was asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from cachetools import LRUCache

from .._support.forking import renew_in_child

if TYPE_CHECKING:
    from .matching import Matched

# Bytes of a key and of what Python keeps around an array, about.
_OVERHEAD = 1 << 10


class RowCache:
    """An LRU cache of what was found, by what was asked; safe to use from many threads.

    Args:
        limit: bytes that all of it may take; a larger array is not kept.

    Example:
        >>> from lfm2_colbert_rag.storage.matching import Matched
        >>> import numpy as np
        >>> cache = RowCache()
        >>> cache.get("lang = es", 7, lambda known: Matched(7, np.array([3, 5]), 9)).rows.tolist()
        [3, 5]
    """

    def __init__(self, limit: int = 64 << 20) -> None:
        self._limit = limit
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Begin anew: another thread of the parent may have been about to change the cache."""
        self._kept: LRUCache[Hashable, Matched] = LRUCache(self._limit, getsizeof=_size)
        self._changing = threading.Lock()

    def __len__(self) -> int:
        """Return the number of arrays that are kept."""
        return len(self._kept)

    def get(
        self, key: Hashable, generation: int, find: Callable[[Matched | None], Matched]
    ) -> Matched:
        """Return what is known under a key, or find it.

        Args:
            key: whatever decides the rows, but for the generation.
            generation: in which they are asked for.
            find: finds them, given those of a former generation where these are known; called
                without the lock, so that nobody waits for it.
        """
        with self._changing:
            known: Matched | None = self._kept.get(key)
        if known is not None and known.generation == generation:
            return known
        is_former = known is not None and known.generation < generation
        found = find(known if is_former else None)
        with self._changing:
            kept = self._kept.get(key)
            newer = kept is not None and kept.generation > generation
            if not newer and _size(found) <= self._kept.maxsize:
                self._kept[key] = found
        return found


def _size(found: Matched) -> int:
    """Return what an array takes; an empty one takes something, too."""
    return found.rows.nbytes + _OVERHEAD
