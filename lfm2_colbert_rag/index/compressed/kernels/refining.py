# mypy: ignore-errors
"""MaxSim over the stored vectors that some query vector is near.

``lanes`` and ``planes``: see :mod:`.codes`; ``chunks``: see :mod:`.simd`.
"""

from __future__ import annotations

import numpy as np

from . import simd
from .codes import CODE_BITS, CODE_MASK, joint_at
from .compiling import kernel, part
from .compiling import number as _f
from .levels import UNITS
from .unpacking import compare

UNIT_OF_4, UNIT_OF_2 = UNITS[4], UNITS[2]
CODES_IN_LINE = simd.LINE // 3


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
    """Similarities of all query vectors to some centroids, as rows of ``near`` from 1 on."""
    dots = np.empty(simd.TOGETHER, np.int32)
    for n in range(1, len(near)):
        code = np.int64(codes[n])
        own = code - len(centroids)
        scale = scales[code] if own < 0 else extra_scales[own]
        for first in range(0, len(query), simd.TOGETHER):
            if own < 0:
                simd.dots_with(query, first, centroids, code, dots, chunks)
            else:
                simd.dots_with(query, first, extra, own, dots, chunks)
            for i in range(simd.TOGETHER):
                near[n, first + i] = _f(dots[i]) * scale * units[first + i]


@part
def look(codes, packed, slots, start, length, places, joints, chunks):
    """Note which vectors of a window some query vector is near, and let them be fetched."""
    kept = 0
    for t in range(start, start + length):
        joint = joint_at(codes, t)
        # Without a branch, which the machine could not foresee.
        places[kept], joints[kept] = t, joint
        kept += np.int64(slots[joint & CODE_MASK] != 0)
    for n in range(kept):
        simd.prefetch(packed, places[n], chunks[:1])
    return kept


@kernel
def refine_windows(query, units, floors, slots, near, source, chunks, starts, lengths, out):
    """MaxSim over the vectors whose centroids some query vector is near; the rest at its floor.

    Of the others only the codes are read. The product with the centroid is known; that with the
    residual is one of whole numbers. What rounding did to the vector's length is passed over.
    """
    store, _, _, _, _, tables, lanes, planes = source
    codes, packed, norms = store
    steps, known_lengths = tables
    unit = _f(UNIT_OF_2 if len(planes) == 4 else UNIT_OF_4)
    best = np.empty(len(floors), np.float32)
    longest, count = 0, len(starts)
    for w in range(count):
        longest = max(longest, lengths[w])
    places, joints = np.empty((2, longest + 1), np.int64), np.empty((2, longest + 1), np.int64)
    following = 0
    for w in range(-1, count):
        kept, mine = following, w & 1
        # What the next windows need is on its way while this one is compared.
        if w + 2 < count:
            for ahead in range(0, lengths[w + 2], CODES_IN_LINE):
                simd.prefetch(codes, starts[w + 2] + ahead, chunks[:1])
        if w + 1 < count:
            following = look(
                codes, packed, slots, starts[w + 1], lengths[w + 1],
                places[1 - mine], joints[1 - mine], chunks,
            )  # fmt: skip
        if w < 0:
            continue
        best[:] = floors
        for n in range(kept):
            t, joint = places[mine, n], joints[mine, n]
            slot, step = np.int64(slots[joint & CODE_MASK]), steps[joint >> CODE_BITS] * unit
            norm = known_lengths[norms[t]] if len(norms) else _f(1)
            compare(packed, t, query, units, near, slot, step, norm, best, lanes, planes, chunks)
        out[w] = best.sum()
