# mypy: ignore-errors
"""The largest of many similarities, and their order, without comparing each with each."""

from __future__ import annotations

import numpy as np

from ...jit.compiling import LOWEST, part
from ...jit.compiling import number as _f

BUCKETS = 512


@part
def keep_largest(near, codes, size, limit, histogram):
    """Keep ``limit`` of the largest similarities, or a few more; returns how many, and a floor.

    What lies below the floor is not among them.
    """
    histogram[:] = 0
    for n in range(size):
        histogram[bucket_of(near[n])] += 1
    kept, minimum = 0, BUCKETS
    while minimum > 0 and kept < limit:
        minimum -= 1
        kept += histogram[minimum]
    floor = _f(minimum) * _f(2.0 / BUCKETS) - _f(1) if kept < 2 * limit else LOWEST
    at = 0
    for n in range(size):
        near[at], codes[at] = near[n], codes[n]
        at += np.int64(near[n] >= floor)
    return min(at, 2 * limit), floor


@part
def nearly_sort(values, size, histogram, order):
    """Places of values, the largest first up to a five hundredth of what lies between them."""
    lowest, highest = _f(3.0e38), LOWEST
    for n in range(size):
        lowest, highest = min(lowest, values[n]), max(highest, values[n])
    scale = _f(BUCKETS - 1) / max(highest - lowest, _f(1e-6))
    histogram[:] = 0
    for n in range(size):
        order[n] = n
        histogram[whole_below((highest - values[n]) * scale, BUCKETS)] += 1
    before = 0
    for bucket in range(BUCKETS):
        before, histogram[bucket] = before + histogram[bucket], before
    for n in range(size):
        # Should rounding give another bucket than before, places are still those of values.
        bucket = whole_below((highest - values[n]) * scale, BUCKETS)
        order[min(histogram[bucket], size - 1)] = n
        histogram[bucket] += 1


@part
def sort_out(values, size, order):
    """Put into full order what is nearly in it: most are, and others have not far to go."""
    for n in range(1, size):
        place, at = order[n], n
        value = values[place]
        while at > 0 and values[order[at - 1]] < value:
            order[at] = order[at - 1]
            at -= 1
        order[at] = place


@part
def bucket_of(similarity):
    """Place of a cosine in a histogram of BUCKETS equal parts of -1 to 1."""
    return whole_below((similarity + _f(1)) * _f(BUCKETS / 2), BUCKETS)


@part
def whole_below(value, limit):
    """A number as a place in an array of so many, whatever it is: also if it is none (NaN)."""
    return min(max(np.int64(value), 0), limit - 1)
