# mypy: ignore-errors
"""Products of bytes, eight stored vectors beside one another and eight query vectors in turn.

A *block* holds the bytes of TOGETHER vectors: four coordinates of the first, the same four of the
second, and so on, then the next four coordinates. So a vector register holds one piece of all
eight, the sums of the eight lie beside one another, and nothing is ever added across a register.

Sums of the products of GROUP coordinates fit 16 bits, as :mod:`..quantized` makes query vectors, so
only every fourth of them has to be widened. Where one instruction adds four products to 32 bits
(VNNI), it is used; the results are the same, as whole numbers are.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ...jit import CHUNK, TOGETHER
from ...jit.simd import (
    AVX2,
    I8,
    I16,
    I32,
    I64,
    VNNI,
    call,
    chosen,
    everywhere,
    has,
    larger,
    numbers_at,
    row_of,
    store,
)
from ..layout import FOUR, GROUP

PIECES = GROUP // 2  # of a block, whose products are added in 16 bits
_BYTES = ir.VectorType(I8, CHUNK)
_WORDS = ir.VectorType(I16, CHUNK // 2)
_SUMS = ir.VectorType(I32, TOGETHER)
_FLOATS = ir.VectorType(ir.FloatType(), TOGETHER)


@intrinsic
def keep_best_of_block(typingctx, blocks, b, scales, asked, i, starts, best, chunks):
    """Keep the larger of ``best[8 i + n, :8]`` and the products of blocks b and ``asked[i]``.

    ``asked`` are blocks of query vectors as int8, ``starts[8 i + n]`` (int32) is what each sum
    begins with, and ``scales[b]`` what one of a stored vector's parts is.
    """

    def codegen(context, builder, signature, args):
        blocks, _, scales, asked, _, starts, best, _ = signature.args
        width = CHUNK * len(chunks) * TOGETHER
        left = row_of(context, builder, blocks, *args[:2], width)
        right = row_of(context, builder, asked, *args[3:5], width)
        rows = [
            builder.add(builder.mul(args[4], args[4].type(TOGETHER)), args[4].type(n))
            for n in range(TOGETHER)
        ]
        totals = []
        for row in rows:
            first = builder.load(row_of(context, builder, starts, args[5], row, 1))
            first = everywhere(builder, first, TOGETHER)
            totals.append(cgutils.alloca_once_value(builder, first))
        step = CHUNK * PIECES
        # A loop that stays one: unrolled, all parts of the query would be kept in memory.
        with cgutils.for_range(builder, I64(width // step)) as loop:
            at = builder.mul(loop.index, I64(step))
            here, there = builder.gep(left, [at]), builder.gep(right, [at])
            stored = [numbers_at(builder, here, CHUNK * p, CHUNK) for p in range(PIECES)]
            for n, total in enumerate(totals):
                parts = [_spread(builder, there, CHUNK * p + FOUR * n) for p in range(PIECES)]
                builder.store(_added(context, builder, builder.load(total), stored, parts), total)
        scale = row_of(context, builder, scales, args[2], args[1], TOGETHER)
        scale = numbers_at(builder, scale, 0, TOGETHER)
        for row, total in zip(rows, totals, strict=True):
            found = builder.fmul(builder.sitofp(builder.load(total), _FLOATS), scale)
            target = row_of(context, builder, best, args[6], row, TOGETHER)
            before = numbers_at(builder, target, 0, TOGETHER)
            store(builder, larger(builder, found, before), target, 0)
        return context.get_dummy_value()

    signature = types.void(blocks, b, scales, asked, i, starts, best, chunks)
    return signature, codegen


def _spread(builder, row, at):
    """Four bytes of a row, eight times."""
    place = builder.bitcast(builder.gep(row, [I64(at)]), I32.as_pointer())
    four = builder.load(place, align=1)
    return builder.bitcast(everywhere(builder, four, TOGETHER), _BYTES)


def _added(context, builder, total, stored, asked):
    """Add the products of pieces of eight vectors with those of a query to eight sums."""
    if has(context, VNNI):
        for one, other in zip(stored, asked, strict=True):
            total = call(
                builder,
                "llvm.x86.avx512.vpdpbusd.256",
                _SUMS,
                total,
                builder.bitcast(one, _SUMS),
                builder.bitcast(other, _SUMS),
            )
        return total
    pairs = [_pairs(context, builder, one, other) for one, other in zip(stored, asked, strict=True)]
    while len(pairs) > 1:
        pairs = [builder.add(*pairs[n : n + 2]) for n in range(0, len(pairs), 2)]
    ones = ir.Constant(_WORDS, [1] * (CHUNK // 2))
    if has(context, AVX2):
        return builder.add(total, call(builder, "llvm.x86.avx2.pmadd.wd", _SUMS, pairs[0], ones))
    wide = builder.sext(pairs[0], ir.VectorType(I32, CHUNK // 2))
    return builder.add(total, _halved(builder, wide))


def _pairs(context, builder, left, right):
    """Products of unsigned and signed bytes, two and two added, in 16 bits."""
    if has(context, AVX2):
        return call(builder, "llvm.x86.avx2.pmadd.ub.sw", _WORDS, left, right)
    wide = ir.VectorType(I16, CHUNK)
    return _halved(builder, builder.mul(builder.zext(left, wide), builder.sext(right, wide)))


def _halved(builder, numbers):
    """Add neighbours."""
    count = numbers.type.count
    even, odd = (chosen(builder, numbers, numbers, range(at, count, 2)) for at in (0, 1))
    return builder.add(even, odd)
