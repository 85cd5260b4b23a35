# mypy: ignore-errors
"""Coding vectors, and decoding them.

``lanes`` and ``planes``: see :mod:`.codes`.
"""

from __future__ import annotations

import numpy as np

from .codes import CODE_BITS, CODE_MASK, joint_at
from .compiling import LOWEST, kernel, part
from .compiling import number as _f


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
    energy = _f(0)
    for p in range(count):
        for j in range(width):
            level = np.int32((packed[j] >> (p * nbits)) & mask)
            at = j + p * width
            value = _f(centroid[at]) * scale + (_f(level) * step + low)
            vector[at] = value
            energy += value * value
    return np.sqrt(energy)


@part
def decode_at(store, centroids, scales, extra, extra_scales, tables, lanes, planes, t, vector):
    """One stored vector; returns its length, and the length that it should have.

    Without a table of lengths they are the same.
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
    length = max(length, _f(1e-12))
    if len(lengths) == 0:
        return length, length
    return length, lengths[norms[t]] if len(norms) else _f(1)


@kernel
def decode_many(
    store, centroids, scales, extra, extra_scales, tables, lanes, planes, start, end, out
):
    """Vectors at consecutive places."""
    for t in range(start, end):
        row = out[t - start]
        length, wanted = decode_at(
            store, centroids, scales, extra, extra_scales, tables, lanes, planes, t, row
        )
        for j in range(len(row)):
            row[j] *= wanted / length
