"""Centroids that a segment has beside those of its codebook."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..array_types import FloatArray, IntArray
from .codebook import Centroids, Codebook


class ExtraCentroids:
    """Centroids of tokens that the codebook does not know, made when they are first seen."""

    def __init__(self, codebook: Codebook) -> None:
        self._codebook = codebook
        self.centroids = codebook.centroids.take(np.empty(0, np.int64))
        self._known: TokenCentroids | None = None

    def choices(self, rotated: FloatArray, tokens: npt.NDArray[np.int32]) -> TokenCentroids:
        """Return centroids for each of these tokens, making those that are missing."""
        known = self._choices()
        different = np.unique(tokens)
        new = different[~np.isin(different, known.centroids.tokens)]
        if len(new):
            self._add(rotated, tokens, new)
        return self._choices()

    def adopt(self, other: Centroids) -> IntArray | None:
        """Take another segment's centroids; returns its codes' new numbers, None if none."""
        if not len(other):
            return None
        moved = len(self._codebook) + len(self.centroids) + np.arange(len(other))
        self.centroids = Centroids.joined([self.centroids, other])
        self._known = None
        return np.concatenate((np.arange(len(self._codebook)), moved))

    def _add(
        self,
        rotated: FloatArray,
        tokens: npt.NDArray[np.int32],
        new: npt.NDArray[np.int32],
    ) -> None:
        chosen = np.flatnonzero(np.isin(tokens, new))
        chosen = chosen[np.argsort(tokens[chosen], kind="stable")]
        starts = np.searchsorted(tokens[chosen], new)
        sizes = np.diff(np.append(starts, len(chosen)))
        means = np.add.reduceat(rotated[chosen], starts, axis=0) / sizes[:, None]
        nbits = self._codebook.codec.nbits
        fresh = Centroids.rounded(means.astype(np.float32), new, nbits)
        self.centroids = Centroids.joined([self.centroids, fresh])
        self._known = None

    def _choices(self) -> TokenCentroids:
        if self._known is None:
            book = self._codebook
            self._known = TokenCentroids(book.by_token, book.order)
            if len(self.centroids):
                joint = Centroids.joined([book.by_token, self.centroids])
                codes = np.concatenate((book.order, len(book) + np.arange(len(self.centroids))))
                order = np.argsort(joint.tokens, kind="stable")
                self._known = TokenCentroids(joint.take(order), codes[order])
        return self._known


@dataclass(frozen=True, eq=False)
class TokenCentroids:
    """Centroids side by side for each token, and their codes."""

    centroids: Centroids
    codes: IntArray
