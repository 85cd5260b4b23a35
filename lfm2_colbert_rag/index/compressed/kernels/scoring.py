# mypy: ignore-errors
"""MaxSim over vectors that are rebuilt on the way."""

from __future__ import annotations

import numpy as np

from ...jit import simd
from ...jit.compiling import LOWEST, kernel, part
from ...jit.compiling import number as _f
from ..structs import Shape
from ..whole_levels import FULL, WHOLE, largest_scale, largest_step
from .codes import CODE_BITS, CODE_MASK, joint_at
from .unpacking import rebuild, squared_norm

SCALE_OF_4, SCALE_OF_2 = largest_scale(4), largest_scale(2)
STEP_OF_4, STEP_OF_2 = largest_step(4), largest_step(2)


@part
def in_whole_numbers(row, length, whole):
    """A row at unit length, in parts of FULL; what is there beyond its end stays."""
    factor = _f(FULL) / length
    for j in range(len(row)):
        whole[j] = np.int16(np.int32(np.rint(row[j] * factor)))


@part
def scale_limit(planes):
    """Size of a coordinate whose shifted value would be WHOLE, in the centroid's scale."""
    return _f(SCALE_OF_2 if len(planes) == 4 else SCALE_OF_4)


@part
def step_limit(planes):
    """Size of a coordinate whose level in 16 bits would be WHOLE, in steps."""
    return _f(STEP_OF_2 if len(planes) == 4 else STEP_OF_4)


@kernel
def score_windows(query, source, starts, lengths, out):
    """MaxSim of windows."""
    codes, packed, norms = source.codes, source.packed, source.norms
    centroids, scales = source.values, source.scales
    extra, extra_scales = source.extra_values, source.extra_scales
    steps, known_lengths, chunks = source.steps, source.lengths, source.chunks
    shape = Shape(source.lanes, source.planes, chunks)
    dim, rows = len(shape.lanes) * len(shape.planes), len(query)
    width = simd.CHUNK * len(chunks)
    asked, units = np.zeros((rows, width), np.int16), np.empty(rows, np.float32)
    for i in range(rows):
        squared = _f(0)
        for j in range(dim):
            squared += query[i, j] * query[i, j]
        length = max(np.sqrt(squared), _f(1e-12))
        in_whole_numbers(query[i], length, asked[i])
        units[i] = length / _f(FULL)
    of_scale, of_step = scale_limit(shape.planes), step_limit(shape.planes)
    vectors = np.zeros((simd.TOGETHER, width), np.int16)
    wanted = np.empty(simd.TOGETHER, np.float32)
    best = np.empty((rows, simd.TOGETHER), np.float32)
    for w in range(len(starts)):
        best[:] = LOWEST
        end = starts[w] + lengths[w]
        for first in range(starts[w], end, simd.TOGETHER):
            for k in range(simd.TOGETHER):
                t = min(first + k, end - 1)
                ahead = joint_at(codes, min(t + simd.TOGETHER, end - 1)) & CODE_MASK
                if ahead < len(centroids):
                    simd.prefetch(centroids, ahead, chunks)
                joint = joint_at(codes, t)
                code = joint & CODE_MASK
                own = code - len(centroids)
                near = (scales[code] if own < 0 else extra_scales[own]) * of_scale
                far = steps[joint >> CODE_BITS] * of_step
                # As many parts as let the largest coordinate fit that there may be.
                parts = min(_f(FULL) / max(near + far, _f(1e-12)), _f(WHOLE))
                nearer, farther = np.int16(np.rint(near * parts)), np.int16(np.rint(far * parts))
                if own < 0:
                    rebuild(packed, t, centroids, code, nearer, farther, vectors, k, shape)
                else:
                    rebuild(packed, t, extra, own, nearer, farther, vectors, k, shape)
                wanted[k] = _f(1) / parts
                if len(known_lengths):
                    known = known_lengths[norms[t]] if len(norms) else _f(1)
                    wanted[k] = known / np.sqrt(max(squared_norm(vectors, k, shape), _f(1)))
            for i in range(rows):
                simd.keep_best(asked, i, vectors, wanted, best, chunks)
        total = _f(0)
        for i in range(rows):
            total += best[i].max() * units[i]
        out[w] = total
