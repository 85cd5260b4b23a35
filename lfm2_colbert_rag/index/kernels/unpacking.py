# mypy: ignore-errors
"""Stored vectors unpacked and rebuilt without leaving the processor's registers.

Left to itself numba takes ten times as long: it goes through memory between every two of the
steps. What a level stands for is looked up in a register too, on processors that can.
``lanes`` and ``planes``: see :mod:`.codes`; ``chunks``: see :mod:`.simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..codec import BENDS
from .simd import (
    AVX2,
    CHUNK,
    LANES,
    TOGETHER,
    call,
    correction,
    has,
    numbers_at,
    pieces,
    product_sums,
    row_of,
    summed,
    total_of,
)

# What levels stand for is a whole number, by their bits: x (bend + x**2), or x bend where they are
# even. Multiplied (the first for bent levels) they fill 16 bits; divided they fit in 8, which adds
# less than a tenth to the error that they have.
TIMES, PARTS = {4: (3, 5), 2: (128, 128)}, {4: 74, 2: 2}
# A centroid's values are shifted by so many bits so that they fill 16.
SHIFTS = {4: 8, 2: 12}

_I8, _I16, _I32, _I64 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)


def parts_of(dim):
    """In how many parts of 1 the coordinates of a rebuilt vector count.

    The fewer coordinates the larger they may be. With these even the coarsest step and the largest
    scale that two unit vectors need are factors that fit in 16 bits.
    """
    return 1 << (14 - (dim < 32) - (dim < 8))


@intrinsic
def meet(typingctx, packed, t, bent, query, units, near, slot, step, norm, best, lanes, planes, chunks):
    """Compare stored vector t with all rows of ``query`` (uint8), and note what is best.

    ``best[i] = max(best[i], (near[slot, i] + product * units[i] * step) * norm)``, where the product
    is that of row i and the levels in 8 bits. There are as many rows as TOGETHER, or twice as many,
    and so on.
    """

    def codegen(context, builder, signature, args):
        source = row_of(context, builder, packed, *args[:2])
        levels = _levels_of(context, builder, source, args[2], lanes, planes, chunks)
        start = correction(context, builder, levels)
        beside = row_of(context, builder, near, *args[5:7])
        unit = context.make_array(units)(context, builder, args[4]).data
        noted = context.make_array(best)(context, builder, args[9])
        size = cgutils.unpack_tuple(builder, noted.shape)[0]
        step, norm = (_all(builder, value, TOGETHER) for value in args[7:9])
        with cgutils.for_range_slice(builder, size.type(0), size, size.type(TOGETHER), size.type) as (first, _):
            sums = []
            for n in range(TOGETHER):
                row = row_of(context, builder, query, args[3], builder.add(first, first.type(n)))
                sums.append(product_sums(context, builder, pieces(builder, row, chunks), levels, start))
            product = builder.sitofp(summed(builder, sums), step.type)
            there = [builder.gep(place, [first]) for place in (unit, beside, noted.data)]
            unit_of, known, before = (numbers_at(builder, place, 0, TOGETHER) for place in there)
            value = _fused(builder, product, builder.fmul(unit_of, step), known)
            value = builder.fmul(value, norm)
            higher = builder.fcmp_ordered(">", value, before)
            _store(builder, builder.select(higher, value, before), there[2], 0)
        return context.get_dummy_value()

    signature = types.void(packed, t, bent, query, units, near, slot, step, norm, best, lanes, planes, chunks)
    return signature, codegen


@intrinsic
def rebuild(typingctx, packed, t, centroids, c, near, far, bent, lanes, planes, whole, k):
    """Stored vector t around centroid c, in parts of 1, as row k of ``whole`` (int16).

    ``near`` and ``far`` (int16) say how large the centroid and the residual are: see
    :func:`parts_of`.
    """

    def codegen(context, builder, signature, args):
        nbits = 8 // len(planes)
        source = row_of(context, builder, packed, *args[:2])
        centroid = row_of(context, builder, centroids, *args[2:4])
        target = row_of(context, builder, whole, *args[9:11])
        for at, levels in _runs(builder, source, lanes, planes):
            words = ir.VectorType(_I16, levels.type.count)
            value = _values(context, builder, levels, nbits, args[6], wide=True)
            middle = builder.sext(numbers_at(builder, centroid, at, words.count), words)
            middle = builder.shl(middle, ir.Constant(words, [SHIFTS[nbits]] * words.count))
            middle = _scaled(context, builder, middle, args[4])
            value = _scaled(context, builder, value, args[5])
            name = f"llvm.sadd.sat.v{words.count}i16"
            _store(builder, call(builder, name, words, middle, value), target, at)
        return context.get_dummy_value()

    signature = types.void(packed, t, centroids, c, near, far, bent, lanes, planes, whole, k)
    return signature, codegen


@intrinsic
def energy_of(typingctx, whole, k, chunks):
    """int32 product of row k of ``whole`` (int16) and itself."""

    def codegen(context, builder, signature, args):
        row = pieces(builder, row_of(context, builder, whole, *args[:2]), chunks)
        return total_of(builder, product_sums(context, builder, row, row))

    return types.int32(whole, k, chunks), codegen


def _levels_of(context, builder, source, bent, lanes, planes, chunks):
    """All levels of a packed residual in 8 bits, as pieces of a row; zeros at the end.

    They pass through memory in name only: what is stored and loaded again in the same pieces
    stays in registers.
    """
    room = cgutils.alloca_once(builder, ir.ArrayType(_I8, CHUNK * len(chunks)))
    start = builder.bitcast(room, _I8.as_pointer())
    for at in range(len(lanes) * len(planes), CHUNK * len(chunks)):
        builder.store(_I8(0), builder.gep(start, [_I64(at)]))
    for at, levels in _runs(builder, source, lanes, planes):
        values = _values(context, builder, levels, 8 // len(planes), bent, wide=False)
        _store(builder, values, start, at)
    return pieces(builder, start, chunks)


def _runs(builder, source, lanes, planes):
    """Place and levels, counted from 0, of the coordinates that are unpacked together."""
    width, nbits = len(lanes), 8 // len(planes)
    count = min(width & -width, CHUNK)  # the largest power of two that divides the width
    for plane in range(len(planes)):
        for at in range(0, width, count):
            loaded = numbers_at(builder, source, at, count)
            shift = ir.Constant(loaded.type, [plane * nbits] * count)
            mask = ir.Constant(loaded.type, [(1 << nbits) - 1] * count)
            yield plane * width + at, builder.and_(builder.lshr(loaded, shift), mask)


def _values(context, builder, levels, nbits, bent, *, wide):
    """What levels stand for, in 16 bits or in 8."""
    if not has(context, AVX2):
        return _computed(builder, levels, nbits, bent, wide)
    known = [
        [_value(level % (1 << nbits), nbits, bend, wide) for level in range(16)]
        for bend in (True, False)
    ]
    low = _looked_up(builder, levels, bent, known, 0)
    if not wide:
        return low
    high = _looked_up(builder, levels, bent, known, 8)
    count = levels.type.count
    order = [place for n in range(count) for place in (n, count + n)]
    mask = ir.Constant(ir.VectorType(_I32, 2 * count), order)
    both = builder.shuffle_vector(low, high, mask)
    return builder.bitcast(both, ir.VectorType(_I16, count))


def _value(level, nbits, bent, wide):
    """What one level stands for."""
    place = 2 * level - (1 << nbits) + 1
    value = place * (BENDS[nbits] + bent * place * place)
    if wide:
        return value * TIMES[nbits][not bent]
    return (value * _inverse(nbits) + (1 << 15)) >> 16


def _inverse(nbits):
    return round((1 << 16) / PARTS[nbits])


def _computed(builder, levels, nbits, bent, wide):
    """:func:`_value` for processors that cannot look up."""
    count = levels.type.count
    kind = ir.VectorType(_I32, count)

    def all_of(value):
        return ir.Constant(kind, [value] * count)

    places = builder.shl(builder.zext(levels, kind), all_of(1))
    places = builder.sub(places, all_of((1 << nbits) - 1))
    even = builder.icmp_signed("==", bent, bent.type(0))
    squares = builder.mul(places, places)
    squares = builder.select(even, all_of(0), squares)
    value = builder.mul(places, builder.add(squares, all_of(BENDS[nbits])))
    if wide:
        times = builder.select(even, *(all_of(many) for many in reversed(TIMES[nbits])))
        return builder.trunc(builder.mul(value, times), ir.VectorType(_I16, count))
    value = builder.add(builder.mul(value, all_of(_inverse(nbits))), all_of(1 << 15))
    return builder.trunc(builder.ashr(value, all_of(16)), ir.VectorType(_I8, count))


def _looked_up(builder, levels, bent, known, shift):
    """One byte of what is known of each level, for bent levels and for even ones."""
    tables = [
        ir.Constant(ir.VectorType(_I8, CHUNK), [(value >> shift) & 255 for value in values] * 2)
        for values in known
    ]
    even = builder.icmp_signed("==", bent, bent.type(0))
    table = builder.select(even, tables[1], tables[0])
    count = levels.type.count
    if count < CHUNK:
        levels = _resized(builder, levels, CHUNK)
    found = call(builder, "llvm.x86.avx2.pshuf.b", table.type, table, levels)
    return found if count == CHUNK else _resized(builder, found, count)


def _resized(builder, vector, count):
    """The first numbers of a vector, or all and whatever."""
    mask = [min(n, vector.type.count - 1) for n in range(count)]
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_I32, count), mask))


def _scaled(context, builder, vector, factor):
    """Sixteen-bit numbers times a factor, in parts of 2**15."""
    count = vector.type.count
    if count > LANES:
        halves = []
        for first in range(0, count, LANES):
            mask = ir.Constant(ir.VectorType(_I32, LANES), list(range(first, first + LANES)))
            half = builder.shuffle_vector(vector, vector, mask)
            halves.append(_scaled(context, builder, half, factor))
        mask = ir.Constant(ir.VectorType(_I32, count), list(range(count)))
        return builder.shuffle_vector(*halves, mask)
    if count == LANES and has(context, AVX2):
        factors = _all(builder, factor, count)
        return call(builder, "llvm.x86.avx2.pmul.hr.sw", vector.type, vector, factors)
    kind = ir.VectorType(_I32, count)
    factors = _all(builder, builder.sext(factor, _I32), count)
    product = builder.mul(builder.sext(vector, kind), factors)
    product = builder.add(product, ir.Constant(kind, [1 << 14] * count))
    return builder.trunc(builder.ashr(product, ir.Constant(kind, [15] * count)), vector.type)


def _all(builder, value, count):
    """One number in all places of a vector."""
    kind = ir.VectorType(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    mask = ir.Constant(ir.VectorType(_I32, count), [0] * count)
    return builder.shuffle_vector(first, first, mask)


def _store(builder, vector, start, at):
    place = builder.bitcast(builder.gep(start, [_I64(at)]), vector.type.as_pointer())
    builder.store(vector, place, align=1)


def _fused(builder, a, b, c):
    """``a * b + c``."""
    return call(builder, f"llvm.fmuladd.v{a.type.count}f32", a.type, a, b, c)
