# mypy: ignore-errors
"""MaxSim over the stored vectors that some query vector is near."""

from __future__ import annotations

import numpy as np

from ...jit import simd
from ...jit.compiling import kernel, part
from ...jit.compiling import number as _f
from ..structs import Shape
from ..whole_levels import UNITS
from .codes import CODE_BITS, CODE_MASK, joint_at
from .unpacking import compare

UNIT_OF_4, UNIT_OF_2 = UNITS[4], UNITS[2]
CODES_IN_LINE = simd.LINE // 3


@kernel
def mark_near(ids, found, slots, codes):
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
def clear_near(codes, slots):
    """Set back to 0 what :func:`mark_near` numbered."""
    for code in codes:
        slots[code] = 0


@kernel
def centroid_similarities(query, units, source, codes, near):
    """Similarities of all query vectors to some centroids, as rows of ``near`` from 1 on."""
    values, extra, chunks = source.values, source.extra_values, source.chunks
    dots = np.empty(simd.TOGETHER, np.int32)
    for n in range(1, len(near)):
        code = np.int64(codes[n])
        own = code - len(values)
        scale = source.scales[code] if own < 0 else source.extra_scales[own]
        for first in range(0, len(query), simd.TOGETHER):
            if own < 0:
                simd.dots_with(query, first, values, code, dots, chunks)
            else:
                simd.dots_with(query, first, extra, own, dots, chunks)
            for i in range(simd.TOGETHER):
                near[n, first + i] = _f(dots[i]) * scale * units[first + i]


@part
def look(codes, packed, slots, start, length, numbers, joints, chunks):
    """Mark which vectors of a window some query vector is near, and prefetch them."""
    kept = 0
    for t in range(start, start + length):
        joint = joint_at(codes, t)
        # Without a branch, which the machine could not foresee.
        numbers[kept], joints[kept] = t, joint
        kept += np.int64(slots[joint & CODE_MASK] != 0)
    for n in range(kept):
        simd.prefetch(packed, numbers[n], chunks[:1])
    return kept


@kernel
def refine_windows(near, source, starts, lengths, out):
    """MaxSim over the vectors whose centroids some query vector is near; the rest at its floor.

    Of the others only the codes are read. The product with the centroid is known; that with the
    residual is one of whole numbers. What quantization did to the vector's length is
    passed over.
    """
    codes, packed, norms = source.codes, source.packed, source.norms
    steps, known_lengths, chunks = source.steps, source.lengths, source.chunks
    shape = Shape(source.lanes, source.planes, chunks)
    query, units, floors, slots, sims = near
    unit = _f(UNIT_OF_2 if len(shape.planes) == 4 else UNIT_OF_4)
    best = np.empty(len(floors), np.float32)
    longest, count = 0, len(starts)
    for w in range(count):
        longest = max(longest, lengths[w])
    numbers, joints = np.empty((2, longest + 1), np.int64), np.empty((2, longest + 1), np.int64)
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
                numbers[1 - mine], joints[1 - mine], chunks,
            )  # fmt: skip
        if w < 0:
            continue
        best[:] = floors
        for n in range(kept):
            t, joint = numbers[mine, n], joints[mine, n]
            slot, step = np.int64(slots[joint & CODE_MASK]), steps[joint >> CODE_BITS] * unit
            norm = known_lengths[norms[t]] if len(norms) else _f(1)
            compare(packed, t, query, units, sims, slot, step, norm, best, shape)
        out[w] = best.sum()
