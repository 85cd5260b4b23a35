"""Clocks, percentiles, and who comes when in a comparison."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Clock:
    """Adds up the seconds that are spent inside ``with``, on the clock and on the processor.

    Example:
        >>> clock = Clock()
        >>> with clock:
        ...     total = sum(range(1000))
        >>> clock.seconds >= 0 and clock.cpu_seconds >= 0
        True
    """

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0

    def __enter__(self) -> Clock:
        self._began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds += time.perf_counter() - self._began[0]
        self.cpu_seconds += time.process_time() - self._began[1]


def percentiles(seconds: Sequence[float], percents: Iterable[int] = (50, 95)) -> dict[str, float]:
    """Return percentiles in milliseconds, by the names that a result has for them.

    Example:
        >>> percentiles([0.001, 0.002, 0.003], (50,))
        {'p50_ms': 2.0}
    """
    return {f"p{one}_ms": float(np.percentile(seconds, one)) * 1e3 for one in percents}


def in_turn(who: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Yield everybody once a round, every other round backwards: what drifts hits all alike.

    Example:
        >>> list(in_turn("ab", 2))
        [(0, 'a'), (0, 'b'), (1, 'b'), (1, 'a')]
    """
    for number in range(rounds):
        for one in who[:: -1 if number % 2 else 1]:
            yield number, one
