"""How long a client waits, and when it asks again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from .._support.validation import whole_number
from ..errors import ConfigError, shown
from .failures import AttemptError

_FIRST, _MOST = 0.1, 5.0  # seconds of a pause where the server names none
_CONNECT = 10.0


@dataclass(frozen=True)
class Patience:
    """How long a client waits.

    Attributes:
        timeout: seconds that a question may take, all attempts and pauses included.
        write_timeout: the same of what changes the index, which has to encode it first.
        retries: how often something is asked again at most.
    """

    timeout: float
    write_timeout: float
    retries: int

    @classmethod
    def of(cls, timeout: object, write_timeout: object, retries: object) -> Patience:
        """Check what a caller gave.

        Raises:
            ConfigError: no number of seconds above 0, or no whole number from 0 up.
        """
        times = whole_number(retries)
        if times is None or not 0 <= times <= 100:
            raise ConfigError(f"retries must be a whole number up to 100, not {shown(retries)}.")
        seconds = _check_seconds(timeout, "timeout")
        return cls(seconds, _check_seconds(write_timeout, "write_timeout"), times)

    def begin(self, *, writes: bool) -> Tries:
        """Begin to ask for something."""
        return Tries(self.retries, self.write_timeout if writes else self.timeout, writes)


class Tries:
    """The attempts of one call.

    What only reads is asked again whenever it may go better then. What changes the index is asked
    again only where the server has not begun with it: it was not reached, or it said that it is
    busy.
    """

    def __init__(self, retries: int, seconds: float, writes: bool) -> None:
        self._retries = retries
        self._end = time.monotonic() + seconds
        self._writes = writes
        self._done = 0

    @property
    def left(self) -> float:
        """How many seconds are left; never less than a moment."""
        return max(0.001, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._end

    def limits(self) -> dict[str, float]:
        """Return the timeouts of httpx for the next attempt."""
        left = self.left
        return {"connect": min(left, _CONNECT), "read": left, "write": left, "pool": left}

    def pause(self, failed: AttemptError) -> float:
        """Return how long to wait before the next attempt.

        Raises:
            LFM2ColBERTError: there is none.
        """
        again = failed.passing and not (self._writes and failed.begun)
        seconds = failed.after
        if seconds is None:
            seconds = min(_MOST, _FIRST * 2**self._done) * random.uniform(0.5, 1.0)
        if not again or self._done >= self._retries or seconds >= self.left:
            raise failed.error from failed.__cause__
        self._done += 1
        return seconds

    def renew(self, seconds: float) -> None:
        """Count from the beginning again, as there was progress."""
        self._done, self._end = 0, time.monotonic() + seconds


def _check_seconds(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise ConfigError(f"{name} must be a number of seconds above 0, not {shown(value)}.")
    return float(value)
