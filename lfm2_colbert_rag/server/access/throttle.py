"""How often each address may fail within a minute, in bounded memory."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import deque
from collections.abc import Callable

from cachetools import LRUCache

from ..._support.forking import renew_in_child

WINDOW = 60.0
_ADDRESSES = 10_000
_LONGEST = 64  # characters of what is no address, such as the name of a socket
_NETWORK = 64  # bits: one subscriber of IPv6 has as many addresses as he likes within them


class Throttle:
    """Counts failures; safe to use from several threads.

    Args:
        most: failures of one address within :data:`WINDOW` seconds.
        addresses: that are remembered; beyond, those that failed last.
        ticks: seconds; where they go back, what was counted is forgotten.
    """

    def __init__(
        self,
        most: int = 10,
        addresses: int = _ADDRESSES,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._ticks = ticks
        self._failures: LRUCache[str, deque[float]] = LRUCache(addresses)
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._counting = threading.Lock()

    def failed(self, remote: str) -> int | None:
        """Note a failure.

        Args:
            remote: the address.

        Returns:
            Seconds after which it may fail again if there were too many; such a failure is not
            counted. Otherwise None.
        """
        address, now = _origin(remote), self._ticks()
        with self._counting:
            times = self._failures.get(address)
            if times is None or times[-1] > now:
                times = deque(maxlen=self._most)
            self._failures[address] = times
            if len(times) == self._most and now - times[0] < WINDOW:
                return max(1, math.ceil(WINDOW - (now - times[0])))
            times.append(now)
        return None

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._failures)


def _origin(remote: str) -> str:
    """Return what an address is counted as."""
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return remote[:_LONGEST]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(int(address) >> (address.max_prefixlen - _NETWORK))
    return str(address)
