# mypy: ignore-errors
"""MaxSim of windows: over bytes with a known error, and over the stored float16 themselves."""

from __future__ import annotations

import numpy as np

from ...jit.compiling import LOWEST, kernel
from ...jit.compiling import number as _f
from ...jit.simd import TOGETHER
from .blocks import keep_best_of_block
from .halves import widen


@kernel
def score_blocks(asked, starts, units, ends, blocks, scales, firsts, lasts, out, chunks):
    """MaxSim of windows for several queries, over bytes.

    ``asked`` (int8), ``starts`` (int32) and ``units`` (float32) hold the vectors of all queries end
    to end, filled up to a multiple of TOGETHER; query q ends at ``ends[q]``. Window w is the blocks
    ``firsts[w]`` to ``lasts[w] - 1``. The result is ``out[q, w]``.
    """
    best = np.empty((len(asked) * TOGETHER, TOGETHER), np.float32)
    for w in range(len(firsts)):
        best[:] = LOWEST
        for b in range(firsts[w], lasts[w]):
            for i in range(len(asked)):
                keep_best_of_block(blocks, b, scales, asked, i, starts, best, chunks)
        i = 0
        for q in range(len(ends)):
            total = _f(0)
            while i < ends[q]:
                total += best[i].max() * units[i]
                i += 1
            out[q, w] = total


@kernel
def score_halves(query, halves, starts, lengths, out):
    """MaxSim of windows for one query in float32; ``halves`` are float16 as uint16."""
    rows, dim = query.shape
    bits = np.empty((TOGETHER, dim), np.uint32)
    floats = bits.view(np.float32)
    best = np.empty(rows, np.float32)
    for w in range(len(starts)):
        best[:] = LOWEST
        end = starts[w] + lengths[w]
        for first in range(starts[w], end, TOGETHER):
            here = min(TOGETHER, end - first)
            for k in range(here):
                widen(halves, first + k, floats, bits, k)
            for i in range(rows):
                largest = best[i]
                for k in range(here):
                    total = _f(0)
                    for j in range(dim):
                        total += query[i, j] * floats[k, j]
                    largest = max(largest, total)
                best[i] = largest
        out[w] = best.sum()
