"""How many requests a second a key may make."""

from __future__ import annotations

import math
from collections.abc import Callable

from cachetools import LRUCache

from .problems import Problem

_KEPT = 10_000  # keys


class Rates:
    """Token buckets (Turner, 1986), one a key; belongs to one event loop.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(_KEPT)

    def take(self, key: str, rate: float) -> None:
        """Count a request.

        Args:
            key: whose.
            rate: how many a second it may make; twice as many at once.

        Raises:
            Problem: these are too many.
        """
        now, burst = self._clock(), max(1.0, 2 * rate)
        left, since = self._buckets.get(key, (burst, now))
        left = min(burst, left + (now - since) * rate)
        if left < 1:
            self._buckets[key] = left, now
            raise Problem("rate-limited", retry_after=max(1, math.ceil((1 - left) / rate)))
        self._buckets[key] = left - 1, now
