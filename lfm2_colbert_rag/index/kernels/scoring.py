# mypy: ignore-errors
"""MaxSim over vectors that are rebuilt on the way.

``lanes`` and ``planes``: see :mod:`.codes`; ``chunks``: see :mod:`.simd`.
"""

from __future__ import annotations

import numpy as np

from . import simd
from .codes import CODE_BITS, CODE_MASK, joint_at
from .compiling import LOWEST, kernel, part
from .compiling import number as _f
from .unpacking import BENDS, SHIFTS, TIMES, energy_of, parts_of, rebuild

# Unit length in whole numbers. A product with a rebuilt vector, and every part of its sum, is below
# 2**31 by the inequality of Cauchy and Schwarz.
FULL = 32_767
MOST = 32_767
SHIFT_4, SHIFT_2 = SHIFTS[4], SHIFTS[2]
TIMES_OF_4, TIMES_OF_2 = TIMES[4], TIMES[2]
BEND_4, BEND_2 = BENDS[4], BENDS[2]


@part
def in_whole_numbers(row, length, whole):
    """A row at unit length, in parts of FULL; what is there beyond its end stays."""
    factor = _f(FULL) / length
    for j in range(len(row)):
        whole[j] = np.int16(np.int32(np.rint(row[j] * factor)))


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
    chunks,
    starts,
    lengths,
    out,
):
    """MaxSim of windows."""
    dim, rows = len(lanes) * len(planes), len(query)
    width = simd.CHUNK * len(chunks)
    asked, units = np.zeros((rows, width), np.int16), np.empty(rows, np.float32)
    parts = _f(1 << (14 - (dim < 32) - (dim < 8)))
    for i in range(rows):
        energy = _f(0)
        for j in range(dim):
            energy += query[i, j] * query[i, j]
        length = max(np.sqrt(energy), _f(1e-12))
        in_whole_numbers(query[i], length, asked[i])
        units[i] = length / (_f(FULL) * parts)
    codes, packed, norms = store
    steps, known_lengths, bent = tables
    fars = np.empty(len(steps), np.int16)
    for s in range(len(steps)):
        fars[s] = factor_of(steps[s] * far_of(bent, planes) * parts)
    vectors = np.zeros((simd.TOGETHER, width), np.int16)
    wanted = np.empty(simd.TOGETHER, np.float32)
    dots = np.empty(simd.TOGETHER, np.int32)
    best = np.empty((rows, simd.TOGETHER), np.float32)
    nearer = near_of(planes) * parts
    for w in range(len(starts)):
        best[:] = LOWEST
        end = starts[w] + lengths[w]
        for first in range(starts[w], end, simd.TOGETHER):
            for k in range(simd.TOGETHER):
                t = min(first + k, end - 1)
                ahead = joint_at(codes, min(t + simd.TOGETHER, end - 1)) & CODE_MASK
                if ahead < len(centroids):
                    simd.prefetch(centroids, ahead, lanes, planes)
                joint = joint_at(codes, t)
                code, far = joint & CODE_MASK, fars[joint >> CODE_BITS]
                if code < len(centroids):
                    near = factor_of(scales[code] * nearer)
                    rebuild(
                        packed, t, centroids, code, near, far, bent, lanes, planes, vectors, k
                    )
                else:
                    code -= len(centroids)
                    near = factor_of(extra_scales[code] * nearer)
                    rebuild(packed, t, extra, code, near, far, bent, lanes, planes, vectors, k)
                wanted[k] = _f(1)
                if len(known_lengths):
                    known = known_lengths[norms[t]] if len(norms) else _f(1)
                    energy = max(_f(energy_of(vectors, k, chunks)), _f(1))
                    wanted[k] = known * parts / np.sqrt(energy)
            for i in range(rows):
                simd.dots(asked, i, vectors, 0, dots, chunks)
                for k in range(simd.TOGETHER):
                    best[i, k] = max(best[i, k], _f(dots[k]) * wanted[k])
        total = _f(0)
        for i in range(rows):
            total += best[i].max() * units[i]
        out[w] = total


@part
def factor_of(value):
    """A factor of :func:`.unpacking.rebuild`."""
    return np.int16(min(np.rint(value), _f(MOST)))


@part
def near_of(planes):
    """What the scale of a centroid is multiplied with to be a factor, for parts of 1."""
    return _f(1 << 15) / _f(1 << (SHIFT_2 if len(planes) == 4 else SHIFT_4))


@part
def far_of(bent, planes):
    """What a step is multiplied with to be a factor, for parts of 1."""
    if len(planes) == 4:
        times = TIMES_OF_2[0] if bent else TIMES_OF_2[1]
        return _f(1 << 15) / _f(2 * BEND_2 * times)
    times = TIMES_OF_4[0] if bent else TIMES_OF_4[1]
    return _f(1 << 15) / _f(2 * BEND_4 * times)
