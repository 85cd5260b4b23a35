# mypy: ignore-errors
"""MaxSim over the pairs of vectors that a search found near."""

from __future__ import annotations

import numpy as np

from . import simd
from .codes import CODE_BITS, CODE_MASK, bend_of, joint_at
from .compiling import kernel
from .compiling import number as _f
from .unpacking import level_dots

# Vectors of a window that are looked at together.
BLOCK = 256


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
    query,
    units,
    floors,
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
    """
    store, _, _, _, _, tables, lanes, planes = source
    codes, packed, norms = store
    steps, known_lengths, bent = tables
    unit = bend_of(planes, 1) / _f(2)  # the part of a step that levels count in
    firsts, rows, near = pairs
    dots = np.empty(len(floors), np.int32)
    places, joints = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    best = np.empty(len(floors), np.float32)
    for w in range(len(starts)):
        best[:] = floors
        end = starts[w] + lengths[w]
        simd.prefetch(codes, starts[min(w + 1, len(starts) - 1)], lanes, (None,))
        for first in range(starts[w], end, BLOCK):
            kept = 0
            for t in range(first, min(first + BLOCK, end)):
                joint = joint_at(codes, t)
                if slots[joint & CODE_MASK]:
                    simd.prefetch(packed, t, lanes, (None,))
                    places[kept], joints[kept] = t, joint
                    kept += 1
            for n in range(kept):
                t, slot = places[n], slots[joints[n] & CODE_MASK]
                start, stop = firsts[slot], firsts[slot + 1]
                level_dots(packed, t, bent, query, rows, start, stop, dots, lanes, planes, chunks)
                step = steps[joints[n] >> CODE_BITS] * unit
                norm = known_lengths[norms[t]] if len(norms) else _f(1)
                for pair in range(start, stop):
                    i = np.int64(rows[pair])
                    dot = _f(dots[pair - start]) * units[i]
                    best[i] = max(best[i], (near[pair] + dot * step) * norm)
        out[w] = best.sum()
