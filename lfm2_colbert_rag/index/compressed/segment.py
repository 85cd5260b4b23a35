"""Compressed segments: a code, a step and a few bits a dimension for each vector.

=============== ======================== ======================================================
file            shape and dtype          content
=============== ======================== ======================================================
codes           ``(vectors, 3)`` uint8   centroid and step of each vector (:mod:`.codec`)
packed          ``(vectors, width)``     residuals, 2 or 4 bits a coordinate, uint8
norms           ``(vectors,)`` uint8     lengths of the vectors; empty where all are 1 or the
                                         codebook keeps vectors as long as they are
spans           ``(bytes,)`` uint8       characters of each vector (``kernels.encode_spans``)
span_sizes      ``(windows,)``           bytes of ``spans`` that each window has
lengths         ``(windows,)``           vectors of each window
row_steps       ``(windows,)``           row number of each window's passage less that of the one
                                         before it; the first is in the catalog
windows         ``(windows, 2)``         characters of the passage that each window is
list_bounds     ``(blocks + 1,)``        where the lists of each block of 65,536 windows start
list_steps      ``(lists,)``             centroid of each list less that of the one before it,
                                         within a block
list_sizes      ``(lists,)``             windows in each list
listed          ``(entries,)`` uint16    windows that hold the centroid, counted within the block
extra_centroids as in the codebook       centroids of tokens that the codebook does not know;
extra_scales    ``(extra,)`` float16     their codes follow those of the codebook
extra_tokens    ``(extra,)``
=============== ======================== ======================================================

Whole numbers have the smallest type that holds them. Vocabulary ids are not stored: a
centroid belongs to one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import REMEDY, IndexCorruptError
from ...types import TokenMatrix
from ..arrays import open_arrays, release_pages
from ..laws import MOST, Laws, require_rows, windows_of
from ..segment import Segment, SegmentInfo
from .codebook import Centroids, Codebook, read_centroids
from .codec import CODE_BYTES, MAX_CENTROIDS, unpack_centroids, unpack_codes
from .structs import Lists, Source, Store
from .ways import kernels_now

BLOCK_WINDOWS = 65_536
# Arrays that grow with the vectors and are mapped, and those that are held in memory.
STREAMED = ("codes", "packed", "norms", "spans", "listed")
_SMALL = (
    "span_sizes", "lengths", "row_steps", "windows", "list_bounds", "list_steps", "list_sizes",
    "extra_centroids", "extra_scales", "extra_tokens",
)  # fmt: skip
# Made anew whenever a segment is rewritten, so that damage to them is repaired by it.
REPAIRED = frozenset({"list_bounds", "list_steps", "list_sizes", "listed"})


class CompressedSegment(Segment):
    """A segment whose vectors are kept as codes and residuals.

    Args:
        info: what the catalog knows of it.
        codebook: the codebook that it names.
        arrays: see the module.
    """

    def __init__(
        self, info: SegmentInfo, codebook: Codebook, arrays: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        self.info = info
        self.codebook = codebook
        self.rows = info.first_row + np.cumsum(arrays["row_steps"], dtype=np.int64)
        self.windows = arrays["windows"]
        self.offsets = _offsets(arrays["lengths"])
        self.span_offsets = _offsets(arrays["span_sizes"])
        self.spans = arrays["spans"]
        self.store = Store(arrays["codes"], arrays["packed"], arrays["norms"])
        self.extra = Centroids.read(arrays, "extra_")
        self._arrays = arrays

    @property
    def _streamed(self) -> Sequence[npt.NDArray[np.generic]]:
        return *self.store, self.spans

    @cached_property
    def single(self) -> bool:
        """Whether every passage has but one window."""
        return len(self.rows) == self.info.passages

    @cached_property
    def source(self) -> Source:
        """What kernels need to decode the segment's vectors, once these name known centroids.

        Raises:
            IndexCorruptError: there is none of a name.
        """
        kernels = kernels_now([self.codebook.codec])
        if not kernels.codes_below(self.store.codes, len(self.codebook) + len(self.extra)):
            raise self._corrupt("its codes name centroids that there are not.")
        return self.codebook.source(self.store, self.extra)

    @cached_property
    def lists(self) -> list[Lists]:
        """The inverted lists, block by block.

        Raises:
            IndexCorruptError: they hold windows that there are not.
        """
        arrays, found, entry = self._arrays, [], 0
        codes = len(self.codebook) + len(self.extra)
        for number, (start, end) in enumerate(
            zip(
                arrays["list_bounds"][:-1].tolist(), arrays["list_bounds"][1:].tolist(), strict=True
            )
        ):
            starts = np.zeros(codes + 1, np.int32)
            listed_codes = np.cumsum(arrays["list_steps"][start:end], dtype=np.int64)
            starts[listed_codes + 1] = arrays["list_sizes"][start:end]
            np.cumsum(starts, out=starts)
            first = number * BLOCK_WINDOWS
            size = min(BLOCK_WINDOWS, len(self.rows) - first)
            listed = arrays["listed"][entry : entry + int(starts[-1])]
            if len(listed) and int(listed.max()) >= size:
                raise self._corrupt("its inverted lists hold windows that there are not.")
            found.append(Lists(first, size, starts, listed))
            entry += int(starts[-1])
        return found

    def _corrupt(self, what: str) -> IndexCorruptError:
        return IndexCorruptError(f"segment {self.info.name}: {what} {REMEDY}")

    def decode(self, start: int, end: int) -> TokenMatrix:
        """Decode consecutive vectors, rotated as they are stored, ``(end - start, padded)``."""
        kernels = kernels_now([self.codebook.codec])
        out = np.empty((end - start, self.codebook.codec.padded), np.float32)
        kernels.decode_many(self.source, start, end, out)
        return out

    def tokens_of(self, start: int, end: int) -> npt.NDArray[np.int32]:
        """Return the vocabulary ids of consecutive vectors; -1 or less where unknown."""
        codes, _ = unpack_codes(self.store.codes[start:end])
        known = len(self.codebook)
        tokens = np.empty(len(codes), np.int32)
        tokens[codes < known] = self.codebook.centroids.tokens[codes[codes < known]]
        tokens[codes >= known] = self.extra.tokens[codes[codes >= known] - known]
        return tokens

    def vectors_of(self, position: int) -> TokenMatrix:
        """Return one window's vectors, ``(num_tokens, dim)`` float32, as they are kept."""
        tokens = self._tokens(position)
        return self.codebook.unrotate(self.decode(tokens.start, tokens.stop))

    def vectors_of_some(self, positions: Sequence[int]) -> list[TokenMatrix]:
        """Return the vectors of some windows; all are rotated back by one product."""
        if not len(positions):
            return []
        parts = [self._tokens(position) for position in positions]
        rotated = np.concatenate([self.decode(part.start, part.stop) for part in parts])
        ends = np.cumsum([part.stop - part.start for part in parts])
        return np.split(self.codebook.unrotate(rotated), ends[:-1])

    def token_ids_of(self, position: int) -> npt.NDArray[np.int32]:
        """Return the vocabulary ids of one window's vectors."""
        tokens = self._tokens(position)
        return np.maximum(self.tokens_of(tokens.start, tokens.stop), -1)

    def spans_of(self, position: int) -> npt.NDArray[np.int32]:
        """Return the characters of the passage that one window's vectors stand for."""
        kernels = kernels_now([self.codebook.codec])
        out = np.empty((int(self.lengths[position]), 2), np.int32)
        start, end = self.span_offsets[position : position + 2].tolist()
        begin = int(self.windows[position, 0])
        if not kernels.decode_spans(self.spans[start:end], begin, out):
            raise self._corrupt("its spans cannot be unpacked.")
        return out

    def check(self) -> list[str]:
        """Compare the arrays with one another; one sentence a contradiction."""
        vectors = len(self.store.codes)
        found = []
        if self.offsets[-1] != vectors or len(self.store.packed) != vectors:
            found.append(f"its windows do not cover its {vectors} vectors.")
        if len(self.store.norms) not in (0, vectors):
            found.append(f"it has {len(self.store.norms)} lengths for its {vectors} vectors.")
        if self.span_offsets[-1] != len(self.spans):
            found.append("its windows do not cover its spans.")
        codes = len(self.codebook) + len(self.extra)
        for start in range(0, vectors, 1 << 20):
            if (unpack_codes(self.store.codes[start : start + (1 << 20)])[0] >= codes).any():
                found.append(f"it names a centroid that codebook {self.codebook.info.name} lacks.")
                break
        if not found and not self._lists_agree():
            found.append("its inverted lists do not agree with its codes.")
        return found

    def _lists_agree(self) -> bool:
        """Tell whether the lists are those that the codes make."""
        expected = invert(self.store.codes, self.lengths)
        try:
            for lists, (codes, sizes, windows) in zip(self.lists, expected, strict=True):
                present = np.diff(lists.starts)
                if not (
                    np.array_equal(np.flatnonzero(present), codes)
                    and np.array_equal(present[codes], sizes)
                    and np.array_equal(lists.listed, windows)
                ):
                    return False
        except (ValueError, IndexError):
            return False
        return True


