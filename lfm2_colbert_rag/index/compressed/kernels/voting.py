# mypy: ignore-errors
"""Votes of the inverted lists of near centroids."""

from __future__ import annotations

import numpy as np

from ...jit import simd
from ...jit.compiling import kernel
from ...jit.compiling import number as _f
from .sorting import BUCKETS, whole_below

AHEAD = 8  # lists that are fetched before they are walked
SHORT = (None,)  # chunks within a line


@kernel
def vote(first, last, near, lists, touched, votes):
    """Add what each query vector finds in the lists of its centroids to the windows' votes.

    Lists are walked best first, so a window's first touch by a query vector is its largest
    similarity. ``touched`` holds the last query vector that touched a window, above all of them for
    windows that must not be found.
    """
    ids, sims, found = near
    starts, listed = lists.starts, lists.listed
    for i in range(first, last):
        floor = sims[i, found[i] - 1] if found[i] else _f(0)
        for n in range(found[i]):
            ahead = starts[ids[i, min(n + AHEAD, found[i] - 1)]]
            simd.prefetch(listed, np.int64(ahead), SHORT)
            gain = sims[i, n] - floor
            code = ids[i, n]
            for entry in range(starts[code], starts[code + 1]):
                window = listed[entry]
                # Without a branch, which the machine could not foresee.
                votes[window] += gain if touched[window] < i else _f(0)
                touched[window] = max(touched[window], i)


@kernel
def select(votes, limit, highest, windows, gains):
    """Collect the windows with most votes, at least ``limit`` of them if so many have any.

    Sets all votes back to 0. Returns how many were collected; where there is not room for all, some
    of those with fewest votes are left out.
    """
    histogram = np.zeros(BUCKETS, np.int64)
    scale = _f(BUCKETS) / max(highest, _f(1e-6))
    for w in range(len(votes)):
        if votes[w] > 0:
            histogram[whole_below(votes[w] * scale, BUCKETS)] += 1
    kept, above, floor = 0, 0, BUCKETS
    while floor > 0 and kept < limit:
        floor -= 1
        above = kept
        kept += histogram[floor]
    at, spare = 0, len(windows) - above
    for w in range(len(votes)):
        if votes[w] > 0:
            bucket = whole_below(votes[w] * scale, BUCKETS)
            if at < len(windows) and (bucket > floor or (bucket == floor and spare > 0)):
                windows[at] = w
                gains[at] = votes[w]
                at += 1
                spare -= bucket == floor
            votes[w] = 0
    return at
