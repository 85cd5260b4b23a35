"""Exact search: every allowed passage is scored. The oracle, and the right choice while small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ...errors import REMEDY, IndexCorruptError
from ...types import TokenMatrix
from ..base import Index, LiveSegment, Ranking, run_starts
from ..maxsim import blocks, score_block
from ..segment import ExactSegment, Segment

# Vectors decoded to float32 at a time: 16 MB at 128 dimensions.
BLOCK_TOKENS = 32_768
# Scores of one passage from two block shapes differ by rounding only; MaxSim is a sum of at most
# a few hundred float32 cosines, so a thousandth is far beyond any such difference.
ROUNDING_MARGIN = 1e-3


class ExactIndex(Index):
    """Blocked MaxSim in float32 over memory-mapped float16 vectors.

    Args:
        segments: the segments of one generation.
        block_tokens: vectors held in float32 at a time.

    Example:
        >>> index = ExactIndex([])
        >>> len(index.search([np.ones((2, 4), dtype=np.float32)], k=3)[0])
        0
    """

    def __init__(
        self, segments: Sequence[LiveSegment], *, block_tokens: int = BLOCK_TOKENS
    ) -> None:
        super().__init__(segments)
        self._block_tokens = block_tokens

    def search(
        self,
        queries: Sequence[TokenMatrix],
        k: int,
        *,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[Ranking]:
        """Rank the live passages for each query; one pass over the vectors serves all queries."""
        if not len(queries):
            return []
        found: list[npt.NDArray[np.int64]] = []
        scored: list[npt.NDArray[np.float32]] = []
        for block_rows, vectors, lengths in self._scan(rows):
            found.append(block_rows)
            scored.append(np.stack([score_block(query, vectors, lengths) for query in queries]))
        if not found:
            return [Ranking.empty() for _ in queries]
        all_rows, all_scores = _best_windows(np.concatenate(found), np.concatenate(scored, axis=1))
        return [
            self._rescore(query, _best(all_rows, scores, k)).cut(k)
            for query, scores in zip(queries, all_scores, strict=True)
        ]

    def _scan(
        self, rows: npt.NDArray[np.int64] | None
    ) -> Iterator[tuple[npt.NDArray[np.int64], TokenMatrix, npt.NDArray[np.int64]]]:
        """Yield windows of allowed passages in blocks: rows, vectors end to end, and lengths."""
        for live in self.segments:
            positions = live.within(rows).positions
            if len(positions):
                _require_finite(live.segment)
            lengths = live.segment.lengths[positions]
            for part in blocks(lengths, self._block_tokens):
                yield (
                    live.segment.rows[positions[part]],
                    _gather(live, positions[part], lengths[part]),
                    lengths[part],
                )


def _require_finite(segment: Segment) -> None:
    """Refuse to compare what is no number: it would be passed over, or win, in silence."""
    assert isinstance(segment, ExactSegment)
    if not segment.finite:
        raise IndexCorruptError(
            f"a vector of segment {segment.info.name} is not finite (NaN or infinity). {REMEDY}"
        )


def _gather(
    live: LiveSegment, positions: npt.NDArray[np.intp], lengths: npt.NDArray[np.int64]
) -> TokenMatrix:
    """Copy the windows at these ascending positions into one float32 array, end to end."""
    segment = live.segment
    assert isinstance(segment, ExactSegment)
    starts = segment.offsets[positions]
    if positions[-1] - positions[0] + 1 == len(positions):
        return segment.vectors[starts[0] : starts[-1] + lengths[-1]].astype(np.float32)
    shifts = starts - np.concatenate(([0], np.cumsum(lengths)[:-1]))
    return segment.vectors[np.arange(lengths.sum()) + np.repeat(shifts, lengths)].astype(np.float32)


def _best_windows(
    rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Keep each row once, with the best of its windows' scores, ``(queries, rows)``."""
    starts = run_starts(rows)
    return rows[starts], np.maximum.reduceat(scores, starts, axis=1)


def _best(
    rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], k: int
) -> npt.NDArray[np.int64]:
    """Rows that may belong to the best k once rounding is taken out."""
    if len(rows) <= k:
        return rows
    kth = np.partition(scores, len(scores) - k)[len(scores) - k]
    return rows[scores >= kth - ROUNDING_MARGIN]