def open_compressed_segment(root: Path, info: SegmentInfo, codebook: Codebook) -> CompressedSegment:
    """Open a compressed segment, once what is not a row a vector keeps its laws.

    Raises:
        IndexCorruptError: a file is missing or altered, or an array cannot be so.
        StoredIndexError: the system refuses to open a file now.
    """
    folder = root / info.name
    laws = Laws(folder, open_arrays(folder, info.files, STREAMED))
    laws.named(STREAMED + _SMALL)
    _check_windows(laws, info)
    _check_vectors(laws, info, codebook.codec.width)
    extra = read_centroids(laws, codebook.codec, "extra_")
    codes = len(codebook) + len(extra)
    laws.require(codes <= MAX_CENTROIDS, f"it has {codes} centroids, more than there may be.")
    _check_lists(laws, codes)
    return CompressedSegment(info, codebook, laws.arrays)


def _check_windows(laws: Laws, info: SegmentInfo) -> None:
    """Check what has a row a window."""
    lengths = laws.numbers("lengths", 1, MOST, None)
    count = len(lengths)
    laws.require(
        float(lengths.sum(dtype=np.float64)) == info.vectors,
        f"its windows do not cover its {info.vectors} vectors.",
    )
    steps = laws.numbers("row_steps", 0, MOST, count)
    laws.require(
        float(steps.sum(dtype=np.float64)) + info.first_row <= MOST, "its row_steps are too large."
    )
    rows = info.first_row + np.cumsum(steps, dtype=np.int64)
    require_rows(laws, rows, info.first_row, info.passages)
    windows_of(laws, count)
    sizes = laws.numbers("span_sizes", 1, MOST, count)
    spans = laws.take("spans", np.uint8, None)
    laws.require(
        float(sizes.sum(dtype=np.float64)) == len(spans), "its windows do not cover its spans."
    )


