"""Answers that are asked for again and again, remembered."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


class RecentRows:
    """The arrays of rows that were found last, by what was asked; safe to use from many threads.

    Args:
        entries: how many answers are kept at most.
        limit: how many bytes all of them may take; a larger answer is not kept.

    Example:
        >>> recent = RecentRows()
        >>> recent.get("lang = es", lambda: np.array([3, 5])).tolist()
        [3, 5]
    """

    def __init__(self, entries: int = 16, limit: int = 64 << 20) -> None:
        self._entries = entries
        self._limit = limit
        self._bytes = 0
        self._kept: OrderedDict[Hashable, Rows] = OrderedDict()
        self._changing = threading.Lock()

    def __len__(self) -> int:
        """Return the number of answers that are kept."""
        return len(self._kept)

    def get(self, key: Hashable, find: Callable[[], Rows]) -> Rows:
        """Return what is known under a key, or find it.

        Args:
            key: whatever decides the answer, all of it.
            find: works the answer out; called without the lock, so that nobody waits for it.

        Returns:
            ``(n,)`` int64, read-only, since others get the same array.
        """
        with self._changing:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        rows = find()
        rows.flags.writeable = False
        with self._changing:
            self._keep(key, rows)
        return rows

    def _keep(self, key: Hashable, rows: Rows) -> None:
        if key in self._kept or rows.nbytes > self._limit:
            return
        self._kept[key] = rows
        self._bytes += rows.nbytes
        while len(self._kept) > self._entries or self._bytes > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes
