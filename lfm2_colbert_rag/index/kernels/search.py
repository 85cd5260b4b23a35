# mypy: ignore-errors
"""Coding vectors, and the stages of a search over them.

These are in one module because numba compiles a kernel again only when its own file has changed.

``lanes`` and ``planes`` are tuples as long as a packed residual is wide and as its bytes hold
coordinates. Their lengths are known when a kernel is compiled, which lets the loops over
dimensions be unrolled: four times faster than with a width that is only known when it runs.
"""

from __future__ import annotations

import numpy as np

from . import simd
from .compiling import LOWEST, kernel, part
from .compiling import number as _f

CODE_MASK = (1 << 19) - 1
CODE_BITS = 19
BUCKETS = 512
# Vectors of a window that are looked at together.
BLOCK = 256
# By how much a vector can be nearer to a query vector than its coarse group is.
REACH = _f(0.3)


@part
def joint_at(codes, at):
    """Code and step of one vector, still together."""
    return np.int64(codes[at, 0]) | (np.int64(codes[at, 1]) << 8) | (np.int64(codes[at, 2]) << 16)


@part
def nearest(vector, centroids, scales, halves, first, last, dim):
    """The centroid of least distance: the largest dot product less half the squared length."""
    best, most = first, LOWEST
    for c in range(first, last):
        dot = _f(0)
        for j in range(dim):
            dot += vector[j] * _f(centroids[c, j])
        near = dot * scales[c] - halves[c]
        if near > most:
            best, most = c, near
    return best


@part
def rounding_error(residual, step, half, dim):
    """Squared error of a residual rounded to levels that lie one step apart."""
    inverse = _f(1) / step
    error = _f(0)
    for j in range(dim):
        scaled = residual[j] * inverse
        rest = scaled - (min(max(np.floor(scaled), -half), half - _f(1)) + _f(0.5))
        error += rest * rest
    return error * step * step


@kernel
def encode(
    vectors, firsts, lasts, centroids, scales, halves, numbers, steps, lanes, planes, codes, packed
):
    """Code, step and packed levels of vectors, each among the centroids [first, last).

    ``numbers`` are the centroids' codes. Returns the sum of the squared residuals.
    """
    width, count = len(lanes), len(planes)
    dim, nbits = width * count, 8 // count
    half = _f(1 << (nbits - 1))
    # The best step of a normal distribution, in deviations: Max, "Quantizing for minimum
    # distortion", 1960, table 2.
    ideal = _f(0.3352) if nbits == 4 else _f(0.9957)
    residual = np.empty(dim, np.float32)
    total = 0.0
    for t in range(len(vectors)):
        code = firsts[t]
        if lasts[t] - code > 1:
            code = nearest(vectors[t], centroids, scales, halves, code, lasts[t], dim)
        energy = _f(0)
        for j in range(dim):
            residual[j] = vectors[t, j] - _f(centroids[code, j]) * scales[code]
            energy += residual[j] * residual[j]
        total += energy
        deviation = max(np.sqrt(energy / _f(dim)), _f(1e-9))
        near = np.int64(np.floor(np.log2(deviation * ideal) * 4 + 31.5))
        best, least = 0, energy
        for s in range(max(1, near - 2), min(31, near + 2) + 1):
            error = rounding_error(residual, steps[s], half, dim)
            if error < least:
                best, least = s, error
        inverse = _f(1) / steps[best] if best else _f(0)
        for j in range(width):
            packed[t, j] = 0
        for p in range(count):
            for j in range(width):
                level = min(max(np.floor(residual[j + p * width] * inverse), -half), half - _f(1))
                packed[t, j] |= np.uint8(np.uint8(level + half) << (p * nbits))
        joint = numbers[code] | (best << CODE_BITS)
        codes[t, 0] = joint & 255
        codes[t, 1] = (joint >> 8) & 255
        codes[t, 2] = joint >> 16
    return total


@part
def decode(packed, centroid, scale, step, lanes, planes, vector):
    """One vector from its parts; returns its length."""
    width, count = len(lanes), len(planes)
    nbits = 8 // count
    low = step * (_f(0.5) - _f(1 << (nbits - 1)))
    mask = (1 << nbits) - 1
    for p in range(count):
        for j in range(width):
            level = np.int32((packed[j] >> (p * nbits)) & mask)
            at = j + p * width
            vector[at] = _f(centroid[at]) * scale + (_f(level) * step + low)
    length = _f(0)
    for j in range(width * count):
        length += vector[j] * vector[j]
    return np.sqrt(length)


