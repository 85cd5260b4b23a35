# mypy: ignore-errors
"""Stored vectors unpacked and rebuilt without leaving the processor's registers.

Left to itself numba takes five times as long: it goes through memory between every two of the
steps. ``lanes`` and ``planes``: see :mod:`.codes`.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..codec import BENDS
from .simd import LANES, numbers_at, product, row_of

# Unit length in whole numbers. A product of two rows so long, and every part of its sum, is below
# 2**31 by the inequality of Cauchy and Schwarz; what rounding does to it is below 1e-4.
FULL = 32_767

_F32, _I16, _I32, _I64 = ir.FloatType(), ir.IntType(16), ir.IntType(32), ir.IntType(64)


@intrinsic
def level_dots(typingctx, packed, t, bent, query, rows, first, last, out, lanes, planes, chunks):
    """Products of the levels of residual t with some rows of ``query`` (int16).

    Levels count in parts, of which a step has twice its bend. The rows are ``rows[first:last]``;
    their products (int32) become ``out[: last - first]``.
    """

    def codegen(context, builder, signature, args):
        source = row_of(context, builder, packed, *args[:2])
        levels = _unpacked(builder, source, args[2], lanes, planes, chunks)
        asked = context.make_array(rows)(context, builder, args[4]).data
        target = context.make_array(out)(context, builder, args[7]).data
        with cgutils.for_range(builder, builder.sub(args[6], args[5])) as loop:
            place = builder.gep(asked, [builder.add(args[5], loop.index)])
            row = builder.sext(builder.load(place), _I64)
            start = row_of(context, builder, query, args[3], row)
            pairs = ((numbers_at(builder, start, at, LANES), level) for at, level in levels)
            builder.store(product(context, builder, pairs), builder.gep(target, [loop.index]))
        return context.get_dummy_value()

    signature = types.void(packed, t, bent, query, rows, first, last, out, lanes, planes, chunks)
    return signature, codegen


@intrinsic
def rebuild(typingctx, packed, t, centroids, c, scale, step, bend, lanes, planes, whole, k):
    """Stored vector t around centroid c, at unit length in parts of FULL, as row k of ``whole``.

    Returns the length that it had, as float32.
    """

    def codegen(context, builder, signature, args):
        source = row_of(context, builder, packed, *args[:2])
        centroid = row_of(context, builder, centroids, *args[2:4])
        target = row_of(context, builder, whole, *args[9:11])
        half = builder.fmul(args[5], _F32(0.5))
        curve = builder.fmul(half, args[6])
        parts, energies = [], {}
        for plane, at, count in _runs(lanes, planes):
            floats = ir.VectorType(_F32, count)
            place = _places(builder, source, plane, at, count, planes, _I32)
            place = builder.sitofp(place, floats)
            near = numbers_at(builder, centroid, plane * len(lanes) + at, count)
            near = builder.sitofp(builder.sext(near, ir.VectorType(_I32, count)), floats)
            slope = _fused(
                builder,
                builder.fmul(place, place),
                _all(builder, curve, count),
                _all(builder, half, count),
            )
            value = builder.fmul(place, slope)
            value = _fused(builder, near, _all(builder, args[4], count), value)
            # Two sums, so that one addition need not wait for the one before.
            number = len(parts) % 2
            before = energies.get(number, ir.Constant(floats, [0.0] * count))
            energies[number] = _fused(builder, value, value, before)
            parts.append((plane * len(lanes) + at, value))
        length = _length(builder, list(energies.values()))
        factor = builder.fdiv(_F32(FULL), length)
        for at, value in parts:
            _store(builder, _rounded(builder, value, factor), target, at)
        return length

    signature = types.float32(packed, t, centroids, c, scale, step, bend, lanes, planes, whole, k)
    return signature, codegen


def _unpacked(builder, source, bent, lanes, planes, chunks):
    """All levels of a packed residual, as places and vectors of int16; zeros at the end.

    They pass through memory in name only: what is stored and loaded again in the same pieces
    stays in registers.
    """
    room = cgutils.alloca_once(builder, ir.ArrayType(_I16, LANES * len(chunks)))
    start = builder.bitcast(room, _I16.as_pointer())
    for at in range(len(lanes) * len(planes), LANES * len(chunks)):
        builder.store(_I16(0), builder.gep(start, [_I64(at)]))
    bend, mask = BENDS[8 // len(planes)], builder.neg(builder.trunc(bent, _I16))
    for plane, at, count in _runs(lanes, planes):
        place = _places(builder, source, plane, at, count, planes, _I16)
        curve = builder.and_(builder.mul(place, place), _all(builder, mask, count))
        slope = builder.add(curve, ir.Constant(place.type, [bend] * count))
        _store(builder, builder.mul(place, slope), start, plane * len(lanes) + at)
    places = range(0, LANES * len(chunks), LANES)
    return [(at, numbers_at(builder, start, at, LANES)) for at in places]


def _runs(lanes, planes):
    """Plane, first byte and number of the bytes that are unpacked together."""
    width = len(lanes)
    count = min(width & -width, LANES)  # the largest power of two that divides the width
    return [(p, at, count) for p in range(len(planes)) for at in range(0, width, count)]


def _places(builder, source, plane, at, count, planes, kind):
    """The levels of neighbouring bytes in one plane, as odd numbers around zero."""
    nbits = 8 // len(planes)
    most = (1 << nbits) - 1
    loaded = numbers_at(builder, source, at, count)
    shift = ir.Constant(loaded.type, [plane * nbits] * count)
    level = builder.and_(builder.lshr(loaded, shift), ir.Constant(loaded.type, [most] * count))
    wide = builder.zext(level, ir.VectorType(kind, count))
    twice = builder.shl(wide, ir.Constant(wide.type, [1] * count))
    return builder.sub(twice, ir.Constant(wide.type, [most] * count))


def _length(builder, energies):
    """Length of a vector, given the sums of its squares; never 0."""
    total = energies[0]
    for more in energies[1:]:
        total = builder.fadd(total, more)
    name = f"llvm.vector.reduce.fadd.v{total.type.count}f32"
    kind = ir.FunctionType(_F32, [_F32, total.type])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    energy = builder.call(function, [_F32(0.0), total], fastmath=("reassoc",))
    root = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_F32, [_F32]), "llvm.sqrt.f32"
    )
    length, least = builder.call(root, [energy]), _F32(1e-12)
    return builder.select(builder.fcmp_ordered(">", length, least), length, least)


def _rounded(builder, value, factor):
    """The nearest int16 of each product; the same of a positive number is cutting off."""
    count = value.type.count
    bias = ir.Constant(value.type, [32768.5] * count)
    positive = _fused(builder, value, _all(builder, factor, count), bias)
    cut = builder.fptosi(positive, ir.VectorType(_I32, count))
    words = builder.trunc(cut, ir.VectorType(_I16, count))
    return builder.xor(words, ir.Constant(words.type, [-32768] * count))


def _fused(builder, a, b, c):
    """``a * b + c``."""
    kind = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fmuladd.v{a.type.count}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


def _all(builder, value, count):
    """One number in all places of a vector."""
    kind = ir.VectorType(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    mask = ir.Constant(ir.VectorType(_I32, count), [0] * count)
    return builder.shuffle_vector(first, first, mask)


def _store(builder, vector, start, at):
    place = builder.bitcast(builder.gep(start, [_I64(at)]), vector.type.as_pointer())
    builder.store(vector, place, align=1)
