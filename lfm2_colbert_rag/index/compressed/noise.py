"""How much quantization changes scores, measured while vectors are compressed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..._support.products import product
from ..array_types import FloatArray


class Noise:
    """What quantization does to scores, seen on a few vectors of each block.

    For stretches of about a passage's length, and vectors from elsewhere in the block as a query,
    the score is compared before and after. The variance of the difference over the pairs, divided
    by the number of query vectors, times the number of another query's, is that of its score. The
    vectors of a query err together, since those of one text lie near one another: seen one by one
    they would vary by about half of that. The variance is taken from the mean deviation: a few
    passages err far more than the others, and should not make all of them look uncertain.
    """

    # By measurement: scores of real questions, of 17 vectors, and of the passages near the top vary
    # as those of 10 to 12 consecutive vectors and any passage do, with 4 bits and with 2.
    STRETCH, QUERY, PAIRS = 96, 12, 48

    def __init__(self) -> None:
        self._sum, self._weight = 0.0, 0
        self.inherited = 0.0

    @property
    def mean(self) -> float:
        """Variance for one query vector."""
        return (self._sum + self.inherited) / self._weight if self._weight else 0.0

    def add(self, noise: float, weight: int) -> None:
        """Take over what was measured for so many vectors."""
        self._sum += noise * weight
        self._weight += weight

    def sample(self, vectors: FloatArray, decompressed: Callable[[int, int], FloatArray]) -> None:
        """Measure a block."""
        size = len(vectors)
        stretch = min(self.STRETCH, max(1, size // 2))
        starts = np.linspace(0, size - stretch, self.PAIRS).astype(int)
        others = np.minimum(np.roll(starts, self.PAIRS // 2), max(0, size - self.QUERY))
        found = []
        for start, other in zip(starts.tolist(), others.tolist(), strict=True):
            end = start + stretch
            query = vectors[other : other + self.QUERY].T
            before = product(vectors[start:end], query).max(axis=0)
            found.append(product(decompressed(start, end), query).max(axis=0) - before)
        errors = np.array(found).sum(axis=1)
        deviation = float(np.abs(errors - np.median(errors)).mean())
        # of a normal distribution, whose mean deviation is so much less than its standard one
        self.add(math.pi / 2 * deviation**2 / len(found[0]), size)
