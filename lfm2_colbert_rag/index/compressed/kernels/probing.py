# mypy: ignore-errors
"""The centroids nearest to query vectors."""

from __future__ import annotations

import numpy as np

from ...jit import simd
from ...jit.compiling import LOWEST, kernel, part
from ...jit.compiling import number as _f
from .sorting import BUCKETS, keep_largest, nearly_sort, sort_out


@kernel
def probe(query, in_bytes, grouped, wanted, nearest):
    """The best centroids of each query vector, best first, among those of its coarse groups.

    Each has its ``wanted`` nearest groups. A group is fetched once for all query vectors that it is
    near.
    """
    whole, unit = in_bytes
    directions, bounds, centroids, scales, chunks = grouped
    ids, sims, found = nearest
    limit = ids.shape[1]
    rows, room = len(query), 2 * limit + 2 * simd.TOGETHER
    codes, near = np.empty((rows, room), np.int32), np.empty((rows, room), np.float32)
    kept, floors = np.zeros(rows, np.int64), np.full(rows, LOWEST, np.float32)
    order, histogram = np.empty(max(room, len(directions)), np.int32), np.empty(BUCKETS, np.int32)
    block = np.empty(simd.TOGETHER, np.float32)
    firsts, askers = askers_of(query, directions, wanted, histogram, order)
    for g in range(len(directions)):
        first, end = bounds[g], bounds[g + 1]
        together = end - (end - first) % simd.TOGETHER
        for asker in range(firsts[g], firsts[g + 1]):
            i = np.int64(askers[asker])
            at, floor = kept[i], floors[i]
            for c in range(first, together, simd.TOGETHER):
                if simd.similar(whole, i, unit, centroids, scales, c, block, chunks) > floor:
                    for n in range(simd.TOGETHER):
                        # Without a branch, which the machine could not foresee.
                        near[i, at], codes[i, at] = block[n], c + n
                        at += np.int64(block[n] > floor)
                    if at > room - 2 * simd.TOGETHER:
                        at, floor = keep_largest(near[i], codes[i], at, limit, histogram)
            for c in range(together, end):
                similarity = _f(simd.dot(whole, i, centroids, c, chunks)) * scales[c] * unit[i]
                near[i, at], codes[i, at] = similarity, c
                at += np.int64(similarity > floor)
            if at > room - 2 * simd.TOGETHER:
                at, floor = keep_largest(near[i], codes[i], at, limit, histogram)
            kept[i], floors[i] = at, floor
    for i in range(rows):
        if kept[i] > limit + limit // 8:
            kept[i], _ = keep_largest(near[i], codes[i], kept[i], limit, histogram)
        nearly_sort(near[i], kept[i], histogram, order)
        sort_out(near[i], kept[i], order)
        found[i] = min(kept[i], limit)
        for n in range(found[i]):
            ids[i, n], sims[i, n] = codes[i, order[n]], near[i, order[n]]


@part
def askers_of(query, groups, wanted, histogram, order):
    """The query vectors of which each group is one of the nearest.

    Those of group g are ``askers[firsts[g] : firsts[g + 1]]``.
    """
    rows, firsts = len(query), np.zeros(len(groups) + 2, np.int64)
    nearest, near = np.empty((rows, wanted), np.int32), np.empty((rows, len(groups)), np.float32)
    multiply(query, groups, near)
    for i in range(rows):
        nearly_sort(near[i], len(groups), histogram, order)
        for n in range(wanted):
            nearest[i, n] = order[n]
            firsts[order[n] + 2] += 1
    for g in range(2, len(firsts)):
        firsts[g] += firsts[g - 1]
    askers = np.empty(rows * wanted, np.int32)
    for i in range(rows):
        for g in nearest[i]:
            askers[firsts[g + 1]] = i
            firsts[g + 1] += 1
    return firsts, askers


@kernel
def to_bytes(query, in_bytes):
    """Rows as bytes with OFFSET added, in parts of units: the largest coordinate has 127."""
    whole, units = in_bytes
    for i in range(len(query)):
        largest = _f(1e-12)
        for d in range(query.shape[1]):
            largest = max(largest, abs(query[i, d]))
        units[i] = largest / _f(127)
        for d in range(query.shape[1]):
            whole[i, d] = np.uint8(np.int32(np.rint(query[i, d] / units[i])) + simd.OFFSET)


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
