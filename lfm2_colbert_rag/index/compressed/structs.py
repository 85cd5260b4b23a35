"""What kernels are given together: tuples whose parts have names, which numba compiles as such.

They are flat, and few go to a kernel that runs often: each takes a microsecond to hand over, and a
search calls two kernels for every batch of windows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Shape(NamedTuple):
    """How packed vectors are laid out, as the lengths of tuples.

    Lengths are known when a kernel is compiled, which lets loops over dimensions be unrolled: four
    times faster than with a width that is only known when it runs.

    Attributes:
        lanes: bytes of a packed residual.
        planes: coordinates in a byte.
        chunks: chunks of 32 coordinates that hold a row.
    """

    lanes: tuple[None, ...]
    planes: tuple[None, ...]
    chunks: tuple[None, ...]


class Store(NamedTuple):
    """Stored vectors.

    Attributes:
        codes: ``(vectors, 3)`` centroid and step of each.
        packed: ``(vectors, width)`` residuals.
        norms: ``(vectors,)`` lengths; empty where all are 1 or lengths are not kept apart.
    """

    codes: npt.NDArray[np.uint8]
    packed: npt.NDArray[np.uint8]
    norms: npt.NDArray[np.uint8]


class Source(NamedTuple):
    """All that it takes to decode stored vectors.

    Attributes:
        codes: see :class:`Store`.
        packed: see :class:`Store`.
        norms: see :class:`Store`.
        values: ``(n, CHUNK chunks)`` centroids of the codebook.
        scales: ``(n,)``; a centroid is its values times its scale.
        extra_values: centroids of the segment; their codes follow those of the codebook.
        extra_scales: their scales.
        steps: ``(32,)`` what the numbers of steps mean.
        lengths: ``(256,)`` what the numbers of lengths mean; empty where vectors keep their norms.
        lanes: see :class:`Shape`.
        planes: see :class:`Shape`.
        chunks: see :class:`Shape`.
    """

    codes: npt.NDArray[np.uint8]
    packed: npt.NDArray[np.uint8]
    norms: npt.NDArray[np.uint8]
    values: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    extra_values: npt.NDArray[np.int8]
    extra_scales: npt.NDArray[np.float32]
    steps: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.float32]
    lanes: tuple[None, ...]
    planes: tuple[None, ...]
    chunks: tuple[None, ...]


class Choices(NamedTuple):
    """Centroids that vectors may be given, side by side for each token.

    Attributes:
        values: ``(n, padded)``.
        scales: ``(n,)``.
        halves: ``(n,)`` half the squared length of each.
        codes: ``(n,)`` their codes.
    """

    values: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    halves: npt.NDArray[np.float32]
    codes: npt.NDArray[np.int64]


class CoarseGroups(NamedTuple):
    """Coarse groups of centroids.

    Attributes:
        directions: ``(groups, padded)`` unit vectors.
        bounds: ``(groups + 1,)`` where the centroids of each group start.
    """

    directions: npt.NDArray[np.float32]
    bounds: npt.NDArray[np.int64]


class Grouped(NamedTuple):
    """Centroids, and the coarse groups in which they are looked for.

    Attributes:
        directions: see :class:`CoarseGroups`.
        bounds: see :class:`CoarseGroups`.
        values: see :class:`Source`.
        scales: see :class:`Source`.
        chunks: see :class:`Shape`.
    """

    directions: npt.NDArray[np.float32]
    bounds: npt.NDArray[np.int64]
    values: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    chunks: tuple[None, ...]


class Query(NamedTuple):
    """A query, rotated like a codebook, in whole numbers.

    Attributes:
        whole: ``(rows, CHUNK chunks)`` uint8, each row in parts of its unit, with 128 added; there
            are some more rows, of zeros, as kernels take several at once.
        units: one a row of ``whole``.
    """

    whole: npt.NDArray[np.uint8]
    units: npt.NDArray[np.float32]

    def take(self, start: int, end: int) -> Query:
        """Return consecutive rows."""
        return Query(self.whole[start:end], self.units[start:end])


class Probed(NamedTuple):
    """Centroids near each query vector, best first.

    Attributes:
        ids: ``(rows, limit)`` codes.
        sims: ``(rows, limit)`` their similarities.
        found: ``(rows,)`` how many of them count.
    """

    ids: npt.NDArray[np.int32]
    sims: npt.NDArray[np.float32]
    found: npt.NDArray[np.int64]

    def take(self, start: int, end: int) -> Probed:
        """Return those of consecutive rows."""
        return Probed(self.ids[start:end], self.sims[start:end], self.found[start:end])


class Lists(NamedTuple):
    """Inverted lists of one block of windows.

    Attributes:
        first: position of the block's first window.
        size: its windows.
        starts: ``(codes + 1,)`` where the list of each centroid starts.
        listed: ``(entries,)`` windows, counted from ``first``.
    """

    first: int
    size: int
    starts: npt.NDArray[np.int32]
    listed: npt.NDArray[np.uint16]


class Near(NamedTuple):
    """A query, and the centroids that some of its vectors are near.

    Attributes:
        whole: see :class:`Query`.
        units: see :class:`Query`.
        floors: one a row of ``whole``, the similarity of what no list mentions.
        slots: ``(codes,)`` a number from 1 on for each near centroid, 0 for all others.
        sims: ``(numbers, rows)`` their similarities to the query's vectors, by number.
    """

    whole: npt.NDArray[np.uint8]
    units: npt.NDArray[np.float32]
    floors: npt.NDArray[np.float32]
    slots: npt.NDArray[np.int32]
    sims: npt.NDArray[np.float32]
