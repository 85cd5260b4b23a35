# mypy: ignore-errors
"""MaxSim of windows: over bytes with a known error, and over the stored float16 themselves."""

from __future__ import annotations

import numpy as np

from ...jit import TOGETHER
from ...jit.compiling import LOWEST, exact_kernel, kernel
from ...jit.compiling import number as _f
from .blocks import keep_best_of_block
from .floats import keep_best_in_order, widen_quickly, widens_quickly
from .halves import widen


@kernel
def score_blocks(asked, starts, units, ends, blocks, scales, firsts, lasts, out, chunks):
    """MaxSim of windows for several queries, over bytes.

    The vectors of all queries lie end to end in blocks (``asked``, int8); query q ends before
    vector ``ends[q]``, whose bytes are parts of ``units``. Window w is the blocks ``firsts[w]`` to
    ``lasts[w] - 1``. The result is ``out[w, q]``.
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
            out[w, q] = total


@exact_kernel
def score_halves(query, halves, starts, ends, out, chunks):
    """MaxSim of windows for one query in float32, summed in order; ``halves`` are uint16.

    Rows of the query are filled up with zeros to CHUNK ``chunks``.
    """
    rows = len(query)
    bits = np.zeros((TOGETHER, query.shape[1]), np.uint32)
    floats = bits.view(np.float32)
    quickly = widens_quickly() and halves.shape[1] == query.shape[1]
    best = np.empty((rows, TOGETHER), np.float32)
    for w in range(len(starts)):
        best[:] = LOWEST
        for first in range(starts[w], ends[w], TOGETHER):
            for k in range(TOGETHER):
                t = min(first + k, ends[w] - 1)  # the last one again, which changes no maximum
                if quickly:
                    widen_quickly(halves, t, floats, k, chunks)
                else:
                    widen(halves, t, floats, bits, k)
            for i in range(rows):
                keep_best_in_order(query, i, floats, best, chunks)
        total = _f(0)
        for i in range(rows):
            total += best[i].max()
        out[w] = total
