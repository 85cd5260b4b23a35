# mypy: ignore-errors
"""MaxSim over vectors that are rebuilt on the way.

``lanes`` and ``planes``: see :mod:`.codes`; ``chunks``: see :mod:`.simd`.
"""

from __future__ import annotations

import numpy as np

from . import simd
from .codes import CODE_BITS, CODE_MASK, bend_of, joint_at
from .compiling import LOWEST, kernel, part
from .compiling import number as _f
from .unpacking import FULL, rebuild


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
    width = simd.LANES * len(chunks)
    asked, units = np.zeros((rows, width), np.int16), np.empty(rows, np.float32)
    for i in range(rows):
        energy = _f(0)
        for j in range(dim):
            energy += query[i, j] * query[i, j]
        length = max(np.sqrt(energy), _f(1e-12))
        in_whole_numbers(query[i], length, asked[i])
        units[i] = length / (_f(FULL) * _f(FULL))
    codes, packed, norms = store
    steps, known_lengths, bent = tables
    bend = bend_of(planes, bent)
    vectors = np.zeros((simd.TOGETHER, width), np.int16)
    wanted = np.empty(simd.TOGETHER, np.float32)
    dots = np.empty(simd.TOGETHER, np.int32)
    best = np.empty((rows, simd.TOGETHER), np.float32)
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
                code, step = joint & CODE_MASK, steps[joint >> CODE_BITS]
                if code < len(centroids):
                    wanted[k] = rebuild(
                        packed, t, centroids, code, scales[code], step, bend, lanes, planes,
                        vectors, k,
                    )  # fmt: skip
                else:
                    code -= len(centroids)
                    wanted[k] = rebuild(
                        packed, t, extra, code, extra_scales[code], step, bend, lanes, planes,
                        vectors, k,
                    )  # fmt: skip
                if len(known_lengths):
                    wanted[k] = known_lengths[norms[t]] if len(norms) else _f(1)
            for i in range(rows):
                simd.dots(asked, i, vectors, 0, dots, chunks)
                for k in range(simd.TOGETHER):
                    best[i, k] = max(best[i, k], _f(dots[k]) * wanted[k])
        total = _f(0)
        for i in range(rows):
            total += best[i].max() * units[i]
        out[w] = total
