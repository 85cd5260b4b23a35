"""What a question scores against passages that have nothing to do with it.

A MaxSim says little by itself: it grows with the question, and some languages, and some questions,
lie nearer to everything than others. What it says depends on what that question scores by chance
in this very index. So a few windows are kept at hand, and every question is compared with them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...index.base import LiveSegment
from ...index.maxsim import score_block
from ...types import TokenMatrix

WINDOWS = 64  # by measurement: half of them cost a point of accuracy, see benchmarks/relevance.py
FEWEST = 32  # a background of fewer would hold too much of what was asked for
ASKED = 32  # vectors of a window that is taken for a question
MOST_VECTORS = 12_288  # three megabytes in half precision: little to hold, and to compare with
LEAST_SPREAD = 1e-3  # of mean cosines: what rounding to float16 leaves between equal texts
_GROWTH = 1.25  # taken anew when the index is so much larger, or smaller


@dataclass(frozen=True)
class Chance:
    """What one question scores against passages that have nothing to do with it.

    Attributes:
        mean: their mean MaxSim.
        spread: the standard deviation, positive.
    """

    mean: float
    spread: float


# Where answers and the best of what answers nothing are equally frequent, and how fast that
# changes, in spreads; fitted on four collections, checked on others: benchmarks/relevance.py.
_MIDDLE, _STEEPNESS = 3.0, 1.2


def relevance(score: float, query_vectors: int, chance: Chance | None = None) -> float:
    """Scale a MaxSim score to 0..1; a higher score of the same question never gets less.

    Args:
        score: MaxSim over unit vectors.
        query_vectors: number of the query's vectors.
        chance: what the same question scores by chance.

    Returns:
        How far the score lies above chance: 0.5 at three times the spread. Where chance is not
        known, the mean of the best cosines, with negative means clipped to 0.

    Example:
        >>> relevance(24.0, 32)
        0.75
        >>> relevance(24.0, 32, Chance(mean=18.0, spread=2.0))
        0.5
    """
    if not query_vectors:
        return 0.0
    if chance is None:
        return min(1.0, max(0.0, score / query_vectors))
    above = (score - chance.mean) / chance.spread - _MIDDLE
    return 1.0 / (1.0 + math.exp(-_STEEPNESS * min(max(above, -500.0), 500.0)))


@dataclass(frozen=True, eq=False)
class Background:
    """Windows of an index, end to end.

    Attributes:
        vectors: ``(total tokens, dim)`` float32.
        lengths: ``(windows,)`` tokens of each.
    """

    vectors: TokenMatrix
    lengths: npt.NDArray[np.int64]

    def chance(self, query: TokenMatrix) -> Chance:
        """Return what a question scores by chance.

        Args:
            query: ``(query tokens, dim)`` float32.
        """
        scores = score_block(query, self.vectors, self.lengths)
        # Where all scores are equal, the least that rounding to float16 leaves between texts.
        return Chance(float(scores.mean()), max(float(scores.std()), 1e-3 * len(query)))

    @cached_property
    def spread(self) -> float:
        """How far the mean cosines of what has nothing to do with one another lie apart.

        The windows ask one another: so it is a scale of the model and the material, whatever is
        asked in whatever language. It is the standard deviation over windows, in the mean.
        """
        ends = np.cumsum(self.lengths)
        asked = [
            self.vectors[end - length : end - length + ASKED]
            for end, length in zip(ends.tolist(), self.lengths.tolist(), strict=True)
        ]
        scores = [score_block(one, self.vectors, self.lengths) / len(one) for one in asked]
        others = [np.delete(one, place).std() for place, one in enumerate(scores)]
        return max(float(np.mean(others)), LEAST_SPREAD)


def sample_background(segments: Sequence[LiveSegment]) -> Background | None:
    """Choose windows by a hash of their row, so that later additions change few of them.

    Returns:
        The windows; None where there are fewer than :data:`FEWEST`.
    """
    found = [_hashed(number, live) for number, live in enumerate(segments)]
    if not found:
        return None
    hashes, owners, positions = (np.concatenate(part) for part in zip(*found, strict=True))
    if len(hashes) < FEWEST:
        return None
    most = min(WINDOWS, len(hashes))
    best = np.argpartition(hashes, most - 1)[:most]
    best = best[np.argsort(hashes[best])]
    chosen: list[npt.NDArray[np.float32]] = []
    vectors = 0
    for owner, position in zip(owners[best].tolist(), positions[best].tolist(), strict=True):
        window = segments[owner].segment.window(position).encoded.vectors
        vectors += len(window)
        if not len(window) or (vectors > MOST_VECTORS and len(chosen) >= FEWEST):
            continue
        chosen.append(np.asarray(window, dtype=np.float32))
    lengths = np.array([len(one) for one in chosen], dtype=np.int64)
    return Background(np.concatenate(chosen), lengths) if len(chosen) >= FEWEST else None


class Backgrounds:
    """The background of an index that changes: taken when first asked for, and kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation = -1
        self._windows = 0
        self._known: Background | None = None

    def of(self, generation: int, segments: Sequence[LiveSegment]) -> Background | None:
        """Return the background of a generation, or a former one of about the same size."""
        with self._lock:
            if generation != self._generation:
                windows = sum(live.windows for live in segments)
                known = self._known is not None
                if not known or not 1 / _GROWTH < windows / self._windows < _GROWTH:
                    self._known = sample_background(segments)
                    self._windows = windows
                self._generation = generation
            return self._known


def _hashed(
    number: int, live: LiveSegment
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return a hash of each live window, its segment's number and its position there."""
    rows = live.segment.rows
    positions = live.positions
    first = np.searchsorted(rows, rows[positions])
    mixed = rows[positions].astype(np.uint64) * np.uint64(1024) + (positions - first).astype(
        np.uint64
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31)), np.full(len(positions), number), positions
