# mypy: ignore-errors
"""Products of small whole numbers, a chunk of thirty-two at a time.

Numba compiles a loop over int16 products to something three times slower than the machine can do:
it widens the factor that stays the same before the loop, and narrows it again in every round. These
functions say instead which vector instructions are meant. On processors that lack them (and without
x86) they become ordinary vector code of the same meaning.

They go through memory by address, so numba's own look at bounds (``NUMBA_BOUNDSCHECK=1``) would not
see them. Then :func:`row_of` looks itself.

A row is of int16, or of bytes. Of the left row's bytes each has OFFSET added (uint8): so wants it
the instruction that multiplies and adds four pairs of bytes at once. ``chunks`` is a tuple as long
as a row has chunks; rows are as long as that at least.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from . import CHUNK, OFFSET, TOGETHER

AVX2 = ("+avx2",)
VNNI = ("+avx512vnni", "+avxvnni")
LANES = 16
LINE = 64  # bytes of a cache line

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_BYTES = ir.VectorType(I8, CHUNK)
_WORDS = ir.VectorType(I16, LANES)
_SUMS = ir.VectorType(I32, TOGETHER)
_FLOATS = ir.VectorType(ir.FloatType(), TOGETHER)


@intrinsic
def keep_best(typingctx, a, i, b, factors, best, chunks):
    """Keep the larger of ``best[i, :8]`` and the products of row i of ``a`` and 8 rows of ``b``.

    The products are first multiplied with ``factors[:8]``.
    """

    def codegen(context, builder, signature, args):
        width = CHUNK * len(chunks)
        left = row_of(context, builder, a, *args[:2], width)
        rows = rows_of(context, builder, b, args[2], I64(0), width)
        found = builder.sitofp(_with_rows(context, builder, left, rows, chunks), _FLOATS)
        factor = row_of(context, builder, factors, args[3], I64(0), TOGETHER)
        found = builder.fmul(found, numbers_at(builder, factor, 0, TOGETHER))
        target = row_of(context, builder, best, args[4], args[1], TOGETHER)
        before = numbers_at(builder, target, 0, TOGETHER)
        store(builder, larger(builder, found, before), target, 0)
        return context.get_dummy_value()

    return types.void(a, i, b, factors, best, chunks), codegen


@intrinsic
def similar(typingctx, a, i, units, b, scales, j, out, chunks):
    """Products of row i of ``a`` and rows j to j + 7 of ``b``, in parts of their units.

    They become ``out[:8]`` (float32). Returns the largest.
    """

    def codegen(context, builder, signature, args):
        width = CHUNK * len(chunks)
        left = row_of(context, builder, a, *args[:2], width)
        rows = rows_of(context, builder, b, args[3], args[5], width)
        unit = builder.load(row_of(context, builder, units, args[2], args[1], 1))
        scale = row_of(context, builder, scales, args[4], args[5], TOGETHER)
        scale = numbers_at(builder, scale, 0, TOGETHER)
        scale = builder.fmul(scale, everywhere(builder, unit, TOGETHER))
        found = builder.sitofp(_with_rows(context, builder, left, rows, chunks), _FLOATS)
        found = builder.fmul(found, scale)
        store(builder, found, row_of(context, builder, out, args[6], I64(0), TOGETHER), 0)
        kind = ir.FunctionType(ir.FloatType(), [_FLOATS])
        largest = cgutils.get_or_insert_function(
            builder.module, kind, "llvm.vector.reduce.fmax.v8f32"
        )
        return builder.call(largest, [found], fastmath=("fast",))

    return types.float32(a, i, units, b, scales, j, out, chunks), codegen


@intrinsic
def dots_with(typingctx, a, i, b, j, out, chunks):
    """Products of rows i to i + 7 of ``a`` and row j of ``b``, into ``out[:8]`` (int32)."""

    def codegen(context, builder, signature, args):
        width = CHUNK * len(chunks)
        right = pieces(builder, row_of(context, builder, b, *args[2:4], width), chunks)
        start = correction(context, builder, right)
        rows = rows_of(context, builder, a, *args[:2], width)
        sums = [
            product_sums(context, builder, pieces(builder, r, chunks), right, start) for r in rows
        ]
        target = row_of(context, builder, out, args[4], I64(0), TOGETHER)
        store(builder, summed(builder, sums), target, 0)
        return context.get_dummy_value()

    return types.void(a, i, b, j, out, chunks), codegen


@intrinsic
def dot(typingctx, a, i, b, j, chunks):
    """int32 product of row i of ``a`` and row j of ``b``."""

    def codegen(context, builder, signature, args):
        width = CHUNK * len(chunks)
        left = pieces(builder, row_of(context, builder, a, *args[:2], width), chunks)
        right = pieces(builder, row_of(context, builder, b, *args[2:4], width), chunks)
        return total_of(builder, product_sums(context, builder, left, right))

    return types.int32(a, i, b, j, chunks), codegen


@intrinsic
def prefetch(typingctx, array, at, chunks):
    """Let the machine fetch a row of bytes, or a number of an array without rows."""

    def codegen(context, builder, signature, args):
        start = builder.bitcast(row_of(context, builder, array, *args[:2]), I8.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [start.type, I32, I32, I32])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for first in range(0, CHUNK * len(chunks), LINE):
            line = builder.gep(start, [I64(first)])
            builder.call(ask, [line, I32(0), I32(3), I32(1)])  # to read; all caches; data
        return context.get_dummy_value()

    return types.void(array, at, chunks), codegen


def has(context, features):
    """Tell whether the processor compiled for has one of some features."""
    known = context.codegen().magic_tuple()[2].split(",")
    return any(feature in known for feature in features)


def row_of(context, builder, kind, value, row, numbers=None):
    """Where a row of a C-contiguous array starts, or one number of an array without rows.

    So many ``numbers`` of the row, or from that number on, are read or written; None where nothing
    is. Where numba is told to look at bounds they must be there.
    """
    array = context.make_array(kind)(context, builder, value)
    lengths = cgutils.unpack_tuple(builder, array.shape)
    if numbers is not None and context.enable_boundscheck:
        cgutils.do_boundscheck(context, builder, row, lengths[0])
        last = I64(numbers - 1) if kind.ndim == 2 else builder.add(row, row.type(numbers - 1))
        cgutils.do_boundscheck(context, builder, last, lengths[-1])
    if kind.ndim == 1:
        return builder.gep(array.data, [row])
    return builder.gep(array.data, [builder.mul(row, lengths[1])])


def rows_of(context, builder, kind, value, first, numbers):
    """Where so many rows as are taken TOGETHER start; ``numbers``: see :func:`row_of`."""
    return [
        row_of(context, builder, kind, value, builder.add(first, first.type(n)), numbers)
        for n in range(TOGETHER)
    ]


def numbers_at(builder, start, at, count):
    """So many neighbouring numbers of a row, as one vector."""
    kind = ir.VectorType(start.type.pointee, count)
    place = builder.bitcast(builder.gep(start, [I64(at)]), kind.as_pointer())
    return builder.load(place, align=1)


def store(builder, vector, start, at):
    """Write a vector into a row."""
    place = builder.bitcast(builder.gep(start, [I64(at)]), vector.type.as_pointer())
    builder.store(vector, place, align=1)


def pieces(builder, start, chunks):
    """A row, as vectors of as many numbers as are multiplied at once."""
    lanes = LANES if start.type.pointee == I16 else CHUNK
    return [numbers_at(builder, start, at, lanes) for at in range(0, CHUNK * len(chunks), lanes)]


def product_sums(context, builder, left, right, start=None, *, small=False):
    """Eight int32 that add up to the product of two rows, given as :func:`pieces`.

    ``start`` is what :func:`correction` returns for the right row, where that is known; ``small``
    says that the right row's bytes are at most 63, which is quick on AVX2 too: two products with
    them fit 16 bits.
    """
    if left[0].type == _WORDS:
        add, total = _with_words, ir.Constant(_SUMS, [0] * TOGETHER)
    else:
        add = _with_small_bytes if small else _with_bytes
        total = correction(context, builder, right, small=small) if start is None else start
    for one, other in zip(left, right, strict=True):
        total = add(context, builder, total, one, other)
    return total


def correction(context, builder, right, *, small=False):
    """What to begin with, so that the OFFSET of the left row's bytes does not count."""
    total = ir.Constant(_SUMS, [0] * TOGETHER)
    quick = has(context, VNNI) or (small and has(context, AVX2))
    if right[0].type == _WORDS or not quick:
        return total
    offsets = ir.Constant(_BYTES, [OFFSET] * CHUNK)
    add = _with_small_bytes if small else _with_bytes
    for part in right:
        total = add(context, builder, total, offsets, part)
    return builder.neg(total)


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


