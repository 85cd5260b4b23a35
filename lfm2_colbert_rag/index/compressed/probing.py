"""Which centroids each query vector is near, without looking at all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...types import TokenMatrix
from .codebook import Centroids, Codebook
from .codec import CHUNK
from .workers import even_parts, in_parallel, thread_count


@dataclass(frozen=True, eq=False)
class Probes:
    """The centroids whose lists are to be walked, best first, for each query vector.

    Attributes:
        query: ``(rows, padded)`` float32, the query turned like the codebook.
        whole: ``(rows, CHUNK chunks)`` uint8, the same in parts of ``units``, with 128 added; there
            are some more rows, of zeros, as kernels take several at once.
        units: float32, one a row of ``whole``.
        ids: ``(rows, most)`` int32 codes.
        sims: ``(rows, most)`` float32 their similarities.
        found: ``(rows,)`` how many of them count.
    """

    query: TokenMatrix
    whole: npt.NDArray[np.uint8]
    units: npt.NDArray[np.float32]
    ids: npt.NDArray[np.int32]
    sims: npt.NDArray[np.float32]
    found: npt.NDArray[np.int64]

    @cached_property
    def floors(self) -> npt.NDArray[np.float32]:
        """``(rows,)`` what is assumed of windows that no list mentions: the last similarity."""
        last = np.maximum(self.found - 1, 0)
        return np.where(self.found, self.sims[np.arange(len(self.found)), last], 0).astype(
            np.float32
        )

    def nearest(self, most: int) -> Probes:
        """Return the same with no more than so many centroids a query vector."""
        return replace(self, found=np.minimum(self.found, most))

    def with_extra(self, extra: Centroids, first: int) -> Probes:
        """Return the same with a segment's own centroids among them.

        Args:
            extra: the centroids.
            first: their first code.
        """
        if not len(extra):
            return self
        from . import kernels

        near = np.empty((len(self.query), len(extra)), np.float32)
        kernels.multiply(self.query, extra.means, near)
        most = self.sims.shape[1]
        # Where fewer were found than wanted, all count; else those above the last one.
        rows, places = np.nonzero((near > self.floors[:, None]) | (self.found < most)[:, None])
        counts = np.bincount(rows, minlength=len(near))
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        fresh = np.full((len(near), int(counts.max(initial=0))), -np.inf, np.float32)
        codes = np.zeros(fresh.shape, np.int32)
        fresh[rows, within] = near[rows, places]
        codes[rows, within] = first + places
        unused = np.arange(most) >= self.found[:, None]
        sims = np.concatenate((np.where(unused, -np.inf, self.sims), fresh), axis=1)
        ids = np.concatenate((self.ids, codes), axis=1)
        order = np.argsort(-sims, axis=1, kind="stable")[:, : max(most, 1)]
        found = np.minimum(self.found + counts, order.shape[1])
        return replace(
            self,
            ids=np.ascontiguousarray(np.take_along_axis(ids, order, axis=1), np.int32),
            sims=np.ascontiguousarray(np.take_along_axis(sims, order, axis=1), np.float32),
            found=found,
        )


def find_probes(codebook: Codebook, query: TokenMatrix, nprobe: int, share: float) -> Probes:
    """Find the nearest centroids of each query vector in its nearest coarse groups.

    Args:
        codebook: the centroids.
        query: ``(rows, padded)`` float32, turned like the codebook.
        nprobe: centroids wanted for each vector.
        share: part of the coarse groups to look in.
    """
    from . import kernels

    rows, count = len(query), len(codebook.groups)
    wanted = min(count, max(1, 2, round(share * count)))
    most = min(nprobe, len(codebook))
    ids, sims = np.zeros((rows, most), np.int32), np.zeros((rows, most), np.float32)
    found = np.zeros(rows, np.int64)
    book = codebook.centroids
    whole, units = _in_bytes(query)
    in_parallel(
        kernels.probe,
        [
            (
                query[a:b],
                whole[a:b],
                units[a:b],
                codebook.groups,
                wanted,
                codebook.bounds,
                book.wide,
                book.scales,
                chunks(codebook.codec.padded),
                most,
                ids[a:b],
                sims[a:b],
                found[a:b],
            )
            for a, b in even_parts(rows, thread_count())
        ],
    )
    return Probes(query, whole, units, ids, sims, found)


def chunks(width: int) -> tuple[None, ...]:
    """Return, as the length of a tuple, how many chunks hold a row."""
    return (None,) * -(-width // CHUNK)


def _in_bytes(query: TokenMatrix) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return a query's rows as bytes around 128, and what one of these numbers stands for."""
    from . import kernels

    rows, padded = query.shape
    together = -(-rows // kernels.TOGETHER) * kernels.TOGETHER
    whole = np.full((together, CHUNK * len(chunks(padded))), kernels.OFFSET, np.uint8)
    units = np.zeros(together, np.float32)
    kernels.to_bytes(query, whole, units)
    return whole, units
