# mypy: ignore-errors
"""Coding vectors, and decoding them."""

from __future__ import annotations

import numpy as np

from ...jit.compiling import LOWEST, kernel, part
from ...jit.compiling import number as _f
from ..structs import Shape
from .codes import CODE_BITS, CODE_MASK, bend_of, joint_at, value_of

POSITIVE = 8  # levels above zero, of 4 bits


@part
def nearest(vector, choices, first, last, dim):
    """The centroid of least distance: the largest dot product less half the squared length."""
    centroids, scales, halves, _ = choices
    best, largest = first, LOWEST
    for c in range(first, last):
        dot = _f(0)
        for j in range(dim):
            dot += vector[j] * _f(centroids[c, j])
        near = dot * scales[c] - halves[c]
        if near > largest:
            best, largest = c, near
    return best


@part
def borders_of(planes, bend, borders):
    """Where one level ends and the next begins, in steps from zero; far away beyond the last."""
    positive = 1 << (8 // len(planes) - 1)
    borders[:] = _f(3.0e38)
    for k in range(positive - 1):
        borders[k] = (value_of(_f(2 * k + 1), bend) + value_of(_f(2 * k + 3), bend)) / _f(2)


@part
def place_of(size, borders):
    """Place, 1, 3, 5 and so on, of the level nearest to a coordinate of this size in steps."""
    place = _f(1)
    for k in range(POSITIVE - 1):
        place += _f(2) if size > borders[k] else _f(0)
    return place


@part
def rounding_error(residual, step, borders, bend, dim):
    """Squared error of a residual rounded to levels of this step."""
    inverse = _f(1) / step
    error = _f(0)
    for j in range(dim):
        size = np.abs(residual[j]) * inverse
        rest = size - value_of(place_of(size, borders), bend)
        error += rest * rest
    return error * step * step


@kernel
def encode(vectors, firsts, lasts, choices, steps, shape, codes, packed):
    """Code, step and packed levels of vectors, each among the centroids [first, last).

    Returns the sum of the squared residuals.
    """
    centroids, scales, _, numbers = choices
    width, count = len(shape.lanes), len(shape.planes)
    dim, nbits = width * count, 8 // count
    positive = 1 << (nbits - 1)
    bend, borders = bend_of(shape.planes), np.empty(POSITIVE - 1, np.float32)
    borders_of(shape.planes, bend, borders)
    # The step of least error for a normal distribution, in standard deviations; found by trying.
    ideal = _f(0.235) if nbits == 4 else _f(0.893)
    residual = np.empty(dim, np.float32)
    total = 0.0
    for t in range(len(vectors)):
        code = firsts[t]
        if lasts[t] - code > 1:
            code = nearest(vectors[t], choices, code, lasts[t], dim)
        squared = _f(0)
        for j in range(dim):
            residual[j] = vectors[t, j] - _f(centroids[code, j]) * scales[code]
            squared += residual[j] * residual[j]
        total += squared
        deviation = max(np.sqrt(squared / _f(dim)), _f(1e-9))
        near = np.int64(np.floor(np.log2(deviation * ideal) * 4 + 31.5))
        best, smallest = 0, squared
        for s in range(max(1, near - 2), min(31, near + 2) + 1):
            error = rounding_error(residual, steps[s], borders, bend, dim)
            if error < smallest:
                best, smallest = s, error
        inverse = _f(1) / steps[best] if best else _f(0)
        for j in range(width):
            packed[t, j] = 0
        for p in range(count):
            for j in range(width):
                scaled = residual[j + p * width] * inverse
                above = np.int32(place_of(np.abs(scaled), borders)) >> 1
                level = positive + above if scaled >= _f(0) else positive - 1 - above
                packed[t, j] |= np.uint8(np.uint8(level) << (p * nbits))
        joint = numbers[code] | (best << CODE_BITS)
        codes[t, 0] = joint & 255
        codes[t, 1] = (joint >> 8) & 255
        codes[t, 2] = joint >> 16
    return total


@part
def decode(packed, centroid, scale, step, bend, shape, vector):
    """One vector from its parts; returns its length."""
    width, count = len(shape.lanes), len(shape.planes)
    nbits = 8 // count
    mask = (1 << nbits) - 1
    squared = _f(0)
    for p in range(count):
        for j in range(width):
            place = np.int32(2 * ((packed[j] >> (p * nbits)) & mask) - mask)
            at = j + p * width
            value = _f(centroid[at]) * scale + step * value_of(_f(place), bend)
            vector[at] = value
            squared += value * value
    return np.sqrt(squared)


@kernel
def decode_many(source, start, end, out):
    """Consecutive vectors; those of known length are given it."""
    codes, packed, norms = source.codes, source.packed, source.norms
    centroids, scales = source.values, source.scales
    extra, extra_scales = source.extra_values, source.extra_scales
    steps, lengths = source.steps, source.lengths
    shape = Shape(source.lanes, source.planes, source.chunks)
    bend = bend_of(shape.planes)
    for t in range(start, end):
        row = out[t - start]
        joint = joint_at(codes, t)
        code, step = joint & CODE_MASK, steps[joint >> CODE_BITS]
        if code < len(centroids):
            centroid, scale = centroids[code], scales[code]
        else:
            centroid, scale = extra[code - len(centroids)], extra_scales[code - len(centroids)]
        length = decode(packed[t], centroid, scale, step, bend, shape, row)
        if len(lengths):
            wanted = lengths[norms[t]] if len(norms) else _f(1)
            for j in range(len(row)):
                row[j] *= wanted / max(length, _f(1e-12))