def total_of(builder, sums):
    """The sum of eight int32, or of eight float32."""
    if sums.type == _SUMS:
        return call(builder, "llvm.vector.reduce.add.v8i32", I32, sums)
    number = ir.FloatType()
    kind = ir.FunctionType(number, [number, sums.type])
    name = "llvm.vector.reduce.fadd.v8f32"
    add = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(add, [number(0.0), sums], fastmath=("reassoc",))


def larger(builder, one, other):
    """The larger of each two of eight float32, none of them NaN.

    Chosen by a comparison they would be written under a mask, which takes some processors longer
    than all that was computed.
    """
    kind = ir.FunctionType(_FLOATS, [_FLOATS, _FLOATS])
    choose = cgutils.get_or_insert_function(builder.module, kind, "llvm.maxnum.v8f32")
    return builder.call(choose, [one, other], fastmath=("nnan", "nsz"))


def call(builder, name, result, *arguments):
    """Call an instruction by the name that LLVM has for it."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, arguments)


def chosen(builder, a, b, places):
    """Numbers of two vectors, those of the second after those of the first, at some places."""
    mask = ir.Constant(ir.VectorType(I32, len(places)), list(places))
    return builder.shuffle_vector(a, b, mask)


def everywhere(builder, value, count):
    """One number in all places of a vector."""
    kind = ir.VectorType(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, I32(0))
    return chosen(builder, first, first, [0] * count)


def _with_rows(context, builder, left, rows, chunks):
    """Eight int32: the products of one row and eight others."""
    left, rows = pieces(builder, left, chunks), [pieces(builder, row, chunks) for row in rows]
    start = None
    if left[0].type == _BYTES:
        # The other way round what to begin with is the same for all of them.
        left = _shifted(builder, left)
        start = correction(context, builder, left)
    sums = []
    for row in rows:
        if start is None:
            sums.append(product_sums(context, builder, left, row))
        else:
            sums.append(product_sums(context, builder, _shifted(builder, row), left, start))
    return summed(builder, sums)


def _shifted(builder, parts):
    """Bytes with OFFSET added, or taken away again."""
    return [builder.xor(part, ir.Constant(_BYTES, [OFFSET] * CHUNK)) for part in parts]


def _with_bytes(context, builder, total, left, right):
    """Add the products of thirty-two pairs of bytes to eight sums."""
    if has(context, VNNI):
        left, right = builder.bitcast(left, _SUMS), builder.bitcast(right, _SUMS)
        return call(builder, "llvm.x86.avx512.vpdpbusd.256", _SUMS, total, left, right)
    (left,) = _shifted(builder, [left])
    wide = ir.VectorType(I16, CHUNK)
    left, right = builder.sext(left, wide), builder.sext(right, wide)
    for places in (range(LANES), range(LANES, CHUNK)):
        halves = (chosen(builder, both, both, places) for both in (left, right))
        total = _with_words(context, builder, total, *halves)
    return total


def _with_small_bytes(context, builder, total, left, right):
    """Do the same where the right ones are small."""
    if has(context, VNNI) or not has(context, AVX2):
        return _with_bytes(context, builder, total, left, right)
    pairs = call(builder, "llvm.x86.avx2.pmadd.ub.sw", _WORDS, left, right)
    return _with_words(context, builder, total, pairs, ir.Constant(_WORDS, [1] * LANES))


def _with_words(context, builder, total, left, right):
    """Add the products of sixteen pairs of int16 to eight sums."""
    if has(context, AVX2):
        return builder.add(total, call(builder, "llvm.x86.avx2.pmadd.wd", _SUMS, left, right))
    wide = ir.VectorType(I32, LANES)
    both = builder.mul(builder.sext(left, wide), builder.sext(right, wide))
    return builder.add(total, _halved(builder, both, both, range(0, LANES, 2), range(1, LANES, 2)))


def _halved(builder, a, b, some, others):
    """Choose from two vectors twice, and add."""
    return builder.add(chosen(builder, a, b, some), chosen(builder, a, b, others))
