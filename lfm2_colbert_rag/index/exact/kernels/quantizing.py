# mypy: ignore-errors
"""Stored vectors and those of queries as blocks of bytes, and by how much these are off."""

from __future__ import annotations

import numpy as np

from ...jit import OFFSET, TOGETHER
from ...jit.compiling import exact_kernel, exact_part, kernel
from ...jit.compiling import number as _f
from ..layout import FOUR, GROUP, MOST, SUM
from .halves import EXPONENT, widen


@kernel
def quantize_windows(halves, offsets, firsts, start, end, blocks, scales, errors, lengths):
    """Quantize windows ``start`` to ``end - 1``; False once a vector is not finite.

    Window w is the vectors ``offsets[w]`` to ``offsets[w + 1] - 1`` (``halves``, uint16), and
    becomes the blocks from ``firsts[w]`` on; the last one is filled up with its last vector.
    ``errors[w]`` is the squared length of the longest difference between a vector and its bytes,
    ``lengths[w]`` the squared length of the longest vector.
    """
    dim = halves.shape[1]
    bits = np.empty((1, dim), np.uint32)
    floats = bits.view(np.float32)
    for w in range(start, end):
        error, length, last = _f(0), _f(0), offsets[w + 1] - 1
        for b in range(firsts[w], firsts[w + 1]):
            for k in range(TOGETHER):
                t = min(offsets[w] + (b - firsts[w]) * TOGETHER + k, last)
                if widen(halves, t, floats, bits, 0) == EXPONENT:
                    return False
                largest = _f(0)
                for j in range(dim):
                    largest = max(largest, abs(floats[0, j]))
                scale = largest / _f(MOST) if largest > _f(0) else _f(1)
                squared, missing = _f(0), _f(0)
                for j in range(dim):
                    value = floats[0, j]
                    whole = np.rint(value / scale)
                    at = (j // FOUR) * FOUR * TOGETHER + k * FOUR + j % FOUR
                    blocks[b, at] = np.uint8(np.int32(whole) + OFFSET)
                    squared += value * value
                    missing += (value - whole * scale) ** 2
                scales[b, k] = scale
                length, error = max(length, squared), max(error, missing)
        errors[w], lengths[w] = error, length
    return True


@exact_kernel
def quantize_queries(vectors, ends, blocks, starts, units, lengths):
    """Quantize vectors of queries, which lie below one another; query q ends before ``ends[q]``.

    For ``blocks`` (zeros), ``starts`` and ``units`` see :class:`...quantized.QuantizedQueries`; the
    rows of ``lengths`` (float64) are what the lengths of what is lost, of what is kept, and of the
    vectors themselves sum up to.
    """
    i = 0
    for q in range(len(ends)):
        lengths[:, q] = 0.0
        while i < ends[q]:
            unit, total = _unit(vectors, i), 0
            lost, kept, whole = 0.0, 0.0, 0.0
            for j in range(vectors.shape[1]):
                value = vectors[i, j]
                part = np.rint(value / unit)
                at = (j // FOUR) * FOUR * TOGETHER + (i % TOGETHER) * FOUR + j % FOUR
                blocks[i // TOGETHER, at] = np.int8(part)
                total += np.int32(part)
                found = part * unit
                lost += np.float64(value - found) ** 2
                kept += np.float64(found) ** 2
                whole += np.float64(value) ** 2
            units[i], starts[i] = unit, -OFFSET * total
            lengths[0, q] += np.sqrt(lost)
            lengths[1, q] += np.sqrt(kept)
            lengths[2, q] += np.sqrt(whole)
            i += 1


@exact_part
def _unit(vectors, i):
    """The least unit of vector i in which its parts keep the LIMIT."""
    most, largest = _f(0), _f(0)
    for first in range(0, vectors.shape[1], GROUP * 2):
        for pair in range(first, first + FOUR, 2):
            above, below = _f(0), _f(0)
            for four in range(pair, pair + GROUP * 2, FOUR):
                for j in range(four, four + 2):
                    value = vectors[i, j]
                    above += max(value, _f(0))
                    below += max(-value, _f(0))
                    largest = max(largest, abs(value))
            most = max(most, max(above, below))
    unit = max(most / _f(SUM), largest / _f(MOST))
    return unit if unit > _f(0) else _f(1)
