# mypy: ignore-errors
"""Products of small whole numbers, thirty-two at a time.

Numba compiles a loop over int16 products to something three times slower than the machine can do:
it widens the factor that stays the same before the loop, and narrows it again in every round. These
functions say instead which vector instructions are meant. On processors that lack them (and without
x86) they become ordinary vector code of the same meaning.

A row is of int16, or of bytes, of which the left one of a product has 128 added to each (uint8): so
wants it the instruction that multiplies and adds four pairs of bytes at once. ``chunks`` is a tuple
as long as a row has thirty-twos; rows are as long as that at least.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

AVX2, VNNI = "+avx2", "+avx512vnni"
CHUNK, LANES = 32, 16
TOGETHER = 8
LINE = 64  # bytes of a cache line
OFFSET = 128  # of the bytes of a left row

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_BYTES = ir.VectorType(_I8, CHUNK)
_WORDS = ir.VectorType(_I16, LANES)
_SUMS = ir.VectorType(_I32, TOGETHER)


@intrinsic
def dots(typingctx, a, i, b, j, out, chunks):
    """Products of row i of ``a`` and rows j to j + 7 of ``b``, into ``out[:8]`` (int32)."""

    def codegen(context, builder, signature, args):
        left = row_of(context, builder, a, *args[:2])
        rows = [
            row_of(context, builder, b, args[2], builder.add(args[3], args[3].type(n)))
            for n in range(TOGETHER)
        ]
        whole = pieces(builder, left, chunks)
        sums = [product_sums(context, builder, whole, pieces(builder, r, chunks)) for r in rows]
        target = context.make_array(out)(context, builder, args[4]).data
        builder.store(summed(builder, sums), builder.bitcast(target, _SUMS.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(a, i, b, j, out, chunks), codegen


@intrinsic
def dots_with(typingctx, a, i, b, j, out, chunks):
    """Products of rows i to i + 7 of ``a`` and row j of ``b``, into ``out[:8]`` (int32)."""

    def codegen(context, builder, signature, args):
        right = pieces(builder, row_of(context, builder, b, *args[2:4]), chunks)
        start = correction(context, builder, right) if b.dtype == types.int8 else None
        rows = [
            row_of(context, builder, a, args[0], builder.add(args[1], args[1].type(n)))
            for n in range(TOGETHER)
        ]
        sums = [
            product_sums(context, builder, pieces(builder, r, chunks), right, start) for r in rows
        ]
        target = context.make_array(out)(context, builder, args[4]).data
        builder.store(summed(builder, sums), builder.bitcast(target, _SUMS.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(a, i, b, j, out, chunks), codegen


@intrinsic
def dot(typingctx, a, i, b, j, chunks):
    """int32 product of row i of ``a`` and row j of ``b``."""

    def codegen(context, builder, signature, args):
        left = pieces(builder, row_of(context, builder, a, *args[:2]), chunks)
        right = pieces(builder, row_of(context, builder, b, *args[2:4]), chunks)
        return total_of(builder, product_sums(context, builder, left, right))

    return types.int32(a, i, b, j, chunks), codegen


@intrinsic
def prefetch(typingctx, array, row, lanes, planes):
    """Let the machine fetch a row while something else is done.

    It is as many bytes long as the product of the lengths of two tuples.
    """

    def codegen(context, builder, signature, args):
        start = builder.bitcast(row_of(context, builder, array, *args[:2]), _I8.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [start.type, _I32, _I32, _I32])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for at in range(0, len(lanes) * len(planes), LINE):
            line = builder.gep(start, [_I64(at)])
            builder.call(ask, [line, _I32(0), _I32(3), _I32(1)])  # to read; all caches; data
        return context.get_dummy_value()

    return types.void(array, row, lanes, planes), codegen


def has(context, feature):
    """Tell whether the processor compiled for has some instructions."""
    return feature in context.codegen().magic_tuple()[2].split(",")


def row_of(context, builder, kind, value, row):
    """Where a row of a C-contiguous array starts, or one number of an array without rows."""
    array = context.make_array(kind)(context, builder, value)
    if kind.ndim == 1:
        return builder.gep(array.data, [row])
    width = cgutils.unpack_tuple(builder, array.shape)[1]
    return builder.gep(array.data, [builder.mul(row, width)])


def numbers_at(builder, start, at, count):
    """So many neighbouring numbers of a row, as one vector."""
    kind = ir.VectorType(start.type.pointee, count)
    place = builder.bitcast(builder.gep(start, [_I64(at)]), kind.as_pointer())
    return builder.load(place, align=1)


def pieces(builder, start, chunks):
    """A row, as vectors of as many numbers as are multiplied at once."""
    lanes = LANES if start.type.pointee == _I16 else CHUNK
    return [numbers_at(builder, start, at, lanes) for at in range(0, CHUNK * len(chunks), lanes)]


def product_sums(context, builder, left, right, start=None):
    """Eight int32 that add up to the product of two rows, given as :func:`pieces`.

    ``start`` is what :func:`correction` returns for the right row, where that is known.
    """
    if left[0].type == _WORDS:
        total = ir.Constant(_SUMS, [0] * TOGETHER)
        for one, other in zip(left, right, strict=True):
            total = _with_words(context, builder, total, one, other)
        return total
    total = correction(context, builder, right) if start is None else start
    for one, other in zip(left, right, strict=True):
        total = _with_bytes(context, builder, total, one, other)
    return total


def correction(context, builder, right):
    """What to begin with, so that the OFFSET of the left row's bytes does not count."""
    total = ir.Constant(_SUMS, [0] * TOGETHER)
    if not has(context, VNNI):
        return total
    offsets = ir.Constant(_BYTES, [OFFSET] * CHUNK)
    for part in right:
        total = _with_bytes(context, builder, total, offsets, part)
    return builder.neg(total)


