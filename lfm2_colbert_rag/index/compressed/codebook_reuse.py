"""Making a codebook anew without wearing what fits the old one.

Vectors that were compressed come back rounded, and rounding them once more around other centroids
adds a second error to the first. Around the same centroids it adds next to none: the levels and the
step that gave a vector give it again. So a token keeps its centroids as long as they serve it, and
gets others where it has become much more frequent, or lies elsewhere now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..._support.products import product
from ..array_types import FloatArray, IntArray
from .codebook import Centroids, Codebook
from .codec import MAX_CENTROIDS

# A token gets new centroids where these would be more than twice as many, or where its vectors lie
# so many times as far (squared) from the old ones.
MAX_GROWTH, WORSE = 2, 1.5
# Segments bring centroids of their own, so that a token may have several where it needs but one.
MAX_SPARE = 4
# Vectors of a token that are looked at, evenly spaced.
LOOKED_AT = 128


@dataclass(frozen=True, eq=False)
class Known:
    """What an index has been compressed with.

    Attributes:
        codebook: its newest codebook.
        extra: centroids that segments have beside it.
    """

    codebook: Codebook
    extra: Centroids

    def suits(self, other: Codebook) -> bool:
        """Tell whether centroids mean the same in another codebook."""
        mine = self.codebook
        return (
            mine.codec == other.codec
            and mine.info.keeps_norms == other.info.keeps_norms
            and np.array_equal(mine.rotation, other.rotation)
        )

    def by_token(self) -> Centroids:
        """Return all centroids of known tokens, side by side for each token."""
        joint = Centroids.joined([self.codebook.centroids, self.extra])
        # What lies at a pivot lies elsewhere once there are other pivots.
        known = np.flatnonzero(joint.tokens >= 0)
        return joint.take(known[np.argsort(joint.tokens[known], kind="stable")])


@dataclass(frozen=True, eq=False)
class Groups:
    """Vectors in the order of their tokens.

    Attributes:
        vectors: ``(n, padded)`` as centroids are compared with.
        tokens: ``(groups,)`` int32, ascending.
        starts: ``(groups,)`` where the vectors of each token start.
        ends: ``(groups,)`` where they end.
    """

    vectors: FloatArray
    tokens: npt.NDArray[np.int32]
    starts: IntArray
    ends: IntArray

    def some(self, number: int) -> FloatArray:
        """Return some vectors of one token, evenly spaced."""
        start, end = int(self.starts[number]), int(self.ends[number])
        return self.vectors[start : end : -(-(end - start) // LOOKED_AT)]


def keep_fitting(
    known: Known, fresh: Centroids, firsts: IntArray, groups: Groups, rotation: FloatArray
) -> tuple[Centroids, IntArray]:
    """Choose for each token between the centroids that it has and those made of its vectors now.

    Args:
        known: what there is.
        fresh: new centroids, in the order of the groups.
        firsts: ``(groups + 1,)`` where those of each group start.
        groups: the vectors.
        rotation: rotates the vectors to where centroids lie.

    Returns:
        The centroids in the order of the groups, and where those of each group start.
    """
    old = known.by_token()
    lows = np.searchsorted(old.tokens, groups.tokens)
    highs = np.searchsorted(old.tokens, groups.tokens, side="right")
    wanted, had = np.diff(firsts), highs - lows
    kept = (had > 0) & (MAX_GROWTH * had >= wanted)
    kept &= had <= np.maximum(MAX_SPARE, MAX_GROWTH * wanted)
    for number in np.flatnonzero(kept).tolist():
        vectors = product(groups.some(number), rotation)
        before = _mse(vectors, old, int(lows[number]), int(highs[number]))
        after = _mse(vectors, fresh, int(firsts[number]), int(firsts[number + 1]))
        kept[number] = before <= WORSE * after + 1e-6
    counts = np.where(kept, had, wanted)
    bounds = np.concatenate(([0], np.cumsum(counts)))
    if bounds[-1] > MAX_CENTROIDS // 2:
        return fresh, firsts
    sources = np.where(kept, len(fresh) + lows, firsts[:-1])
    chosen = np.repeat(sources - bounds[:-1], counts) + np.arange(bounds[-1])
    return Centroids.joined([fresh, old]).take(chosen), bounds


def _mse(vectors: FloatArray, centroids: Centroids, start: int, end: int) -> float:
    """Mean squared distance of vectors to the nearest of some centroids."""
    means = centroids.values[start:end] * centroids.scales[start:end, None]
    near = (product(vectors, means.T) - np.einsum("ij,ij->i", means, means) / 2).max(axis=1)
    return float((np.einsum("ij,ij->i", vectors, vectors) - 2 * near).mean())
