# mypy: ignore-errors
"""Products of float32 rows, summed in an order that plain numpy can follow to the last bit."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ...jit import CHUNK, TOGETHER
from ...jit.simd import I64, chosen, has, larger, numbers_at, row_of, rows_of, store

F16C = ("+f16c",)
_FLOATS = ir.VectorType(ir.FloatType(), TOGETHER)
_HALVES = ir.VectorType(ir.HalfType(), TOGETHER)


@intrinsic
def keep_best_in_order(typingctx, query, i, stored, best, chunks):
    """Keep the larger of ``best[i, :8]`` and the products of row i of ``query`` and 8 ``stored``.

    For the order of the sums see :func:`...maxsim.ordered_similarities`.
    """

    def codegen(context, builder, signature, args):
        query, _, stored, best, _ = signature.args
        width = CHUNK * len(chunks)
        left = row_of(context, builder, query, *args[:2], width)
        rows = rows_of(context, builder, stored, args[2], I64(0), width)
        totals = [ir.Constant(_FLOATS, [0.0] * TOGETHER) for _ in rows]
        for at in range(0, width, TOGETHER):
            one = numbers_at(builder, left, at, TOGETHER)
            for n, row in enumerate(rows):
                other = numbers_at(builder, row, at, TOGETHER)
                totals[n] = builder.fadd(totals[n], builder.fmul(one, other))
        while (size := len(totals)) > 1:
            totals = [_folded(builder, *totals[n : n + 2], size) for n in range(0, size, 2)]
        target = row_of(context, builder, best, args[3], args[1], TOGETHER)
        before = numbers_at(builder, target, 0, TOGETHER)
        store(builder, larger(builder, totals[0], before), target, 0)
        return context.get_dummy_value()

    return types.void(query, i, stored, best, chunks), codegen


@intrinsic
def widens_quickly(typingctx):
    """Tell whether the processor compiled for turns float16 into float32 itself."""

    def codegen(context, builder, signature, args):
        return ir.Constant(ir.IntType(1), has(context, F16C))

    return types.boolean(), codegen


@intrinsic
def widen_quickly(typingctx, halves, t, floats, k, chunks):
    """Row t of float16, given as uint16 and as long as ``chunks``, becomes row k of ``floats``."""

    def codegen(context, builder, signature, args):
        if has(context, F16C):
            width = CHUNK * len(chunks)
            start = row_of(context, builder, signature.args[0], *args[:2], width)
            target = row_of(context, builder, signature.args[2], *args[2:4], width)
            for at in range(0, width, TOGETHER):
                half = builder.bitcast(numbers_at(builder, start, at, TOGETHER), _HALVES)
                store(builder, builder.fpext(half, _FLOATS), target, at)
        return context.get_dummy_value()

    return types.void(halves, t, floats, k, chunks), codegen


def _folded(builder, one, other, size):
    """Add the upper halves of groups of so many sums to the lower ones; groups stay in order."""
    firsts = range(0, 2 * TOGETHER, size)
    low = [first + n for first in firsts for n in range(size // 2)]
    high = [place + size // 2 for place in low]
    return builder.fadd(chosen(builder, one, other, low), chosen(builder, one, other, high))
