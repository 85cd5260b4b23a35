"""Segments: immutable sets of passages' token vectors, as checksummed memory-mapped files.

A segment is a folder of six arrays. It is written under a temporary name, flushed to the disk,
and renamed; from then on it never changes. What makes it part of an index is the catalog, which
names it together with the size and checksum of each file.

========== ======================= ===========================================================
file       shape and dtype         content
========== ======================= ===========================================================
vectors    ``(tokens, dim)``       token vectors of all windows, end to end, float16
token_ids  ``(tokens,)`` int32     vocabulary id of each vector
spans      ``(tokens, 2)`` int32   characters of the passage that each vector stands for
offsets    ``(windows + 1,)``      where each window's vectors start; last = tokens, int64
rows       ``(windows,)`` int64    row number of each window's passage, ascending; the windows of
                                   a passage lie side by side
windows    ``(windows, 2)`` int64  characters of the passage that each window is
========== ======================= ===========================================================
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import IndexCorruptError
from ..types import TokenMatrix, TokenVectors, Window


@dataclass(frozen=True)
class SegmentFile:
    """Size in bytes and SHA-256 of one file of a segment."""

    size: int
    sha256: str


@dataclass(frozen=True)
class SegmentInfo:
    """What the catalog remembers of a segment.

    Attributes:
        name: folder name under ``segments/``.
        passages: number of passages, deleted ones included.
        tokens: number of token vectors.
        files: size and checksum of each array's file, by array name.
    """

    name: str
    passages: int
    tokens: int
    files: Mapping[str, SegmentFile]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


@dataclass(frozen=True, eq=False)
class Segment:
    """An opened segment; the arrays are read-only maps of its files."""

    info: SegmentInfo
    vectors: npt.NDArray[np.float16]
    token_ids: npt.NDArray[np.int32]
    spans: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """``(windows,)`` number of vectors of each window."""
        return np.diff(self.offsets)

    def positions(self, row: int) -> range:
        """Return the places of a row's windows in this segment; empty if it has none here."""
        first, last = np.searchsorted(self.rows, (row, row + 1))
        return range(int(first), int(last))

    def vectors_of(self, position: int) -> TokenMatrix:
        """Return one window's vectors, ``(num_tokens, dim)`` float32."""
        return self.vectors[self._tokens(position)].astype(np.float32)

    def window(self, position: int) -> Window:
        """Return one window with all that is known of it."""
        tokens = self._tokens(position)
        encoded = TokenVectors(
            self.vectors_of(position),
            np.array(self.token_ids[tokens]),
            np.array(self.spans[tokens]),
        )
        return Window(self.window_span(position), encoded)

    def window_span(self, position: int) -> tuple[int, int]:
        """Return the characters of its passage that one window is."""
        start, end = self.windows[position].tolist()
        return start, end

    def _tokens(self, position: int) -> slice:
        return slice(int(self.offsets[position]), int(self.offsets[position + 1]))


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
        self._places: list[int] = []
        self._lengths: list[int] = []
        self._windows: list[tuple[int, int]] = []
        with ExitStack() as opened:
            self._vectors = opened.enter_context(_ArrayFile(folder, "vectors", np.float16, dim))
            self._token_ids = opened.enter_context(_ArrayFile(folder, "token_ids", np.int32))
            self._spans = opened.enter_context(_ArrayFile(folder, "spans", np.int32, 2))
            self._opened = opened.pop_all()

    def append(self, place: int, window: Window) -> None:
        """Add a window.

        Args:
            place: which passage it belongs to, counted from 0; never less than the last.
            window: with at least one vector, stored as float16.
        """
        encoded = window.encoded
        self._vectors.extend(encoded.vectors)
        self._token_ids.extend(encoded.token_ids)
        self._spans.extend(encoded.spans)
        self._places.append(place)
        self._lengths.append(len(encoded))
        self._windows.append(window.span)

    def counts(self, passages: int) -> tuple[list[int], list[int]]:
        """Return the windows and the vectors of each of the passages."""
        windows, tokens = [0] * passages, [0] * passages
        for place, length in zip(self._places, self._lengths, strict=True):
            windows[place] += 1
            tokens[place] += length
        return windows, tokens

    def close(self) -> None:
        """Let go of the files, finished or not."""
        self._opened.close()

    def finish(self, name: str, first_row: int) -> SegmentInfo:
        """Write what is left, and flush everything.

        Args:
            name: the segment's name to be.
            first_row: row number of the passage at place 0.

        Returns:
            What to record in the catalog.
        """
        with self._opened:
            for key, values, width in (
                ("offsets", np.concatenate(([0], np.cumsum(self._lengths))), ()),
                ("rows", np.array(self._places) + first_row, ()),
                ("windows", np.array(self._windows), (2,)),
            ):
                with _ArrayFile(self._folder, key, np.int64, *width) as array:
                    array.extend(values)
                    array.finish(durable=self._durable)
            for array in (self._vectors, self._token_ids, self._spans):
                array.finish(durable=self._durable)
        if self._durable:
            sync_folder(self._folder)
        files = {path.stem: _describe(path) for path in sorted(self._folder.glob("*.npy"))}
        return SegmentInfo(name, len(set(self._places)), sum(self._lengths), files)


def open_segment(root: Path, info: SegmentInfo) -> Segment:
    """Map a segment's files after checking that they are there and of the recorded size.

    Raises:
        IndexCorruptError: a file is missing or has another size.
    """
    arrays = {}
    for key, expected in info.files.items():
        path = root / info.name / f"{key}.npy"
        _check_size(path, expected)
        try:
            arrays[key] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise IndexCorruptError(f"{path} cannot be read: {error}. {_REMEDY}") from error
    return Segment(info, **arrays)


def verify_segment(root: Path, info: SegmentInfo) -> list[str]:
    """Compare every file with its checksum.

    Returns:
        One sentence for each file that is missing, truncated or altered.
    """
    problems = []
    for key, expected in info.files.items():
        path = root / info.name / f"{key}.npy"
        try:
            _check_size(path, expected)
        except IndexCorruptError as error:
            problems.append(str(error))
            continue
        with path.open("rb") as file:
            if _sha256(file) != expected.sha256:
                problems.append(f"{path} was altered: its checksum differs. {_REMEDY}")
    return problems


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the system can do so."""
    if os.name == "nt":  # Windows has no handle to a folder that could be flushed
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_REMEDY = "Restore the index from a backup, or build it again from the texts."


class _ArrayFile:
    """An ``.npy`` file that grows by rows.

    Its header, which holds their number, is written again at the end; ``numpy.lib.format`` leaves
    room in it for that.
    """

    def __init__(self, folder: Path, name: str, dtype: npt.DTypeLike, *width: int) -> None:
        self._dtype = np.dtype(dtype)
        self._width = width
        self._rows = 0
        self._file = (folder / f"{name}.npy").open("wb")
        self._write_header()

    def __enter__(self) -> _ArrayFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def extend(self, rows: npt.NDArray[np.generic]) -> None:
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self._rows += len(rows)

    def finish(self, *, durable: bool) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.flush()
        if durable:
            os.fsync(self._file.fileno())

    def _write_header(self) -> None:
        shape = (self._rows, *self._width)
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        )


def _describe(path: Path) -> SegmentFile:
    with path.open("rb") as file:
        return SegmentFile(path.stat().st_size, _sha256(file))


def _check_size(path: Path, expected: SegmentFile) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise IndexCorruptError(f"{path} is missing. {_REMEDY}") from None
    if size != expected.size:
        raise IndexCorruptError(f"{path} has {size} bytes instead of {expected.size}. {_REMEDY}")


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
