# mypy: ignore-errors
"""Products of small whole numbers, sixteen at a time.

Numba compiles a loop over int16 products to something three times slower than the machine can do:
it widens the factor that stays the same before the loop, and narrows it again in every round. These
functions say instead which vector instructions are meant. On processors without AVX2 (and without
x86) they become ordinary vector code of the same meaning.

``chunks`` is a tuple as long as a row has sixteens; rows are as long as that at least.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

FEATURE = "+avx2"
LANES = 16
TOGETHER = 8
LINE = 64  # bytes of a cache line

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_WORDS = ir.VectorType(_I16, LANES)
_SUMS = ir.VectorType(_I32, TOGETHER)


@intrinsic
def dot(typingctx, a, i, b, j, chunks):
    """int32 product of row i of ``a`` (int16) and row j of ``b`` (int16 or int8)."""

    def codegen(context, builder, signature, args):
        left, right = (
            row_of(context, builder, a, *args[:2]),
            row_of(context, builder, b, *args[2:4]),
        )
        pairs = (
            (_words(builder, left, at), _words(builder, right, at))
            for at in range(0, LANES * len(chunks), LANES)
        )
        return product(context, builder, pairs)

    return types.int32(a, i, b, j, chunks), codegen


@intrinsic
def dots(typingctx, a, i, b, j, out, chunks):
    """Products of row i of ``a`` (int16) and rows j to j + 7 of ``b``, into ``out[:8]`` (int32)."""

    def codegen(context, builder, signature, args):
        left = row_of(context, builder, a, *args[:2])
        rows = [
            row_of(context, builder, b, args[2], builder.add(args[3], args[3].type(n)))
            for n in range(TOGETHER)
        ]
        sums = [None] * TOGETHER
        for at in range(0, LANES * len(chunks), LANES):
            words = _words(builder, left, at)
            for n, right in enumerate(rows):
                more = _pair_sums(context, builder, words, _words(builder, right, at))
                sums[n] = more if sums[n] is None else builder.add(sums[n], more)
        target = context.make_array(out)(context, builder, args[4]).data
        builder.store(_summed(builder, sums), builder.bitcast(target, _SUMS.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(a, i, b, j, out, chunks), codegen


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


def row_of(context, builder, kind, value, row):
    """Where a row of a C-contiguous array of two dimensions starts."""
    array = context.make_array(kind)(context, builder, value)
    width = cgutils.unpack_tuple(builder, array.shape)[1]
    return builder.gep(array.data, [builder.mul(row, width)])


def numbers_at(builder, start, at, count):
    """So many neighbouring numbers of a row, as one vector."""
    kind = ir.VectorType(start.type.pointee, count)
    place = builder.bitcast(builder.gep(start, [_I64(at)]), kind.as_pointer())
    return builder.load(place, align=1)


def product(context, builder, pairs):
    """The sum of the products of pairs of vectors of sixteen int16."""
    total = None
    for left, right in pairs:
        more = _pair_sums(context, builder, left, right)
        total = more if total is None else builder.add(total, more)
    kind = ir.FunctionType(_I32, [_SUMS])
    name = "llvm.vector.reduce.add.v8i32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [total])


def _words(builder, start, at):
    """Sixteen numbers of a row, as int16."""
    loaded = numbers_at(builder, start, at, LANES)
    return loaded if loaded.type == _WORDS else builder.sext(loaded, _WORDS)


def _pair_sums(context, builder, a, b):
    """Sixteen products, neighbours added: eight int32."""
    if FEATURE in context.codegen().magic_tuple()[2]:
        kind = ir.FunctionType(_SUMS, [_WORDS, _WORDS])
        name = "llvm.x86.avx2.pmadd.wd"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b])
    wide = ir.VectorType(_I32, LANES)
    both = builder.mul(builder.sext(a, wide), builder.sext(b, wide))
    return _halved(builder, both, both, range(0, LANES, 2), range(1, LANES, 2))


def _summed(builder, sums):
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
    chosen = [
        builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(places)), list(places)))
        for places in (tuple(some), tuple(others))
    ]
    return builder.add(*chosen)
