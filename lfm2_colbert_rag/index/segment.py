"""Segments: immutable sets of passages' token vectors, as checksummed memory-mapped files.

A segment is a folder of four arrays. It is written under a temporary name, flushed to the disk,
and renamed; from then on it never changes. What makes it part of an index is the catalog, which
names it together with the size and checksum of each file.

========== ================================ ==========================================
file       shape and dtype                  content
========== ================================ ==========================================
vectors    ``(tokens, dim)`` float16        token vectors of all passages, end to end
offsets    ``(passages + 1,)`` int64        where each passage starts; last = tokens
rows       ``(passages,)`` int64            the passages' row numbers, ascending
token_ids  ``(tokens,)`` int32              vocabulary id of each vector
========== ================================ ==========================================
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from ..errors import IndexCorruptError
from ..types import TokenVectors

ARRAYS = ("vectors", "offsets", "rows", "token_ids")
TEMPORARY_PREFIX = ".tmp-"


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
    offsets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    token_ids: npt.NDArray[np.int32]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """``(passages,)`` number of vectors of each passage."""
        return np.diff(self.offsets)

    def position(self, row: int) -> int | None:
        """Return the place of a row in this segment, or None."""
        place = int(np.searchsorted(self.rows, row))
        return place if place < len(self.rows) and self.rows[place] == row else None

    def span(self, position: int) -> slice:
        """Return where the vectors of one passage lie."""
        return slice(int(self.offsets[position]), int(self.offsets[position + 1]))


def write_segment(
    root: Path,
    name: str,
    rows: Sequence[int],
    encoded: Sequence[TokenVectors],
    *,
    durable: bool = True,
) -> SegmentInfo:
    """Write a segment so that it exists whole or not at all.

    Args:
        root: the ``segments`` folder.
        name: the new segment's name; must be free.
        rows: ascending row numbers, one a passage.
        encoded: the passages' vectors, stored as float16.
        durable: flush to the disk before the rename; off for indexes that live in memory only.

    Returns:
        What to record in the catalog.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    lengths = [len(one) for one in encoded]
    arrays: dict[str, npt.NDArray[Any]] = {
        "vectors": np.concatenate([one.vectors for one in encoded]).astype(np.float16),
        "offsets": np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        "rows": np.asarray(rows, dtype=np.int64),
        "token_ids": np.concatenate([one.token_ids for one in encoded]).astype(np.int32),
    }
    temporary = root / f"{TEMPORARY_PREFIX}{name}"
    temporary.mkdir(parents=True)
    try:
        files = {
            key: _write_array(temporary / f"{key}.npy", array, durable=durable)
            for key, array in arrays.items()
        }
        if durable:
            sync_folder(temporary)
        temporary.replace(root / name)
        if durable:
            sync_folder(root)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return SegmentInfo(name, len(rows), sum(lengths), files)


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


class _HashingFile:
    """Counts and hashes what passes through on its way into a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self._size += len(data)
        return self._file.write(data)

    def summary(self) -> SegmentFile:
        return SegmentFile(self._size, self._hash.hexdigest())


def _write_array(path: Path, array: npt.NDArray[Any], *, durable: bool) -> SegmentFile:
    with path.open("wb") as file:
        hashing = _HashingFile(file)
        np.save(cast(BinaryIO, hashing), array, allow_pickle=False)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    return hashing.summary()


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
