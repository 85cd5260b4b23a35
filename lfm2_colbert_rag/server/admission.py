"""Who may do something now, who waits, and who is told to come back: fair between callers."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from .problems import Problem
from .reading import ClientGone, Receive, until_gone

_SMOOTHING = 0.1  # what the last turn counts in how long one takes


class Admission:
    """Lets so many do something at once, and so many more wait; belongs to one event loop.

    Callers who wait take turns: one with a hundred requests does not hold up another with one. A
    place in the queue is given up when its owner leaves, or has waited too long.

    Args:
        most: at once.
        queue: how many may wait; of one caller half of them.
        seconds: how long.
    """

    def __init__(self, most: int, queue: int, seconds: float) -> None:
        self._most, self._queue, self._seconds = most, queue, seconds
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._usual = 0.05  # seconds of a turn
        self.running = 0
        self.waiting = 0

    @asynccontextmanager
    async def turn(self, caller: str, receive: Receive | None = None) -> AsyncIterator[None]:
        """Wait for a turn, and hold it as long as the block lasts.

        Args:
            caller: whose turn.
            receive: of a request whose body was read, to notice that its owner has left.

        Raises:
            Problem: there is no room, or the turn did not come in time.
            ClientGone: whoever asked has left meanwhile.
        """
        if self.running < self._most and not self.waiting:
            self.running += 1
        else:
            await self._wait(caller, receive)
        began = time.monotonic()
        try:
            yield
        finally:
            self._usual += _SMOOTHING * (time.monotonic() - began - self._usual)
            self.running -= 1
            self._admit()

    @property
    def retry_after(self) -> int:
        """Seconds after which the queue of now is empty."""
        return max(1, math.ceil(self.waiting * self._usual / self._most))

    async def _wait(self, caller: str, receive: Receive | None) -> None:
        own = self._waiting.setdefault(caller, deque())
        if self.waiting >= self._queue or len(own) >= max(1, self._queue // 2):
            if not own:
                del self._waiting[caller]
            raise Problem("overloaded", retry_after=self.retry_after)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        own.append(turn)
        self.waiting += 1
        watch = None if receive is None else asyncio.ensure_future(until_gone(receive))
        try:
            both = {turn} if watch is None else {turn, watch}
            await asyncio.wait(both, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            self._give_up(caller, turn)
            raise
        finally:
            if watch is not None:
                gone = watch.done()
                watch.cancel()
        if turn.done():
            return
        self._give_up(caller, turn)
        if watch is not None and gone:
            raise ClientGone
        raise Problem("overloaded", retry_after=self.retry_after)

    def _give_up(self, caller: str, turn: asyncio.Future[None]) -> None:
        if turn.done():  # it came in the same instant: on to the next
            self.running -= 1
            self._admit()
            return
        turn.cancel()
        with suppress(KeyError, ValueError):
            self._waiting[caller].remove(turn)
            self.waiting -= 1
            if not self._waiting[caller]:
                del self._waiting[caller]

    def _admit(self) -> None:
        while self.running < self._most and self._waiting:
            caller, own = next(iter(self._waiting.items()))
            turn = own.popleft()
            if own:
                self._waiting.move_to_end(caller)
            else:
                del self._waiting[caller]
            self.waiting -= 1
            self.running += 1
            turn.set_result(None)
