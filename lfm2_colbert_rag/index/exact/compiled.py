"""Exact search by kernels: bytes of every vector first, float32 for what may win."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ...types import TokenMatrix
from ..array_types import FloatArray, IntArray
from ..jit import CHUNK
from ..jit.readiness import KernelSet
from ..quantized_vectors import QuantizedVectors
from ..segment import ExactSegment
from ..workers import balanced_parts, in_parallel
from .quantized import QuantizedQueries, halves_of, padded, quantize, quantize_queries
from .windows import Windows, not_finite

# Products of a block of eight vectors with a block of eight query vectors that another thread is
# begun for, and vectors scored in float32: each about a tenth of a millisecond.
_WORTH_A_THREAD, _VECTORS_WORTH_A_THREAD = 2_000, 500


def rehearse(dim: int) -> Iterator[None]:
    """Call each kernel once, see :mod:`..jit.readiness`."""
    from . import kernels  # noqa: F401, numba is loaded here

    yield
    vectors, offsets = np.ones((2, dim), np.float16), np.array([0, 2])
    quantize(vectors, offsets)
    yield
    queries = quantize_queries([np.ones((2, dim), np.float32)])
    yield
    made = quantize(vectors, offsets)
    assert made is not None
    score_blocks(queries, made, np.array([0]), np.empty((1, 1), np.float32))
    yield
    _score_halves(np.ones((2, padded(dim)), np.float32), vectors, offsets[:1], offsets[1:])


KERNELS = KernelSet("exact search", rehearse)


class CompiledMaxSim:
    """MaxSim by kernels, which are ready."""

    few = 6_000

    def prepare(self, windows: Windows) -> None:
        """Make the bytes of their segments."""
        for segment, _ in windows.by_owner():
            _quantized(segment)

    def estimate(
        self, queries: Sequence[TokenMatrix], windows: Windows
    ) -> tuple[FloatArray, FloatArray]:
        """Score windows over bytes."""
        asked = quantize_queries(queries)
        scores = np.empty((len(windows), len(queries)), np.float32)
        errors, lengths = (np.empty(len(windows), np.float32) for _ in range(2))
        for segment, mine in windows.by_owner():
            stored, positions = _quantized(segment), windows.positions[mine]
            errors[mine], lengths[mine] = stored.errors[positions], stored.lengths[positions]
            score_blocks(asked, stored, positions, scores[mine])
        return np.ascontiguousarray(scores.T), asked.margins(errors, lengths)

    def score(self, query: TokenMatrix, windows: Windows) -> FloatArray:
        """Score windows in float32."""
        filled = np.zeros((len(query), padded(query.shape[1])), np.float32)
        filled[:, : query.shape[1]] = query
        found = [np.empty(0, np.float32)]
        for segment, mine in windows.by_owner():
            positions = windows.positions[mine]
            starts, ends = segment.offsets[positions], segment.offsets[positions + 1]
            found.append(_score_halves(filled, segment.vectors, starts, ends))
        return np.concatenate(found)


def _quantized(segment: ExactSegment) -> QuantizedVectors:
    """Return the bytes of a segment, made by the first who asks; they are kept with it."""
    made = segment.quantized
    if made is None:
        made = quantize(segment.vectors, segment.offsets)
        if made is None:
            raise not_finite(segment)
        segment.quantized = made
    return made


def score_blocks(
    asked: QuantizedQueries, stored: QuantizedVectors, positions: IntArray, out: FloatArray
) -> None:
    """Write what the queries score against windows into ``out``."""
    from . import kernels

    firsts, lasts = stored.firsts[positions], stored.firsts[positions + 1]
    in_parallel(
        lambda start, end: kernels.score_blocks(
            *(asked.blocks, asked.starts, asked.units, asked.ends, stored.blocks, stored.scales),
            *(firsts[start:end], lasts[start:end], out[start:end], asked.chunks),
        ),
        balanced_parts((lasts - firsts) * len(asked.blocks), _WORTH_A_THREAD),
    )


def _score_halves(
    query: FloatArray, vectors: npt.NDArray[np.float16], starts: IntArray, ends: IntArray
) -> FloatArray:
    """Score windows, whose vectors begin and end there."""
    from . import kernels

    scores = np.empty(len(starts), np.float32)
    halves, chunks = halves_of(vectors), (None,) * (query.shape[1] // CHUNK)
    in_parallel(
        lambda a, b: kernels.score_halves(
            query, halves, starts[a:b], ends[a:b], scores[a:b], chunks
        ),
        balanced_parts(ends - starts, _VECTORS_WORTH_A_THREAD),
    )
    return scores
