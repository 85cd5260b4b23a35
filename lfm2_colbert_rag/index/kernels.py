# mypy: ignore-errors
"""The inner loops, compiled by numba when first used and kept in its cache.

No kernel starts threads: each works on the part that it is given and lets go of the interpreter's
lock, so that :mod:`.workers` can run several side by side.

``lanes`` and ``planes`` are tuples as long as a packed residual is wide and as its bytes hold
coordinates. Their lengths are known when a kernel is compiled, which lets the loops over
dimensions be unrolled: four times faster than with a width that is only known when it runs.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numba import njit

from . import simd

CODE_MASK = (1 << 19) - 1
CODE_BITS = 19
LOWEST = np.float32(-3.0e38)
BUCKETS = 512
# Vectors of a window that are looked at together.
BLOCK = 256
_f = np.float32

logger = logging.getLogger(__name__)


def _compiler(**options):
    """Keep what is compiled where numba finds a place for it, beside this file or in its cache."""

    def compile_later(function):
        chosen = {"nogil": True, "fastmath": True, "error_model": "numpy", **options}
        try:
            return njit(cache=True, **chosen)(function)
        except RuntimeError:  # no folder can be written: compiled again by every process
            return njit(**chosen)(function)

    return compile_later


kernel = _compiler()
# Parts of kernels: a call with a dozen arrays would take longer than what is done with them.
part = _compiler(forceinline=True)


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


@kernel
def refine_windows(
    query, units, offsets, floors, slots, pairs, store, tables, lanes, planes, chunks, starts,
    lengths, out,
):  # fmt: skip
    """MaxSim over those pairs of vectors whose centroid was found near, the rest at its floor.

    A vector whose centroid no query vector is near is not even looked at. The product with the
    centroid is known; that with the residual is one of whole numbers. What rounding did to the
    vector's length is passed over.
    """
    codes, packed, norms = store
    steps, known_lengths = tables
    firsts, rows, near = pairs
    width, count = len(lanes), len(planes)
    nbits = np.uint8(8 // count)
    mask = np.uint8((1 << nbits) - 1)
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
                for p in range(count):
                    for j in range(width):
                        level = np.uint8(packed[t, j] >> np.uint8(np.uint8(p) * nbits))
                        levels[0, j + p * width] = np.int16(np.uint8(level & mask))
                step = steps[joints[n] >> CODE_BITS]
                norm = known_lengths[norms[t]] if len(norms) else _f(1)
                for pair in range(firsts[slot], firsts[slot + 1]):
                    i = np.int64(rows[pair])
                    dot = _f(simd.dot(query, i, levels, 0, chunks)) * units[i] + offsets[i]
                    best[i] = max(best[i], (near[pair] + dot * step) * norm)
        total = _f(0)
        for i in range(len(floors)):
            total += best[i]
        out[w] = total


@kernel
def probe(query, unit, groups, bounds, centroids, scales, chunks, most, ids, sims, found):
    """The best centroids of each query vector, best first, among those of its coarse groups.

    The query comes as int16, each row in parts of its ``unit``.
    """
    dim, whole = centroids.shape[1], simd.LANES * len(chunks)
    dots = np.empty(simd.TOGETHER, np.int32)
    for i in range(len(query)):
        size = 0
        for g in groups[i]:
            size += bounds[g + 1] - bounds[g]
        codes = np.empty(size, np.int32)
        near = np.empty(size, np.float32)
        at = 0
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
                    for j in range(whole, dim):
                        dots[n] += np.int32(query[i, j]) * np.int32(centroids[c + n, j])
                    near[at] = _f(dots[n]) * scales[c + n] * unit[i]
                    codes[at] = c + n
                    at += 1
                c += together
        histogram = np.zeros(BUCKETS, np.int32)
        for n in range(size):
            histogram[bucket_of(near[n])] += 1
        kept, floor = 0, BUCKETS
        while floor > 0 and kept < most:
            floor -= 1
            kept += histogram[floor]
        chosen = np.empty(kept, np.int64)
        at = 0
        for n in range(size):
            if bucket_of(near[n]) >= floor:
                chosen[at] = n
                at += 1
        order = np.argsort(-near[chosen])
        found[i] = min(kept, most)
        for n in range(found[i]):
            ids[i, n] = codes[chosen[order[n]]]
            sims[i, n] = near[chosen[order[n]]]


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


@kernel
def cluster(vectors, starts, ends, counts, firsts, rounds, lanes, out):
    """k-means within each group of consecutive vectors, begun at evenly spaced members."""
    dim = len(lanes)
    for g in range(len(starts)):
        start, size, count, first = starts[g], ends[g] - starts[g], counts[g], firsts[g]
        halves = np.zeros(count, np.float32)
        sums = np.zeros((count, dim), np.float32)
        sizes = np.zeros(count, np.int64)
        for c in range(count):
            at = start + (c * size) // count
            for j in range(dim):
                out[first + c, j] = vectors[at, j]
        for _ in range(rounds if count > 1 else 1):
            for c in range(count):
                length = _f(0)
                for j in range(dim):
                    length += out[first + c, j] * out[first + c, j]
                    sums[c, j] = 0
                halves[c] = length / _f(2)
                sizes[c] = 0
            for t in range(start, start + size):
                best, most = 0, LOWEST
                for c in range(count if count > 1 else 0):
                    dot = _f(0)
                    for j in range(dim):
                        dot += vectors[t, j] * out[first + c, j]
                    if dot - halves[c] > most:
                        best, most = c, dot - halves[c]
                sizes[best] += 1
                for j in range(dim):
                    sums[best, j] += vectors[t, j]
            for c in range(count):
                if sizes[c]:
                    for j in range(dim):
                        out[first + c, j] = sums[c, j] / _f(sizes[c])


@part
def write_number(value, out, at):
    """Seven bits a byte, lowest first, the eighth bit set while more follow."""
    while value > 127:
        out[at] = np.uint8((value & 127) | 128)
        value >>= 7
        at += 1
    out[at] = np.uint8(value)
    return at + 1


@kernel
def encode_spans(spans, begin, out):
    """Characters of a window's vectors as one byte each where they follow one another closely.

    High four bits: characters between the last span's end and this one's start; 14 for a marker,
    which has no characters; 15 where they do not fit and a number follows (zigzag). Low four bits:
    the span's length, 15 where a number follows. Returns the bytes written.
    """
    at, last = 0, begin
    for t in range(len(spans)):
        start, end = np.int64(spans[t, 0]), np.int64(spans[t, 1])
        if start == 0 and end == 0:
            out[at] = 14 << 4
            at += 1
            continue
        gap, length = start - last, end - start
        short = 0 <= gap < 14
        head = at
        out[head] = ((gap if short else 15) << 4) | min(length, 15)
        at += 1
        if not short:
            at = write_number((gap << 1) ^ (gap >> 63), out, at)
        if length >= 15:
            at = write_number(length, out, at)
        last = end
    return at


@kernel
def decode_spans(packed, begin, out):
    """Undo :func:`encode_spans`."""
    at, last = 0, begin
    for t in range(len(out)):
        head = np.int64(packed[at])
        at += 1
        gap, length = head >> 4, head & 15
        if gap == 14:
            out[t, 0] = 0
            out[t, 1] = 0
            continue
        for field in range(2):
            if (gap if field == 0 else length) != 15:
                continue
            value, shift = np.int64(0), 0
            while packed[at] > 127:
                value |= np.int64(packed[at] & 127) << shift
                shift += 7
                at += 1
            value |= np.int64(packed[at]) << shift
            at += 1
            if field == 0:
                gap = (value >> 1) ^ -(value & 1)
            else:
                length = value
        start = last + gap
        out[t, 0] = start
        out[t, 1] = start + length
        last = start + length


def _say_if_compiling():
    """Tell people why the first use takes so long."""
    folder = score_windows.stats.cache_path
    if folder is None or not any(Path(folder).glob("kernels.score_windows*.nbi")):
        logger.warning(
            "compiling the search kernels for this machine: half a minute, once%s",
            " a process, as no cache folder can be written (set NUMBA_CACHE_DIR)"
            if folder is None
            else "",
        )


_say_if_compiling()