@part
def decode_at(store, centroids, scales, extra, extra_scales, tables, lanes, planes, t, vector):
    """One stored vector; returns the factor that gives it its norm, or unit length.

    Without a table of lengths it is as long as it should be.
    """
    codes, packed, norms = store
    steps, lengths = tables
    joint = joint_at(codes, t)
    code = joint & CODE_MASK
    step = steps[joint >> CODE_BITS]
    if code < len(centroids):
        length = decode(packed[t], centroids[code], scales[code], step, lanes, planes, vector)
    else:
        code -= len(centroids)
        length = decode(packed[t], extra[code], extra_scales[code], step, lanes, planes, vector)
    if len(lengths) == 0:
        return _f(1)
    norm = lengths[norms[t]] if len(norms) else _f(1)
    return norm / max(length, _f(1e-12))


@kernel
def decode_many(
    store, centroids, scales, extra, extra_scales, tables, lanes, planes, start, end, out
):
    """Vectors at consecutive places."""
    for t in range(start, end):
        row = out[t - start]
        factor = decode_at(
            store, centroids, scales, extra, extra_scales, tables, lanes, planes, t, row
        )
        for j in range(len(row)):
            row[j] *= factor


@kernel
def score_windows(
    query,
    store,
    centroids,
    scales,
    extra,
    extra_scales,
    tables,
    lanes,
    planes,
    starts,
    lengths,
    out,
):
    """MaxSim of windows. The query's rows are a multiple of two, the last one zero if need be."""
    width, count = len(lanes), len(planes)
    dim = width * count
    rows = query.shape[0]
    vectors = np.zeros((4, dim), np.float32)
    factors = np.zeros(4, np.float32)
    best = np.empty(rows, np.float32)
    for w in range(len(starts)):
        for i in range(rows):
            best[i] = LOWEST
        end = starts[w] + lengths[w]
        for first in range(starts[w], end, 4):
            for k in range(4):
                ahead = joint_at(store[0], min(first + 4 + k, end - 1)) & CODE_MASK
                if ahead < len(centroids):
                    simd.prefetch(centroids, ahead)
                t = min(first + k, end - 1)
                factors[k] = decode_at(
                    store,
                    centroids,
                    scales,
                    extra,
                    extra_scales,
                    tables,
                    lanes,
                    planes,
                    t,
                    vectors[k],
                )
            for i in range(0, rows, 2):
                a0, a1, a2, a3 = _f(0), _f(0), _f(0), _f(0)
                b0, b1, b2, b3 = _f(0), _f(0), _f(0), _f(0)
                for j in range(dim):
                    x, y = query[i, j], query[i + 1, j]
                    a0 += x * vectors[0, j]
                    a1 += x * vectors[1, j]
                    a2 += x * vectors[2, j]
                    a3 += x * vectors[3, j]
                    b0 += y * vectors[0, j]
                    b1 += y * vectors[1, j]
                    b2 += y * vectors[2, j]
                    b3 += y * vectors[3, j]
                a = max(
                    max(a0 * factors[0], a1 * factors[1]), max(a2 * factors[2], a3 * factors[3])
                )
                b = max(
                    max(b0 * factors[0], b1 * factors[1]), max(b2 * factors[2], b3 * factors[3])
                )
                best[i] = max(best[i], a)
                best[i + 1] = max(best[i + 1], b)
        total = _f(0)
        for i in range(rows):
            total += best[i]
        out[w] = total


@kernel
def note_near(ids, sims, found, slots, starts, rows, near):
    """Turn what each query vector is near into what each centroid is near.

    A centroid's entry in ``slots``, 0 before, becomes its number from 1 on; the query vectors that
    number n is near are ``rows[starts[n] : starts[n + 1]]``, their similarities ``near`` there.
    """
    count = 0
    for i in range(len(ids)):
        for n in range(found[i]):
            code = ids[i, n]
            if slots[code] == 0:
                count += 1
                slots[code] = count
                starts[count + 1] = 0
            starts[slots[code] + 1] += 1
    starts[0], starts[1] = 0, 0
    for n in range(1, count + 1):
        starts[n + 1] += starts[n]
    at = starts[: count + 1].copy()
    for i in range(len(ids)):
        for n in range(found[i]):
            slot = slots[ids[i, n]]
            rows[at[slot]] = i
            near[at[slot]] = sims[i, n]
            at[slot] += 1


@kernel
def forget_near(ids, found, slots):
    """Wipe out the numbers that :func:`note_near` gave."""
    for i in range(len(ids)):
        for n in range(found[i]):
            slots[ids[i, n]] = 0


