"""Segments: immutable sets of passages' token vectors, as checksummed memory-mapped files.

A segment is a folder of arrays. It is written under a temporary name, flushed to the disk, and
renamed; from then on it never changes. What makes it part of an index is the catalog, which names
it together with the size and checksum of each file. There are two kinds: exact ones keep vectors as
they are (this module), compressed ones a few bits of them (:mod:`.compressed.segment`).

Files of an exact segment:

========== ======================= ===========================================================
file       shape and dtype         content
========== ======================= ===========================================================
vectors    ``(vectors, dim)``      token vectors of all windows, end to end, float16
token_ids  ``(vectors,)`` int32    vocabulary id of each vector
spans      ``(vectors, 2)`` int32  characters of the passage that each vector stands for
offsets    ``(windows + 1,)``      where each window's vectors start; last = vectors, int64
rows       ``(windows,)`` int64    row number of each window's passage, ascending; the windows of
                                   a passage lie side by side
windows    ``(windows, 2)`` int64  characters of the passage that each window is
========== ======================= ===========================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .._support.disk import sync_folder
from ..types import TokenMatrix, TokenVectors, Window
from .arrays import (
    ArrayFile,
    FileInfo,
    describe_arrays,
    open_arrays,
    release_pages,
    write_arrays,
)
from .described import array_names, one_of, share, whole, wrong
from .laws import MOST, Laws, all_finite, require_rows, windows_of
from .quantized_vectors import QuantizedVectors

EXACT, COMPRESSED = "exact", "compressed"
# Arrays of an exact segment that have a row a vector, and those that have one a window.
_A_VECTOR, _A_WINDOW = ("vectors", "token_ids", "spans"), ("offsets", "rows", "windows")


@dataclass(frozen=True)
class SegmentInfo:
    """What the catalog remembers of a segment.

    Attributes:
        name: folder name under ``segments/``.
        passages: number of passages, deleted ones included.
        vectors: number of token vectors.
        files: size and checksum of each array's file, by array name.
        kind: ``"exact"`` or ``"compressed"``.
        codebook: name of the codebook of a compressed segment.
        mse: mean squared length of its residuals; 0 for an exact segment.
        noise: variance, for one query vector, of what quantization does to a score.
        first_row: its lowest row number.
        oov_share: share of its vectors whose vocabulary id the codebook does not know (out of
            vocabulary).

    Raises:
        IndexCorruptError: a value that cannot be.
    """

    name: str
    passages: int
    vectors: int
    files: Mapping[str, FileInfo]
    kind: str = EXACT
    codebook: str | None = None
    mse: float = 0.0
    noise: float = 0.0
    first_row: int = 0
    oov_share: float = 0.0

    def __post_init__(self) -> None:
        one_of("the kinds of segments", self.kind, (EXACT, COMPRESSED))
        array_names(self.files)
        whole("the passages of a segment", self.passages)
        whole("the vectors of a segment", self.vectors)
        whole("the first rows of segments", self.first_row)
        share("the residuals of a segment", self.mse)
        share("the noise values of a segment", self.noise)
        share("the shares of unknown vectors", self.oov_share, most=1)
        if self.kind == EXACT and self.codebook is not None:
            raise wrong("the codebooks of an exact segment", self.codebook)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


class Segment(ABC):
    """An opened segment; its arrays are read-only maps of its files.

    Attributes:
        info: what the catalog knows of it.
        rows: ``(windows,)`` int64, ascending.
        offsets: ``(windows + 1,)`` int64, where each window's vectors start.
        windows: ``(windows, 2)`` characters of the passage that each window is.
    """

    info: SegmentInfo
    rows: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    windows: npt.NDArray[np.integer]

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """``(windows,)`` number of vectors of each window."""
        return np.diff(self.offsets)

    def positions(self, row: int) -> range:
        """Return the positions of a row's windows in this segment; empty if it has none here."""
        first, last = np.searchsorted(self.rows, (row, row + 1))
        return range(int(first), int(last))

    def window(self, position: int) -> Window:
        """Return one window with all that is known of it."""
        encoded = TokenVectors(
            self.vectors_of(position), self.token_ids_of(position), self.spans_of(position)
        )
        return Window(self.window_span(position), encoded)

    def windows_at(self, positions: Sequence[int]) -> list[Window]:
        """Return some windows, each as :meth:`window` does, in less time."""
        return [
            Window(
                self.window_span(position),
                TokenVectors(vectors, self.token_ids_of(position), self.spans_of(position)),
            )
            for position, vectors in zip(positions, self.vectors_of_some(positions), strict=True)
        ]

    def window_span(self, position: int) -> tuple[int, int]:
        """Return the characters of its passage that one window is."""
        start, end = self.windows[position].tolist()
        return start, end

    def release_pages(self) -> None:
        """Unmap the pages of what has a row a vector; they are mapped again when they are read."""
        release_pages(self._streamed)

    @property
    @abstractmethod
    def _streamed(self) -> Sequence[npt.NDArray[np.generic]]:
        """The arrays that have a row a vector."""

    @abstractmethod
    def vectors_of(self, position: int) -> TokenMatrix:
        """Return one window's vectors, ``(num_tokens, dim)`` float32."""

    def vectors_of_some(self, positions: Sequence[int]) -> list[TokenMatrix]:
        """Return the vectors of some windows, each as :meth:`vectors_of` does."""
        return [self.vectors_of(position) for position in positions]

    @abstractmethod
    def token_ids_of(self, position: int) -> npt.NDArray[np.int32]:
        """Return the vocabulary ids of one window's vectors."""

    @abstractmethod
    def spans_of(self, position: int) -> npt.NDArray[np.int32]:
        """Return the characters of the passage that one window's vectors stand for."""

    def _tokens(self, position: int) -> slice:
        return slice(int(self.offsets[position]), int(self.offsets[position + 1]))


