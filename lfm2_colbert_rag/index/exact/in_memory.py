"""MaxSim over bytes of windows that are held in memory, where a few thousandths do not matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...types import TokenMatrix
from ..array_types import FloatArray
from ..maxsim import score_block
from ..quantized_vectors import QuantizedVectors
from .compiled import KERNELS, score_blocks
from .layout import MOST
from .quantized import QuantizedQueries, quantize, quantize_queries


class QuantizedWindows:
    """Windows as bytes, to which many queries are put one after the other.

    No matrix library is called once the kernels are ready: its threads go on waiting for more work
    after each product, in the way of what a question does next. Until then numpy multiplies what
    the bytes stand for, so that the scores are the same but for rounding.

    Args:
        windows: ``(n, dim)`` float32 each, with a vector, all finite.

    Example:
        >>> windows = QuantizedWindows([np.eye(4, dtype=np.float32)])
        >>> windows.scores(np.eye(4, dtype=np.float32)[:2]).round(3).tolist()
        [2.0]
    """

    def __init__(self, windows: Sequence[TokenMatrix]) -> None:
        self._vectors = np.concatenate(windows).astype(np.float16)
        self._lengths = np.array([len(one) for one in windows], dtype=np.int64)
        self._quantized: QuantizedVectors | None = None
        self._restored: FloatArray | None = None

    def scores(self, query: TokenMatrix) -> FloatArray:
        """Return ``(windows,)`` MaxSim of a query, ``(query vectors, dim)`` float32."""
        if KERNELS.ready(self._vectors.shape[1]):
            out = np.empty((len(self._lengths), 1), np.float32)
            positions = np.arange(len(self._lengths))
            score_blocks(quantize_queries([query]), self._bytes(), positions, out)
            return out[:, 0]
        asked = QuantizedQueries.of([query])
        restored = asked.restored[: len(query), : self._vectors.shape[1]]
        return score_block(restored, self._floats(), self._lengths)

    def scores_of(self, queries: Sequence[TokenMatrix]) -> FloatArray:
        """Return ``(queries, windows)`` the same of some queries."""
        return np.stack([self.scores(query) for query in queries])

    def _bytes(self) -> QuantizedVectors:
        if self._quantized is None:
            self._quantized = quantize(
                self._vectors, np.concatenate(([0], np.cumsum(self._lengths)))
            )
            assert self._quantized is not None, "windows are looked at before"
        return self._quantized

    def _floats(self) -> FloatArray:
        if self._restored is None:
            vectors = self._vectors.astype(np.float32)
            units = np.abs(vectors).max(axis=1, keepdims=True) / np.float32(MOST)
            units = np.where(units > 0, units, np.float32(1))
            self._restored = np.rint(vectors / units) * units
        return self._restored
