# mypy: ignore-errors
"""What the levels of a packed residual stand for, as whole numbers in a register.

See :mod:`..whole_levels`. Processors that can look the values up; others work them out, with the
same result.
"""

from __future__ import annotations

from llvmlite import ir

from ...jit.simd import AVX2, CHUNK, I8, I16, I32, call, chosen, has, numbers_at
from ..codec import BENDS
from ..whole_levels import TIMES, inverse_of_parts, whole_value


def runs_of(builder, source, shape):
    """Place and levels, counted from 0, of the coordinates that are unpacked together."""
    lanes, planes, _ = shape.types
    width, nbits = len(lanes), 8 // len(planes)
    count = min(width & -width, CHUNK)  # the largest power of two that divides the width
    for plane in range(len(planes)):
        for at in range(0, width, count):
            loaded = numbers_at(builder, source, at, count)
            shift = ir.Constant(loaded.type, [plane * nbits] * count)
            mask = ir.Constant(loaded.type, [(1 << nbits) - 1] * count)
            yield plane * width + at, builder.and_(builder.lshr(loaded, shift), mask)


def values_of(context, builder, levels, nbits, *, wide):
    """What levels stand for, in 16 bits or in 8."""
    if not has(context, AVX2):
        return _computed(builder, levels, nbits, wide)
    values = [whole_value(level % (1 << nbits), nbits, wide=wide) for level in range(16)]
    low = _looked_up(builder, levels, values, 0)
    if not wide:
        return low
    high = _looked_up(builder, levels, values, 8)
    count = levels.type.count
    both = chosen(builder, low, high, [place for n in range(count) for place in (n, count + n)])
    return builder.bitcast(both, ir.VectorType(I16, count))


def _computed(builder, levels, nbits, wide):
    """:func:`whole_value` of all levels of a vector."""
    count = levels.type.count
    kind = ir.VectorType(I32, count)

    def all_of(value):
        return ir.Constant(kind, [value] * count)

    places = builder.shl(builder.zext(levels, kind), all_of(1))
    places = builder.sub(places, all_of((1 << nbits) - 1))
    stretch = builder.add(builder.mul(places, places), all_of(BENDS[nbits]))
    value = builder.mul(places, stretch)
    if wide:
        value = builder.mul(value, all_of(TIMES[nbits]))
        return builder.trunc(value, ir.VectorType(I16, count))
    value = builder.add(builder.mul(value, all_of(inverse_of_parts(nbits))), all_of(1 << 15))
    return builder.trunc(builder.ashr(value, all_of(16)), ir.VectorType(I8, count))


def _looked_up(builder, levels, values, shift):
    """One byte of the values of levels."""
    count = levels.type.count
    kind = ir.VectorType(I8, CHUNK)
    table = ir.Constant(kind, [(value >> shift) & 255 for value in values] * 2)
    if count < CHUNK:
        levels = chosen(builder, levels, levels, [min(n, count - 1) for n in range(CHUNK)])
    found = call(builder, "llvm.x86.avx2.pshuf.b", kind, table, levels)
    return found if count == CHUNK else chosen(builder, found, found, range(count))
