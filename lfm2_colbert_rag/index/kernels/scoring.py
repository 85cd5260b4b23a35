# mypy: ignore-errors
"""MaxSim over vectors that are decoded on the way.

``lanes`` and ``planes``: see :mod:`.codes`; ``chunks``: see :mod:`.simd`.
"""

from __future__ import annotations

import numpy as np

from . import simd
from .codes import CODE_MASK, joint_at
from .coding import decode_at
from .compiling import LOWEST, kernel, part
from .compiling import number as _f

# Unit length in whole numbers. A product of two rows so long, and every part of its sum, is below
# 2**31 by the inequality of Cauchy and Schwarz; what rounding does to it is below 1e-4.
FULL = _f(32_767)


@part
def in_whole_numbers(row, length, whole):
    """A row at unit length, in parts of ``FULL``; what is there beyond its end stays."""
    factor = FULL / length
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
    asked, units = np.zeros((rows, simd.LANES * len(chunks)), np.int16), np.empty(rows, np.float32)
    for i in range(rows):
        energy = _f(0)
        for j in range(dim):
            energy += query[i, j] * query[i, j]
        length = max(np.sqrt(energy), _f(1e-12))
        in_whole_numbers(query[i], length, asked[i])
        units[i] = length / (FULL * FULL)
    vector = np.empty(dim, np.float32)
    vectors = np.zeros((simd.TOGETHER, simd.LANES * len(chunks)), np.int16)
    norms = np.empty(simd.TOGETHER, np.float32)
    dots = np.empty(simd.TOGETHER, np.int32)
    best = np.empty((rows, simd.TOGETHER), np.float32)
    for w in range(len(starts)):
        best[:] = LOWEST
        end = starts[w] + lengths[w]
        for first in range(starts[w], end, simd.TOGETHER):
            for k in range(simd.TOGETHER):
                t = min(first + k, end - 1)
                ahead = joint_at(store[0], min(t + simd.TOGETHER, end - 1)) & CODE_MASK
                if ahead < len(centroids):
                    simd.prefetch(centroids, ahead, chunks)
                length, norms[k] = decode_at(
                    store, centroids, scales, extra, extra_scales, tables, lanes, planes, t, vector
                )
                in_whole_numbers(vector, length, vectors[k])
            for i in range(rows):
                simd.dots(asked, i, vectors, 0, dots, chunks)
                for k in range(simd.TOGETHER):
                    best[i, k] = max(best[i, k], _f(dots[k]) * norms[k])
        total = _f(0)
        for i in range(rows):
            total += best[i].max() * units[i]
        out[w] = total
