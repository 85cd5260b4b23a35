# mypy: ignore-errors
"""MaxSim over the pairs of vectors that a search found near."""

from __future__ import annotations

import numpy as np

from . import simd
from .codes import BENDS_OF_2, BENDS_OF_4, CODE_BITS, CODE_MASK, joint_at
from .compiling import kernel, part
from .compiling import number as _f
from .unpacking import PARTS, meet

ONE = (None,)
CODES_IN_LINE = simd.LINE // 3
# The part of a step that levels in 8 bits count in.
UNIT_OF_4, UNIT_OF_2 = PARTS[4] / (2 * BENDS_OF_4), PARTS[2] / (2 * BENDS_OF_2)


@kernel
def note_near(ids, found, slots, codes):
    """Number the centroids that some query vector is near, from 1 on; returns how many.

    Their ``slots``, 0 before, become their numbers; number n is that of ``codes[n]``.
    """
    count = 0
    for i in range(len(ids)):
        for n in range(found[i]):
            code = ids[i, n]
            if slots[code] == 0:
                count += 1
                slots[code], codes[count] = count, code
    return count


@kernel
def forget_near(codes, slots):
    """Wipe out the numbers that :func:`note_near` gave."""
    for code in codes:
        slots[code] = 0


@kernel
def meet_centroids(query, units, centroids, scales, extra, extra_scales, codes, chunks, near):
    """Similarities of query vectors and some centroids, as rows of ``near`` from 1 on."""
    dots = np.empty(simd.TOGETHER, np.int32)
    for n in range(1, len(near)):
        code = np.int64(codes[n])
        for first in range(0, len(query), simd.TOGETHER):
            if code < len(centroids):
                simd.dots_with(query, first, centroids, code, dots, chunks)
                scale = scales[code]
            else:
                simd.dots_with(query, first, extra, code - len(centroids), dots, chunks)
                scale = extra_scales[code - len(centroids)]
            for i in range(simd.TOGETHER):
                near[n, first + i] = _f(dots[i]) * scale * units[first + i]


@kernel
def refine_windows(
    query,
    units,
    floors,
    slots,
    near,
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
    """
    store, _, _, _, _, tables, lanes, planes = source
    codes, packed, norms = store
    steps, known_lengths, bent = tables
    unit = _f(UNIT_OF_2 if len(planes) == 4 else UNIT_OF_4)
    best = np.empty(len(floors), np.float32)
    longest = 0
    for w in range(len(starts)):
        longest = max(longest, lengths[w])
    places, joints = np.empty((2, longest + 1), np.int64), np.empty((2, longest + 1), np.int64)
    following = 0
    if len(starts):
        following = look(codes, slots, starts[0], lengths[0], places[0], joints[0])
    for w in range(len(starts)):
        kept, mine = following, w & 1
        after = min(w + 2, len(starts) - 1)
        if w + 1 < len(starts):
            following = look(
                codes, slots, starts[w + 1], lengths[w + 1], places[1 - mine], joints[1 - mine]
            )
        best[:] = floors
        for n in range(kept):
            t, joint = places[mine, n], joints[mine, n]
            # What the next windows need is fetched meanwhile, little by little: of many requests
            # at once the machine would first wait for some.
            simd.prefetch(packed, places[1 - mine, min(n, following)], lanes, ONE)
            simd.prefetch(codes, starts[after] + min(n * CODES_IN_LINE, lengths[after]), ONE, ONE)
            slot = slots[joint & CODE_MASK]
            step = steps[joint >> CODE_BITS] * unit
            norm = known_lengths[norms[t]] if len(norms) else _f(1)
            meet(
                packed, t, bent, query, units, near, np.int64(slot), step, norm, best, lanes, planes, chunks
            )
        for n in range(kept, following):
            simd.prefetch(packed, places[1 - mine, n], lanes, ONE)
        out[w] = best.sum()


@part
def look(codes, slots, start, length, places, joints):
    """Note which vectors of a window some query vector is near."""
    kept = 0
    for t in range(start, start + length):
        joint = joint_at(codes, t)
        # Without a branch, which the machine could not foresee.
        places[kept], joints[kept] = t, joint
        kept += np.int64(slots[joint & CODE_MASK] != 0)
    return kept
