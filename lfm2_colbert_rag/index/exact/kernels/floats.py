# mypy: ignore-errors
"""Products of float32 rows, summed in an order that plain numpy can follow to the last bit."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ...jit import CHUNK, TOGETHER
from ...jit.simd import I64, chosen, numbers_at, row_of

_FLOATS = ir.VectorType(ir.FloatType(), TOGETHER)


@intrinsic
def ordered_dot(typingctx, a, i, b, j, chunks):
    """float32 product of row i of ``a`` and row j of ``b``; see :func:`...maxsim.ordered_sum`."""

    def codegen(context, builder, signature, args):
        a, _, b, _, _ = signature.args
        width = CHUNK * len(chunks)
        left = row_of(context, builder, a, *args[:2], width)
        right = row_of(context, builder, b, *args[2:4], width)
        total = ir.Constant(_FLOATS, [0.0] * TOGETHER)
        for at in range(0, width, TOGETHER):
            one, other = (numbers_at(builder, row, at, TOGETHER) for row in (left, right))
            total = builder.fadd(total, builder.fmul(one, other))
        count = TOGETHER
        while count > 1:
            count //= 2
            low, high = (chosen(builder, total, total, range(n, n + count)) for n in (0, count))
            total = builder.fadd(low, high)
        return builder.extract_element(total, I64(0))

    return types.float32(a, i, b, j, chunks), codegen