def total_of(builder, sums):
    """The sum of eight int32."""
    kind = ir.FunctionType(_I32, [_SUMS])
    name = "llvm.vector.reduce.add.v8i32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [sums])


def call(builder, name, result, *arguments):
    """Call an instruction by the name that LLVM has for it."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, arguments)


def _with_bytes(context, builder, total, left, right):
    """Add the products of thirty-two pairs of bytes to eight sums."""
    if has(context, VNNI):
        left, right = builder.bitcast(left, _SUMS), builder.bitcast(right, _SUMS)
        return call(builder, "llvm.x86.avx512.vpdpbusd.256", _SUMS, total, left, right)
    left = builder.xor(left, ir.Constant(_BYTES, [OFFSET] * CHUNK))
    wide = ir.VectorType(_I16, CHUNK)
    left, right = builder.sext(left, wide), builder.sext(right, wide)
    for places in (range(LANES), range(LANES, CHUNK)):
        halves = (_chosen(builder, both, both, places) for both in (left, right))
        total = _with_words(context, builder, total, *halves)
    return total


def _with_words(context, builder, total, left, right):
    """Add the products of sixteen pairs of int16 to eight sums."""
    if has(context, VNNI):
        left, right = builder.bitcast(left, _SUMS), builder.bitcast(right, _SUMS)
        return call(builder, "llvm.x86.avx512.vpdpwssd.256", _SUMS, total, left, right)
    if has(context, AVX2):
        return builder.add(total, call(builder, "llvm.x86.avx2.pmadd.wd", _SUMS, left, right))
    wide = ir.VectorType(_I32, LANES)
    both = builder.mul(builder.sext(left, wide), builder.sext(right, wide))
    return builder.add(total, _halved(builder, both, both, range(0, LANES, 2), range(1, LANES, 2)))


def summed(builder, sums):
    """Eight vectors of eight numbers: one vector, with the sum of each."""
    pairs = [
        _halved(builder, *sums[n : n + 2], (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15))
        for n in range(0, TOGETHER, 2)
    ]
    low, high = [
        _halved(
            builder, *pairs[n : n + 2], (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)
        )
        for n in (0, 2)
    ]
    return _halved(builder, low, high, (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))


def _halved(builder, a, b, some, others):
    """Choose from two vectors twice, and add."""
    return builder.add(_chosen(builder, a, b, some), _chosen(builder, a, b, others))


def _chosen(builder, a, b, places):
    """Numbers of two vectors, those of the second after those of the first, at some places."""
    mask = ir.Constant(ir.VectorType(_I32, len(places)), list(places))
    return builder.shuffle_vector(a, b, mask)