def _check_vectors(laws: Laws, info: SegmentInfo, width: int) -> None:
    """Check the shapes of what has a row a vector."""
    laws.one_a_vector("codes", np.uint8, info.vectors, CODE_BYTES)
    laws.one_a_vector("packed", np.uint8, info.vectors, width)
    norms = laws.take("norms", np.uint8, None)
    laws.require(
        len(norms) in (0, info.vectors),
        f"it has {len(norms)} lengths for its {info.vectors} vectors.",
    )


def _check_lists(laws: Laws, codes: int) -> None:
    """Check whose the inverted lists are, and where they lie."""
    steps = laws.numbers("list_steps", 0, MAX_CENTROIDS, None)
    windows = len(laws.arrays["lengths"])
    bounds = laws.bounds("list_bounds", len(steps), np.int64)
    laws.require(
        len(bounds) == 1 - (-windows // BLOCK_WINDOWS),
        f"it has inverted lists of {len(bounds) - 1} blocks for its {windows} windows.",
    )
    sizes = laws.numbers("list_sizes", 1, BLOCK_WINDOWS, len(steps))
    listed = laws.take("listed", np.uint16, None)
    laws.require(
        int(sizes.sum(dtype=np.int64)) == len(listed), "its list_sizes do not cover its lists."
    )
    for start, end in pairwise(bounds.tolist()):
        part = steps[start:end]
        laws.require(
            not len(part) or ((part[1:] > 0).all() and int(part.sum(dtype=np.int64)) < codes),
            "its list_steps name centroids twice, or some that there are not.",
        )
        entries = int(sizes[start:end].sum(dtype=np.int64))
        laws.require(entries < 1 << 31, f"it has {entries} entries in a block of lists.")


def invert(
    codes: npt.NDArray[np.uint8], lengths: npt.NDArray[np.integer]
) -> Iterator[tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.uint16]]]:
    """Yield the inverted lists of each block of windows: codes, sizes, and windows.

    Args:
        codes: ``(vectors, 3)`` of all windows, end to end.
        lengths: vectors of each window.
    """
    offsets = _offsets(lengths)
    for first in range(0, len(lengths), BLOCK_WINDOWS):
        last = min(first + BLOCK_WINDOWS, len(lengths))
        part = codes[int(offsets[first]) : int(offsets[last])]
        windows = np.repeat(np.arange(last - first, dtype=np.uint16), lengths[first:last])
        keys = _pairs(part, windows)
        release_pages((codes,))
        starts = np.flatnonzero(_changes(keys >> 16))
        yield (
            (keys[starts] >> 16).astype(np.uint32),
            np.diff(starts, append=len(keys)).astype(np.uint32),
            keys.astype(np.uint16),  # the lowest 16 bits
        )


def _pairs(codes: npt.NDArray[np.uint8], windows: npt.NDArray[np.uint16]) -> npt.NDArray[np.int64]:
    """Return each pair of a centroid and a window once, ascending, as one number.

    A block may have tens of millions of vectors, so nothing is copied that need not be.
    """
    keys = unpack_centroids(codes).astype(np.int64)
    keys <<= 16
    keys += windows
    keys.sort()
    different: npt.NDArray[np.int64] = keys[_changes(keys)]
    return different


def _changes(values: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell where a value differs from the one before it; the first does."""
    changes = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes


def _offsets(lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
