"""Threads that run kernels side by side; one pool for the whole process."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

_T = TypeVar("_T")


def thread_count() -> int:
    """Return how many threads a search may use: the processors that this process may run on.

    ``LFM2_COLBERT_THREADS`` sets another number.

    Raises:
        ConfigError: it is set to something else.
    """
    wanted = os.environ.get("LFM2_COLBERT_THREADS")
    if wanted:
        if not wanted.strip().isdecimal() or int(wanted) < 1:
            raise ConfigError(
                f"LFM2_COLBERT_THREADS must be a whole number of at least 1, not {wanted!r}; "
                f"unset it to use all processors."
            )
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_parallel(function: Callable[..., _T], parts: Sequence[tuple[object, ...]]) -> list[_T]:
    """Call a function once a part, in the calling thread and the pool's; results in order.

    What no thread has begun is done by the caller, who so never waits for a pool whose threads
    wait themselves: parts may well call this function again.

    Raises:
        Exception: what the first of the calls that failed raised.
    """
    if len(parts) <= 1 or thread_count() == 1:
        return [function(*part) for part in parts]
    pool = _pool(os.getpid(), thread_count())
    others = [pool.submit(function, *part) for part in parts[1:]]
    results = [function(*parts[0])]
    for part, other in zip(parts[1:], others, strict=True):
        results.append(function(*part) if other.cancel() else other.result())
    return results


def even_parts(size: int, parts: int) -> list[tuple[int, int]]:
    """Cut a range into consecutive parts of like size, none empty."""
    parts = max(1, min(parts, size))
    cuts = [size * part // parts for part in range(parts + 1)]
    return [(start, end) for start, end in itertools.pairwise(cuts) if start < end]


def balanced_parts(sizes: npt.NDArray[np.integer], least: int) -> list[tuple[int, int]]:
    """Cut items into consecutive parts of like total size, one a thread, none empty.

    Args:
        sizes: of the items.
        least: a part this small is not worth a thread.
    """
    worth = int(sizes.sum()) // max(1, least)
    parts = min(thread_count(), worth) if worth > 1 else 1
    cuts: list[int] = []
    if parts > 1:
        ends = np.cumsum(sizes)
        total = int(ends[-1])
        cuts = np.searchsorted(ends, [total * part // parts for part in range(1, parts)]).tolist()
    return [(a, b) for a, b in itertools.pairwise([0, *cuts, len(sizes)]) if a < b]


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """A pool of this process; a forked child gets its own."""
    del process
    return ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="lfm2-colbert-search")
