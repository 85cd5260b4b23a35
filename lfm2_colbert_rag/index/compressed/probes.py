"""The centroids that a query probes: what the stages of a search hand on to one another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...types import TokenMatrix
from ..array_types import FloatArray
from .structs import Probed, Query

if TYPE_CHECKING:
    from .codebook import Centroids
    from .ways import Kernels


@dataclass(frozen=True, eq=False)
class Probes:
    """The centroids whose lists are to be walked, for each query vector.

    Attributes:
        rotated: ``(rows, padded)`` float32, the query rotated like the codebook.
        query: the same in whole numbers.
        near: the centroids, best first.
    """

    rotated: TokenMatrix
    query: Query
    near: Probed

    @cached_property
    def floors(self) -> FloatArray:
        """``(rows,)`` what is assumed of windows that no list mentions: the last similarity."""
        found, sims = self.near.found, self.near.sims
        last = np.maximum(found - 1, 0)
        return np.where(found, sims[np.arange(len(found)), last], 0).astype(np.float32)

    def nearest(self, limit: int) -> Probes:
        """Return the same with no more than so many centroids a query vector."""
        near = self.near
        return replace(self, near=Probed(near.ids, near.sims, np.minimum(near.found, limit)))

    def with_extra(self, kernels: Kernels, extra: Centroids, first: int) -> Probes:
        """Return the same with a segment's own centroids among them.

        Args:
            kernels: see :mod:`.ways`.
            extra: the centroids.
            first: their first code.
        """
        if not len(extra):
            return self
        near = np.empty((len(self.rotated), len(extra)), np.float32)
        kernels.multiply(self.rotated, extra.means, near)
        limit = self.near.sims.shape[1]
        # Where fewer were found than wanted, all count; else those above the last one.
        few = self.near.found < limit
        rows, numbers = np.nonzero((near > self.floors[:, None]) | few[:, None])
        counts = np.bincount(rows, minlength=len(near))
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        fresh = np.full((len(near), int(counts.max(initial=0))), -np.inf, np.float32)
        codes = np.zeros(fresh.shape, np.int32)
        fresh[rows, within] = near[rows, numbers]
        codes[rows, within] = first + numbers
        return replace(self, near=self._merged(fresh, codes, counts))

    def _merged(self, sims: FloatArray, codes: np.ndarray, counts: np.ndarray) -> Probed:
        """Return the nearest of those known and of others, as many as are known at most."""
        known = self.near
        limit = known.sims.shape[1]
        unused = np.arange(limit) >= known.found[:, None]
        sims = np.concatenate((np.where(unused, -np.inf, known.sims), sims), axis=1)
        ids = np.concatenate((known.ids, codes), axis=1)
        order = np.argsort(-sims, axis=1, kind="stable")[:, : max(limit, 1)]
        return Probed(
            np.ascontiguousarray(np.take_along_axis(ids, order, axis=1), np.int32),
            np.ascontiguousarray(np.take_along_axis(sims, order, axis=1), np.float32),
            np.minimum(known.found + counts, order.shape[1]),
        )