class ExactSegment(Segment):
    """A segment of float16 vectors.

    Args:
        info: what the catalog knows of it.
        arrays: see the module.

    Attributes:
        quantized: its vectors as bytes, once a search has made them.
    """

    def __init__(self, info: SegmentInfo, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self.info = info
        self.quantized: QuantizedVectors | None = None
        self.vectors: npt.NDArray[np.float16] = arrays["vectors"]  # type: ignore[assignment]
        self.token_ids: npt.NDArray[np.int32] = arrays["token_ids"]  # type: ignore[assignment]
        self.spans: npt.NDArray[np.int32] = arrays["spans"]  # type: ignore[assignment]
        self.offsets = arrays["offsets"]  # type: ignore[assignment]
        self.rows = arrays["rows"]  # type: ignore[assignment]
        self.windows = arrays["windows"]  # type: ignore[assignment]

    @property
    def _streamed(self) -> Sequence[npt.NDArray[np.generic]]:
        return self.vectors, self.token_ids, self.spans

    @cached_property
    def finite(self) -> bool:
        """Whether no vector holds NaN or infinity; looked at once, when it is first searched."""
        return self.quantized is not None or all_finite(self.vectors)

    def vectors_of(self, position: int) -> TokenMatrix:
        """Return one window's vectors, ``(num_tokens, dim)`` float32."""
        return self.vectors[self._tokens(position)].astype(np.float32)

    def token_ids_of(self, position: int) -> npt.NDArray[np.int32]:
        """Return the vocabulary ids of one window's vectors."""
        return np.array(self.token_ids[self._tokens(position)])

    def spans_of(self, position: int) -> npt.NDArray[np.int32]:
        """Return the characters of the passage that one window's vectors stand for."""
        return np.array(self.spans[self._tokens(position)])


class WindowWriter(Protocol):
    """What writes a segment of either kind, window by window."""

    def append(self, row: int, window: Window) -> None:
        """Add a window of the passage with a row number, never less than the last."""

    def counts(self, passages: int) -> tuple[list[int], list[int]]:
        """Return the windows and the vectors of each of the passages."""

    def close(self) -> None:
        """Close the files, finished or not."""

    def finish(self, name: str, first_row: int) -> SegmentInfo:
        """Write what is left, flush everything, and return what to record."""


class SegmentWriter:
    """Writes a segment window by window, so that no more than one need be in memory.

    Args:
        folder: where the files go; made here.
        dim: width of the vectors.
        durable: flush to the disk; off for indexes that live in memory only.

    Raises:
        OSError: the disk is full or the folder cannot be written. So do the methods; removing
            the folder is up to the caller.

    Example:
        >>> writer = SegmentWriter(root / "00000001", dim=128)   # doctest: +SKIP
        >>> writer.append(0, Window((0, len(text)), encoded))    # doctest: +SKIP
        >>> info = writer.finish(first_row=1)                    # doctest: +SKIP
    """

    def __init__(self, folder: Path, dim: int, *, durable: bool = True) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._durable = durable
        self._rows: list[int] = []
        self._lengths: list[int] = []
        self._windows: list[tuple[int, int]] = []
        with ExitStack() as opened:
            self._vectors = opened.enter_context(ArrayFile(folder, "vectors", np.float16, dim))
            self._token_ids = opened.enter_context(ArrayFile(folder, "token_ids", np.int32))
            self._spans = opened.enter_context(ArrayFile(folder, "spans", np.int32, 2))
            self._opened = opened.pop_all()

    def append(self, row: int, window: Window) -> None:
        """Add a window.

        Args:
            row: row number of its passage, less the ``first_row`` that :meth:`finish` is given;
                never less than the last.
            window: with at least one vector, stored as float16.
        """
        encoded = window.encoded
        self._vectors.extend(encoded.vectors)
        self._token_ids.extend(encoded.token_ids)
        self._spans.extend(encoded.spans)
        self._rows.append(row)
        self._lengths.append(len(encoded.vectors))
        self._windows.append(window.span)

    def counts(self, passages: int) -> tuple[list[int], list[int]]:
        """Return the windows and the vectors of each of the passages."""
        return count_by_row(self._rows, self._lengths, passages)

    def close(self) -> None:
        """Close the files, finished or not."""
        self._opened.close()

    def finish(self, name: str, first_row: int) -> SegmentInfo:
        """Write what is left, and flush everything.

        Args:
            name: the segment's name to be.
            first_row: what is added to every row number.

        Returns:
            What to record in the catalog.
        """
        with self._opened:
            arrays = {
                "offsets": np.concatenate(([0], np.cumsum(self._lengths))).astype(np.int64),
                "rows": np.array(self._rows, dtype=np.int64) + first_row,
                "windows": np.array(self._windows, dtype=np.int64),
            }
            write_arrays(self._folder, arrays, durable=self._durable)
            for array in (self._vectors, self._token_ids, self._spans):
                array.finish(durable=self._durable)
        if self._durable:
            sync_folder(self._folder)
        files = describe_arrays(self._folder)
        return SegmentInfo(
            name,
            len(set(self._rows)),
            sum(self._lengths),
            files,
            first_row=first_row + self._rows[0],
        )


def count_by_row(
    rows: Sequence[int], lengths: Sequence[int], passages: int
) -> tuple[list[int], list[int]]:
    """Count the windows and the vectors of each passage.

    Args:
        rows: the passage of each window, counted from 0.
        lengths: the vectors of each window.
        passages: their number.
    """
    owners = np.asarray(rows, np.int64)
    windows = np.bincount(owners, minlength=passages)
    vectors = np.bincount(owners, weights=np.asarray(lengths), minlength=passages)
    return windows.tolist(), vectors.astype(np.int64).tolist()


def open_exact_segment(root: Path, info: SegmentInfo, dim: int | None = None) -> ExactSegment:
    """Open a segment, once what is not a row a vector keeps its laws.

    Args:
        root: folder of all segments.
        info: what the catalog knows of it.
        dim: width of its vectors; whatever it is when None.

    Raises:
        IndexCorruptError: a file is missing or altered, or an array cannot be so.
        StoredIndexError: the system refuses to open a file now.
    """
    folder = root / info.name
    laws = Laws(folder, open_arrays(folder, info.files, _A_VECTOR))
    laws.named(_A_VECTOR + _A_WINDOW)
    width = laws.take("vectors", np.float16, None, dim).shape[1]
    laws.one_a_vector("vectors", np.float16, info.vectors, width)
    laws.one_a_vector("token_ids", np.int32, info.vectors)
    laws.one_a_vector("spans", np.int32, info.vectors, 2)
    rows = laws.numbers("rows", 0, MOST, None, dtype=np.int64)
    laws.require(
        laws.arrays["offsets"].shape == (len(rows) + 1,),
        f"it has {len(rows)} rows, but offsets of shape {laws.arrays['offsets'].shape} and windows "
        f"of shape {laws.arrays['windows'].shape}.",
    )
    require_rows(laws, rows, info.first_row, info.passages)
    windows_of(laws, len(rows), np.int64)
    offsets = laws.bounds("offsets", info.vectors, np.int64)
    laws.require(
        (np.diff(offsets) > 0).all(),
        f"its offsets do not ascend from 0 to its {info.vectors} vectors.",
    )
    return ExactSegment(info, laws.arrays)