@part
def unpack_levels(packed, lanes, planes, levels):
    """The levels of a packed residual, counted from 0, as one row of int16."""
    width, count = len(lanes), len(planes)
    nbits = np.uint8(8 // count)
    mask = np.uint8((1 << nbits) - 1)
    for p in range(count):
        for j in range(width):
            level = np.uint8(packed[j] >> np.uint8(np.uint8(p) * nbits))
            levels[0, j + p * width] = np.int16(np.uint8(level & mask))


@kernel
def refine_windows(
    query,
    units,
    offsets,
    floors,
    margin,
    coarse,
    slots,
    pairs,
    source,
    chunks,
    starts,
    lengths,
    out,
):
    """MaxSim over those pairs of vectors whose centroid was found near, the rest at its floor.

    A vector whose centroid no query vector is near is not even looked at. The product with the
    centroid is known; that with the residual is one of whole numbers. What rounding did to the
    vector's length is passed over.

    A query vector whose best is less than ``margin`` above its floor may have missed a better one:
    it is compared with all vectors.
    """
    store, _, _, _, _, tables, lanes, planes = source
    codes, packed, norms = store
    steps, known_lengths = tables
    firsts, rows, near = pairs
    levels = np.zeros((1, simd.LANES * len(chunks)), np.int16)
    places, joints = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    best = np.empty(len(floors), np.float32)
    for w in range(len(starts)):
        best[:] = floors
        end = starts[w] + lengths[w]
        for first in range(starts[w], end, BLOCK):
            kept = 0
            for t in range(first, min(first + BLOCK, end)):
                joint = joint_at(codes, t)
                if slots[joint & CODE_MASK]:
                    simd.prefetch(packed, t)
                    places[kept], joints[kept] = t, joint
                    kept += 1
            for n in range(kept):
                t, slot = places[n], slots[joints[n] & CODE_MASK]
                unpack_levels(packed[t], lanes, planes, levels)
                step = steps[joints[n] >> CODE_BITS]
                norm = known_lengths[norms[t]] if len(norms) else _f(1)
                for pair in range(firsts[slot], firsts[slot + 1]):
                    i = np.int64(rows[pair])
                    dot = _f(simd.dot(query, i, levels, 0, chunks)) * units[i] + offsets[i]
                    best[i] = max(best[i], (near[pair] + dot * step) * norm)
        if margin > 0:
            compare_all(
                query, units, offsets, floors, margin, coarse, source, chunks,
                starts[w], end, levels, best,
            )  # fmt: skip
        out[w] = best.sum()


@part
def compare_all(
    query, units, offsets, floors, margin, coarse, source, chunks, start, end, levels, best
):
    """Compare the query vectors that have found little with all vectors of a window.

    Left out is what cannot be near: centroids of coarse groups too far from the query vector.
    """
    store, centroids, scales, extra, extra_scales, tables, lanes, planes = source
    codes, packed, norms = store
    steps, known_lengths = tables
    group_of, groups = coarse
    rows = np.empty(len(floors), np.int64)
    count = 0
    for i in range(len(floors)):
        if best[i] < floors[i] + margin:
            if best[i] <= floors[i]:  # assumed, not found
                best[i] = LOWEST
            rows[count] = i
            count += 1
    for t in range(start, end if count else start):
        joint = joint_at(codes, t)
        code, unpacked = joint & CODE_MASK, False
        step = steps[joint >> CODE_BITS]
        norm = known_lengths[norms[t]] if len(norms) else _f(1)
        for n in range(count):
            i = rows[n]
            if code < len(centroids) and groups[i, group_of[code]] + REACH < best[i]:
                continue
            if not unpacked:
                unpack_levels(packed[t], lanes, planes, levels)
                unpacked = True
            if code < len(centroids):
                near = _f(simd.dot(query, i, centroids, code, chunks)) * scales[code]
            else:
                more = code - len(centroids)
                near = _f(simd.dot(query, i, extra, more, chunks)) * extra_scales[more]
            rest = _f(simd.dot(query, i, levels, 0, chunks)) * units[i] + offsets[i]
            best[i] = max(best[i], (near * units[i] + rest * step) * norm)


@kernel
def probe(query, unit, groups, bounds, centroids, scales, chunks, most, ids, sims, found):
    """The best centroids of each query vector, best first, among those of its coarse groups.

    The query comes as int16, each row in parts of its ``unit``; its groups nearest first, so that
    what is worth keeping is soon known.
    """
    dots = np.empty(simd.TOGETHER, np.int32)
    histogram = np.empty(BUCKETS, np.int32)
    room = 2 * most + 2 * simd.TOGETHER
    codes, near = np.empty(room, np.int32), np.empty(room, np.float32)
    for i in range(len(query)):
        kept, floor = 0, LOWEST
        for g in groups[i]:
            c = bounds[g]
            while c < bounds[g + 1]:
                together = 1
                if c + simd.TOGETHER <= bounds[g + 1]:
                    together = simd.TOGETHER
                    simd.dots(query, i, centroids, c, dots, chunks)
                else:
                    dots[0] = simd.dot(query, i, centroids, c, chunks)
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
        order = np.argsort(-near[:kept])
        found[i] = min(kept, most)
        for n in range(found[i]):
            ids[i, n] = codes[order[n]]
            sims[i, n] = near[order[n]]


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
            gain = sims[i, n] - floor
            code = ids[i, n]
            for entry in range(starts[code], starts[code + 1]):
                window = listed[entry]
                if touched[window] < i:
                    touched[window] = i
                    votes[window] += gain


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
