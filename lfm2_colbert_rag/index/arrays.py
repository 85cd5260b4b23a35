"""Folders of arrays: written once as ``.npy`` files, checksummed, mapped when read.

What a segment or a codebook is made of on the disk. Files are opened without ``pickle``.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import IndexCorruptError
from .described import REMEDY as REMEDY
from .described import whole, wrong

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileInfo:
    """Size in bytes and SHA-256 of one file.

    Raises:
        IndexCorruptError: neither is one.
    """

    size: int
    sha256: str

    def __post_init__(self) -> None:
        whole("the bytes of a file", self.size)
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise wrong("the digits of a checksum", self.sha256)


class ArrayFile:
    """An ``.npy`` file that grows by rows.

    Its header, which holds their number, is written again at the end; ``numpy.lib.format`` leaves
    room in it for that.

    Args:
        folder: where the file is made.
        name: its name without ``.npy``.
        dtype: of the elements.
        width: elements in a row, where rows are arrays.
    """

    def __init__(self, folder: Path, name: str, dtype: npt.DTypeLike, *width: int) -> None:
        self._dtype = np.dtype(dtype)
        self._width = width
        self.path = folder / f"{name}.npy"
        self.rows = 0
        self._file = self.path.open("wb")
        self._write_header()

    def __enter__(self) -> ArrayFile:
        """Close the file at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file, finished or not."""
        with suppress(OSError):  # what was not finished need not reach a disk that may be full
            self._file.close()

    def extend(self, rows: npt.NDArray[np.generic]) -> None:
        """Append rows."""
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self.rows += len(rows)

    def truncate(self) -> None:
        """Drop all rows."""
        self.rows = 0
        self._file.seek(0)
        self._file.truncate()
        self._write_header()

    def finish(self, *, durable: bool) -> None:
        """Write the header, and wait for the disk if asked."""
        self._file.seek(0)
        self._write_header()
        self._file.flush()
        if durable:
            os.fsync(self._file.fileno())

    def _write_header(self) -> None:
        shape = (self.rows, *self._width)
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        )


def write_arrays(folder: Path, arrays: Mapping[str, npt.NDArray[Any]], *, durable: bool) -> None:
    """Write whole arrays into a folder, each under its key."""
    for name, values in arrays.items():
        with ArrayFile(folder, name, values.dtype, *values.shape[1:]) as file:
            file.extend(values)
            file.finish(durable=durable)


def narrow(values: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Return whole numbers in the smallest type that holds them."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    return values.astype(np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high)))


def describe_arrays(folder: Path) -> dict[str, FileInfo]:
    """Return what to remember of a folder's arrays, by name."""
    return {path.stem: _describe(path) for path in sorted(folder.glob("*.npy"))}


def open_arrays(folder: Path, files: Mapping[str, FileInfo]) -> dict[str, npt.NDArray[Any]]:
    """Map arrays read-only after checking that their files are there and of the recorded size.

    Raises:
        IndexCorruptError: a file is missing, has another size, or is no array.
    """
    arrays = {}
    for key, expected in files.items():
        path = folder / f"{key}.npy"
        _check_size(path, expected)
        try:
            arrays[key] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise IndexCorruptError(f"{path} cannot be read: {error}. {REMEDY}") from error
    return arrays


def release_pages(arrays: Iterable[npt.NDArray[Any]]) -> None:
    """Unmap the pages of arrays that were read once; the system's cache still has them.

    A process that streams through mapped files would otherwise look, and be billed, as if it held
    them. Where the system cannot do so nothing happens, as with arrays that are not mapped.
    """
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    for array in arrays:
        pages = getattr(array, "_mmap", None)
        if pages is not None:
            pages.madvise(mmap.MADV_DONTNEED)


def verify_arrays(folder: Path, files: Mapping[str, FileInfo]) -> list[str]:
    """Compare files with their checksums.

    Returns:
        One sentence for each file that is missing, truncated or altered.
    """
    problems = []
    for key, expected in files.items():
        path = folder / f"{key}.npy"
        try:
            _check_size(path, expected)
        except IndexCorruptError as error:
            problems.append(str(error))
            continue
        with path.open("rb") as file:
            if _sha256(file) != expected.sha256:
                problems.append(f"{path} was altered: its checksum differs. {REMEDY}")
    return problems


def _describe(path: Path) -> FileInfo:
    with path.open("rb") as file:
        return FileInfo(path.stat().st_size, _sha256(file))


def _check_size(path: Path, expected: FileInfo) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise IndexCorruptError(f"{path} is missing. {REMEDY}") from None
    if size != expected.size:
        raise IndexCorruptError(f"{path} has {size} bytes instead of {expected.size}. {REMEDY}")


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
