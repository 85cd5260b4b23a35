# mypy: ignore-errors
"""k-means within groups of vectors."""

from __future__ import annotations

import numpy as np

from ...jit.compiling import LOWEST, kernel
from ...jit.compiling import number as _f


@kernel
def cluster(vectors, starts, ends, counts, firsts, rounds, shape, out):
    """k-means within each group of consecutive vectors, begun at evenly spaced members."""
    dim = len(shape.lanes) * len(shape.planes)
    for g in range(len(starts)):
        start, size, count, first = starts[g], ends[g] - starts[g], counts[g], firsts[g]
        halves = np.zeros(count, np.float32)
        sums = np.zeros((count, dim), np.float32)
        sizes = np.zeros(count, np.int64)
        for c in range(count):
            at = start + (c * size) // count
            for j in range(dim):
                out[first + c, j] = vectors[at, j]
        for _ in range(rounds if count > 1 else 1):
            for c in range(count):
                length = _f(0)
                for j in range(dim):
                    length += out[first + c, j] * out[first + c, j]
                    sums[c, j] = 0
                halves[c] = length / _f(2)
                sizes[c] = 0
            for t in range(start, start + size):
                best, largest = 0, LOWEST
                for c in range(count if count > 1 else 0):
                    dot = _f(0)
                    for j in range(dim):
                        dot += vectors[t, j] * out[first + c, j]
                    if dot - halves[c] > largest:
                        best, largest = c, dot - halves[c]
                sizes[best] += 1
                for j in range(dim):
                    sums[best, j] += vectors[t, j]
            for c in range(count):
                if sizes[c]:
                    for j in range(dim):
                        out[first + c, j] = sums[c, j] / _f(sizes[c])
