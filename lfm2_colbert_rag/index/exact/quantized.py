"""Vectors as bytes, and how far products of such bytes can lie from those of the vectors.

A stored vector v becomes whole numbers of 8 bits, in parts of its largest coordinate; a query
vector q becomes fewer, so that sums of products fit 16 bits. With v' and q' for what they stand
for, the inequality of Cauchy and Schwarz says

    |q v - q' v'|  <=  |q - q'| |v|  +  |q'| |v - v'|

and since the largest of some numbers moves by no more than the number that moves most, a window's
MaxSim over bytes lies within the sum of that over the query's vectors, with the longest v and the
longest v - v' of the window. Both are measured, not assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from weakref import ref

import numpy as np
import numpy.typing as npt

from ...types import TokenMatrix
from ..array_types import FloatArray, IntArray
from ..jit import CHUNK, OFFSET, TOGETHER
from ..quantized_vectors import QuantizedVectors
from ..workers import balanced_parts, in_parallel
from .layout import FOUR, GROUP, MOST, SUM
from .rounding import lost_by_rounding, rounding_errors, summed_lengths

_T = TypeVar("_T", bound=np.generic)

# Lengths are measured in float32, and a little of them may be lost there.
_ALLOWANCE = np.float32(1 + 1e-4)
_WORTH_A_THREAD = 1024  # blocks to quantize
_ASKED = 4  # single queries that are known again, for as many threads


def quantize(
    vectors: npt.NDArray[np.float16], offsets: npt.NDArray[np.int64]
) -> QuantizedVectors | None:
    """Quantize all windows of a segment; None if a vector is not finite.

    Args:
        vectors: ``(vectors, dim)``.
        offsets: ``(windows + 1,)`` where each window's vectors begin.
    """
    from . import kernels

    firsts = np.concatenate(([0], np.cumsum(-(-np.diff(offsets) // TOGETHER))))
    blocks, windows = int(firsts[-1]), len(offsets) - 1
    made = QuantizedVectors(
        np.zeros((blocks, TOGETHER * padded(vectors.shape[1])), np.uint8),
        np.empty((blocks, TOGETHER), np.float32),
        firsts,
        np.empty(windows, np.float32),
        np.empty(windows, np.float32),
    )
    halves, offsets = halves_of(vectors), read_only(offsets)
    finite = in_parallel(
        lambda start, end: kernels.quantize_windows(
            *(halves, offsets, firsts, start, end),
            *(made.blocks, made.scales, made.errors, made.lengths),
        ),
        balanced_parts(np.diff(firsts), _WORTH_A_THREAD),
    )
    np.sqrt(made.errors, out=made.errors)
    np.sqrt(made.lengths, out=made.lengths)
    return made if all(finite) else None


@dataclass(frozen=True, eq=False)
class QuantizedQueries:
    """The vectors of some queries, end to end in blocks of eight.

    Attributes:
        blocks: ``(blocks, TOGETHER CHUNK chunks)`` int8, laid out as those of
            :class:`QuantizedVectors`; what there is after the last vector is zero.
        starts: ``(TOGETHER blocks,)`` int32, what takes the OFFSET out of each sum.
        units: ``(TOGETHER blocks,)`` float32, what one part of a vector is.
        ends: ``(queries,)`` where each query's vectors end.
        lost: ``(queries,)`` float32, the sum of the lengths of q - q'.
        kept: ``(queries,)`` float32, the sum of the lengths of q'.
        rounding: ``(queries,)`` float32, see :func:`.rounding.lost_by_rounding`.
    """

    blocks: npt.NDArray[np.int8]
    starts: npt.NDArray[np.int32]
    units: FloatArray
    ends: IntArray
    lost: FloatArray
    kept: FloatArray
    rounding: FloatArray

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.ends)

    @classmethod
    def of(cls, queries: Sequence[TokenMatrix]) -> QuantizedQueries:
        """Quantize queries, without kernels: to the last bit as :func:`quantize_queries` does.

        Args:
            queries: ``(query tokens, dim)`` float32 each.
        """
        vectors, ends = _end_to_end(queries)
        units = _units(vectors)
        parts = np.rint(vectors / units[:, None])
        found = parts * units[:, None]
        return cls(
            _in_blocks(parts.astype(np.int8)),
            (-OFFSET * parts.sum(axis=1)).astype(np.int32),
            units,
            ends,
            summed_lengths(vectors - found, ends).astype(np.float32),
            summed_lengths(found, ends).astype(np.float32),
            rounding_errors(queries),
        )

    def margins(self, errors: FloatArray, lengths: FloatArray) -> FloatArray:
        """Return ``(queries, windows)``: how far MaxSim over bytes may lie from MaxSim.

        Args:
            errors: see :class:`QuantizedVectors`.
            lengths: see :class:`QuantizedVectors`.
        """
        margins = np.outer(self.lost + self.rounding, lengths) + np.outer(self.kept, errors)
        return margins * _ALLOWANCE

    @cached_property
    def restored(self) -> FloatArray:
        """``(TOGETHER blocks, CHUNK chunks)`` float32, what the bytes stand for."""
        count = len(self.blocks)
        fours = self.blocks.reshape(count, -1, TOGETHER, FOUR).swapaxes(1, 2)
        return fours.reshape(count * TOGETHER, -1) * self.units[:, None]

    @cached_property
    def chunks(self) -> tuple[None, ...]:
        """As long as a vector has chunks; kernels are compiled for that."""
        return (None,) * (self.blocks.shape[1] // (TOGETHER * CHUNK))


def quantize_queries(queries: Sequence[TokenMatrix]) -> QuantizedQueries:
    """Quantize queries by a kernel, which has to be ready.

    What was asked last by itself is known again: a question is compared with an index, and with
    what it scores by chance.

    Args:
        queries: ``(query tokens, dim)`` float32 each.
    """
    global _asked
    if len(queries) > 1:
        return _quantize_queries(queries)
    (query,) = queries
    known = next((made for asked, made in _asked if asked() is query), None)
    if known is None:
        known = _quantize_queries(queries)
        if query.flags.owndata and not query.flags.writeable:  # nobody may change it any more
            _asked = ((ref(query), known), *_asked[: _ASKED - 1])
    return known


def _quantize_queries(queries: Sequence[TokenMatrix]) -> QuantizedQueries:
    from . import kernels

    vectors, ends = _end_to_end(queries)
    rows, width = vectors.shape
    blocks = np.zeros((rows // TOGETHER, TOGETHER * width), np.int8)
    starts, units = np.zeros(rows, np.int32), np.ones(rows, np.float32)
    lengths = np.empty((3, len(ends)), np.float64)
    kernels.quantize_queries(vectors, ends, blocks, starts, units, lengths)
    lost, kept = lengths[:2].astype(np.float32)
    rounding = lost_by_rounding(lengths[2], ends, queries[0].shape[1])
    return QuantizedQueries(blocks, starts, units, ends, lost, kept, rounding)


_asked: tuple[tuple[ref[TokenMatrix], QuantizedQueries], ...] = ()


def halves_of(vectors: npt.NDArray[np.float16]) -> npt.NDArray[np.uint16]:
    """Return float16 as kernels take them, which know no such numbers: their bits."""
    return read_only(vectors.view(np.uint16))


def read_only(array: npt.NDArray[_T]) -> npt.NDArray[_T]:
    """Return the same array as one that cannot be written, for which kernels are compiled."""
    found = np.asarray(array).view()
    found.flags.writeable = False
    return found


def padded(dim: int) -> int:
    """Return the width of rows that kernels read."""
    return -(-dim // CHUNK) * CHUNK


def _end_to_end(queries: Sequence[TokenMatrix]) -> tuple[FloatArray, IntArray]:
    """Put vectors of queries below one another, and zeros where a block has room for more."""
    ends = np.cumsum([len(query) for query in queries])
    dim = queries[0].shape[1]
    rows = max(1, -(-int(ends[-1]) // TOGETHER)) * TOGETHER
    vectors = np.zeros((rows, padded(dim)), np.float32)
    np.concatenate(queries, out=vectors[: ends[-1], :dim])
    return vectors, ends


def _units(vectors: FloatArray) -> FloatArray:
    """Return the least unit of each vector in which its parts keep the LIMIT."""
    # The kernels add the first two of four neighbours, and the last two, over four such fours.
    groups = vectors.reshape(len(vectors), -1, GROUP // 2, 2, 2)
    above = _added(np.maximum(groups, 0)).max(axis=(1, 2))
    below = _added(np.maximum(-groups, 0)).max(axis=(1, 2))
    # Rounding adds half a part to each at most.
    units = np.maximum(above, below) / np.float32(SUM)
    units = np.maximum(units, np.abs(vectors).max(axis=1) / np.float32(MOST))
    return np.where(units > 0, units, np.float32(1))


def _added(groups: FloatArray) -> FloatArray:
    """Add up over the third and the last axis, one after the other."""
    total = np.zeros(groups.shape[:2] + groups.shape[3:4], np.float32)
    for four in range(groups.shape[2]):
        for place in range(groups.shape[4]):
            total += groups[:, :, four, :, place]
    return total


def _in_blocks(parts: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    rows, width = parts.shape
    fours = parts.reshape(rows // TOGETHER, TOGETHER, width // FOUR, FOUR)
    return np.ascontiguousarray(fours.swapaxes(1, 2)).reshape(rows // TOGETHER, TOGETHER * width)
