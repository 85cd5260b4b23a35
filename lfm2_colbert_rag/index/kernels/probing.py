# mypy: ignore-errors
"""The centroids nearest to query vectors, and the votes of their lists."""

from __future__ import annotations

import numpy as np

from . import simd
from .compiling import LOWEST, kernel, part
from .compiling import number as _f

BUCKETS = 512
AHEAD = 8  # lists that are fetched before they are walked
SHORT = (None,)  # chunks within a line


@kernel
def probe(
    query, whole, unit, groups, wanted, bounds, centroids, scales, chunks, most, ids, sims, found
):
    """The best centroids of each query vector, best first, among those of its coarse groups.

    The query comes as int16 as well, each row in parts of its ``unit``. Its ``wanted`` nearest
    groups are looked at nearest first, so that what is worth keeping is soon known.
    """
    nearest = np.empty(wanted, np.int64)
    dots = np.empty(simd.TOGETHER, np.int32)
    histogram = np.empty(BUCKETS, np.int32)
    room = 2 * most + 2 * simd.TOGETHER
    codes, near = np.empty(room, np.int32), np.empty(room, np.float32)
    ordered_codes, ordered = np.empty(room, np.int32), np.empty(room, np.float32)
    for i in range(len(query)):
        kept, floor = 0, LOWEST
        nearest_groups(query[i], groups, nearest)
        for g in nearest:
            c = bounds[g]
            while c < bounds[g + 1]:
                together = 1
                if c + simd.TOGETHER <= bounds[g + 1]:
                    together = simd.TOGETHER
                    simd.dots(whole, i, centroids, c, dots, chunks)
                else:
                    dots[0] = simd.dot(whole, i, centroids, c, chunks)
                for n in range(together):
                    similarity = _f(dots[n]) * scales[c + n] * unit[i]
                    # Without a branch, which the machine could not foresee.
                    near[kept], codes[kept] = similarity, c + n
                    kept += np.int64(similarity > floor)
                c += together
                if kept > room - 2 * simd.TOGETHER:
                    kept, floor = keep_largest(near, codes, kept, most, histogram)
        if kept > most + most // 8:
            kept, floor = keep_largest(near, codes, kept, most, histogram)
        found[i] = take_best(
            near, codes, kept, most, histogram, ordered, ordered_codes, ids[i], sims[i]
        )


@kernel
def multiply(left, right, out):
    """Products of all rows of one matrix with all rows of another.

    A few rows only: for them a library for matrices starts threads that go on waiting for more
    work, in the way of those of the search.
    """
    for i in range(len(left)):
        for j in range(len(right)):
            dot = _f(0)
            for d in range(left.shape[1]):
                dot += left[i, d] * right[j, d]
            out[i, j] = dot


@part
def nearest_groups(vector, groups, nearest):
    """Fill in the groups of largest product with a vector, the nearest first."""
    near = np.empty(len(nearest), np.float32)
    size = 0
    for g in range(len(groups)):
        dot = _f(0)
        for d in range(len(vector)):
            dot += vector[d] * groups[g, d]
        if size == len(nearest) and dot <= near[size - 1]:
            continue
        at = min(size, len(nearest) - 1)
        while at > 0 and near[at - 1] < dot:
            near[at], nearest[at] = near[at - 1], nearest[at - 1]
            at -= 1
        near[at], nearest[at] = dot, g
        size = min(size + 1, len(nearest))


@part
def keep_largest(near, codes, size, most, histogram):
    """Keep ``most`` of the largest similarities, or a few more; returns how many, and a floor.

    What lies below the floor is not among them.
    """
    histogram[:] = 0
    for n in range(size):
        histogram[bucket_of(near[n])] += 1
    kept, least = 0, BUCKETS
    while least > 0 and kept < most:
        least -= 1
        kept += histogram[least]
    floor = _f(least) * _f(2.0 / BUCKETS) - _f(1) if kept < 2 * most else LOWEST
    at = 0
    for n in range(size):
        near[at], codes[at] = near[n], codes[n]
        at += np.int64(near[n] >= floor)
    return min(at, 2 * most), floor


@part
def take_best(near, codes, size, most, histogram, sorted_near, sorted_codes, ids, sims):
    """Write the largest similarities, largest first; returns how many.

    First they are counted by bucket, which tells nearly where each belongs.
    """
    lowest, highest = _f(3), _f(-3)
    for n in range(size):
        lowest, highest = min(lowest, near[n]), max(highest, near[n])
    scale = _f(BUCKETS - 1) / max(highest - lowest, _f(1e-6))
    histogram[:] = 0
    for n in range(size):
        histogram[np.int64((highest - near[n]) * scale)] += 1
    before = 0
    for bucket in range(BUCKETS):
        before, histogram[bucket] = before + histogram[bucket], before
    for n in range(size):
        bucket = np.int64((highest - near[n]) * scale)
        at = histogram[bucket]
        histogram[bucket] += 1
        sorted_near[at], sorted_codes[at] = near[n], codes[n]
    # Those of one bucket, hardly ever more than a few, are still out of order.
    for n in range(1, size):
        similarity, code, at = sorted_near[n], sorted_codes[n], n
        while at > 0 and sorted_near[at - 1] < similarity:
            sorted_near[at], sorted_codes[at] = sorted_near[at - 1], sorted_codes[at - 1]
            at -= 1
        sorted_near[at], sorted_codes[at] = similarity, code
    count = min(size, most)
    for n in range(count):
        ids[n], sims[n] = sorted_codes[n], sorted_near[n]
    return count


@part
def bucket_of(similarity):
    """Place of a cosine in a histogram of BUCKETS equal parts of -1 to 1."""
    return min(max(np.int64((similarity + _f(1)) * _f(BUCKETS / 2)), 0), BUCKETS - 1)


@kernel
def vote(first, last, ids, sims, found, starts, listed, touched, votes):
    """Add what each query vector finds in the lists of its centroids to the windows' votes.

    Lists are walked best first, so a window's first touch by a query vector is its largest
    similarity. ``touched`` holds the last query vector that touched a window, above all of them for
    windows that must not be found.
    """
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
def select(votes, most, highest, windows, gains):
    """Collect the windows with most votes, at least ``most`` of them if so many have any.

    Sets all votes back to 0. Returns how many were collected; where there is not room for all, some
    of those with fewest votes are left out.
    """
    histogram = np.zeros(BUCKETS, np.int64)
    scale = _f(BUCKETS) / max(highest, _f(1e-6))
    for w in range(len(votes)):
        if votes[w] > 0:
            histogram[min(np.int64(votes[w] * scale), BUCKETS - 1)] += 1
    kept, above, floor = 0, 0, BUCKETS
    while floor > 0 and kept < most:
        floor -= 1
        above = kept
        kept += histogram[floor]
    at, spare = 0, len(windows) - above
    for w in range(len(votes)):
        if votes[w] > 0:
            bucket = min(np.int64(votes[w] * scale), BUCKETS - 1)
            if bucket > floor or (bucket == floor and spare > 0):
                windows[at] = w
                gains[at] = votes[w]
                at += 1
                spare -= bucket == floor
            votes[w] = 0
    return at
