# mypy: ignore-errors
"""Stored vectors unpacked, compared and rebuilt without leaving the processor's registers.

Left to itself numba takes ten times as long: it goes through memory between every two of the
steps. ``shape``: see :mod:`..structs`.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ...jit.simd import (
    AVX2,
    CHUNK,
    I8,
    I16,
    I32,
    I64,
    LANES,
    TOGETHER,
    call,
    chosen,
    correction,
    everywhere,
    has,
    numbers_at,
    pieces,
    product_sums,
    row_of,
    rows_of,
    store,
    summed,
    total_of,
)
from ..whole_levels import SHIFTS
from .levels import runs_of, values_of


@intrinsic
def compare(typingctx, packed, t, query, units, near, slot, step, norm, best, shape):
    """Compare stored vector t with all rows of ``query`` (uint8), and keep what is best.

    ``best[i] = max(best[i], (near[slot, i] + dot * units[i] * step) * norm)``, where the dot
    product is that of row i and the levels in 8 bits. Rows are a multiple of TOGETHER.
    """

    def codegen(context, builder, signature, args):
        chunks = shape.types[2]
        levels = _levels_of(context, builder, packed, *args[:2], shape)
        start = correction(context, builder, levels, small=True)
        kept = context.make_array(best)(context, builder, args[8])
        rows = cgutils.unpack_tuple(builder, kept.shape)[0]
        beside = row_of(context, builder, near, *args[4:6], TOGETHER)
        unit = context.make_array(units)(context, builder, args[3]).data
        step, norm = (everywhere(builder, value, TOGETHER) for value in args[6:8])
        count = rows.type(TOGETHER)
        with cgutils.for_range_slice(builder, rows.type(0), rows, count) as (first, _):
            for kind, array in ((units, args[3]), (best, args[8])):
                row_of(context, builder, kind, array, first, TOGETHER)
            sums = [
                product_sums(
                    context, builder, pieces(builder, row, chunks), levels, start, small=True
                )
                for row in rows_of(context, builder, query, args[2], first, CHUNK * len(chunks))
            ]
            places = [builder.gep(place, [first]) for place in (unit, beside, kept.data)]
            factor, known, before = (numbers_at(builder, p, 0, TOGETHER) for p in places)
            dot = builder.sitofp(summed(builder, sums), step.type)
            dot = builder.fmul(dot, builder.fmul(factor, step), flags=("contract",))
            value = builder.fadd(dot, known, flags=("contract",))
            value = builder.fmul(value, norm)
            higher = builder.fcmp_ordered(">", value, before)
            store(builder, builder.select(higher, value, before), places[2], 0)
        return context.get_dummy_value()

    return types.void(packed, t, query, units, near, slot, step, norm, best, shape), codegen


@intrinsic
def rebuild(typingctx, packed, t, centroids, c, near, far, whole, k, shape):
    """Stored vector t around centroid c, in parts of 1, as row k of ``whole`` (int16).

    ``near`` and ``far`` (int16) say how large the centroid and the residual are, in parts of 2**15:
    the one of the centroid's shifted values, the other of the levels in 16 bits.
    """

    def codegen(context, builder, signature, args):
        nbits = 8 // len(shape.types[1])
        dim = len(shape.types[0]) * len(shape.types[1])
        source = row_of(context, builder, packed, *args[:2], len(shape.types[0]))
        centroid = row_of(context, builder, centroids, *args[2:4], dim)
        target = row_of(context, builder, whole, *args[6:8], dim)
        for at, levels in runs_of(builder, source, shape):
            words = ir.VectorType(I16, levels.type.count)
            middle = builder.sext(numbers_at(builder, centroid, at, words.count), words)
            middle = builder.shl(middle, ir.Constant(words, [SHIFTS[nbits]] * words.count))
            middle = _scaled(context, builder, middle, args[4])
            rest = values_of(context, builder, levels, nbits, wide=True)
            rest = _scaled(context, builder, rest, args[5])
            store(builder, builder.add(middle, rest), target, at)
        return context.get_dummy_value()

    return types.void(packed, t, centroids, c, near, far, whole, k, shape), codegen


@intrinsic
def squared_norm(typingctx, whole, k, shape):
    """float32 product of row k of ``whole`` (int16) and itself."""

    def codegen(context, builder, signature, args):
        width = CHUNK * len(shape.types[2])
        row = pieces(builder, row_of(context, builder, whole, *args[:2], width), shape.types[2])
        sums = product_sums(context, builder, row, row)
        return total_of(builder, builder.sitofp(sums, ir.VectorType(ir.FloatType(), TOGETHER)))

    return types.float32(whole, k, shape), codegen


def _levels_of(context, builder, packed, array, t, shape):
    """All levels of a residual in 8 bits, as pieces of a row; zeros at the end.

    They pass through memory in name only: what is stored and loaded again in the same pieces
    stays in registers.
    """
    lanes, planes, chunks = shape.types
    room = cgutils.alloca_once(builder, ir.ArrayType(I8, CHUNK * len(chunks)))
    start = builder.bitcast(room, I8.as_pointer())
    for at in range(len(lanes) * len(planes), CHUNK * len(chunks)):
        builder.store(I8(0), builder.gep(start, [I64(at)]))
    source = row_of(context, builder, packed, array, t, len(lanes))
    for at, levels in runs_of(builder, source, shape):
        values = values_of(context, builder, levels, 8 // len(planes), wide=False)
        store(builder, values, start, at)
    return pieces(builder, start, chunks)


def _scaled(context, builder, vector, factor):
    """Numbers of 16 bits times a factor in parts of 2**15, rounded."""
    count = vector.type.count
    if count > LANES:
        halves = (
            _scaled(context, builder, chosen(builder, vector, vector, places), factor)
            for places in (range(LANES), range(LANES, count))
        )
        return chosen(builder, *halves, range(count))
    if count == LANES and has(context, AVX2):
        factors = everywhere(builder, factor, count)
        return call(builder, "llvm.x86.avx2.pmul.hr.sw", vector.type, vector, factors)
    kind = ir.VectorType(I32, count)
    factors = everywhere(builder, builder.sext(factor, I32), count)
    product = builder.mul(builder.sext(vector, kind), factors)
    product = builder.add(product, ir.Constant(kind, [1 << 14] * count))
    return builder.trunc(builder.ashr(product, ir.Constant(kind, [15] * count)), vector.type)
