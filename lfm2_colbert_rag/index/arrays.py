"""Folders of arrays: written once as ``.npy`` files, checksummed, mapped when read.

What a segment or a codebook is made of on the disk. Files are opened without ``pickle``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .._support.mapping import map_bytes, release
from .._support.regular import open_regular
from .._support.system_errors import raise_named
from ..errors import REMEDY, IndexCorruptError, LFM2ColBERTError
from .described import whole, wrong
from .headers import Header, read_header

_SHA256 = re.compile(r"[0-9a-f]{64}")
# Large files of a segment that are together no larger are compared with their checksums whenever
# they are opened; of larger ones that would be felt. What these hold is checked when it is first
# searched, and compared by whoever verifies or rewrites them.
COMPARED_BYTES = 8 << 20


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


def open_arrays(
    folder: Path, files: Mapping[str, FileInfo], streamed: Collection[str] = ()
) -> dict[str, npt.NDArray[Any]]:
    """Read small arrays, and map those that are streamed; all are read-only.

    What is read is compared with its checksum, and so is what is mapped where it is no more than
    :data:`COMPARED_BYTES` together. No descriptor stays open.

    Args:
        folder: where the files are.
        files: what is remembered of them.
        streamed: names of the arrays that may be large.

    Raises:
        IndexCorruptError: a file is missing, altered, or no array.
        AccessDeniedError: this user may not read it.
        IndexUnavailableError: too many open files, no memory, an I/O error.
    """
    total = sum(info.size for name, info in files.items() if name in streamed)
    arrays = {}
    for name, expected in files.items():
        compared = name not in streamed or total <= COMPARED_BYTES
        arrays[name] = _open(folder / f"{name}.npy", expected, name in streamed, compared)
    return arrays


def map_array(path: Path) -> npt.NDArray[Any]:
    """Map an array that was written just now."""
    with path.open("rb") as file:
        return _mapped(file, read_header(file))


def release_pages(arrays: Iterable[npt.NDArray[Any]]) -> None:
    """Unmap the pages of arrays that were read once; the system's cache still has them.

    A process that streams through mapped files would otherwise look, and be billed, as if it held
    them. Where the system cannot do so nothing happens, as with arrays that are not mapped.
    """
    for array in arrays:
        release(array)


def find_altered(folder: Path, files: Mapping[str, FileInfo]) -> dict[str, str]:
    """Compare files with their checksums, in bounded memory.

    Returns:
        One sentence for each array whose file is missing, truncated or altered, by its name.

    Raises:
        AccessDeniedError: this user may not read a file.
        IndexUnavailableError: too many open files, no memory, an I/O error.
    """
    problems = {}
    for name, expected in files.items():
        path = folder / f"{name}.npy"
        try:
            with _opened(path, expected) as file:
                altered = _sha256(file) != expected.sha256
        except IndexCorruptError as error:
            problems[name] = str(error)
            continue
        if altered:
            problems[name] = _altered(path)
    return problems


def _open(path: Path, expected: FileInfo, mapped: bool, compared: bool) -> npt.NDArray[Any]:
    with _opened(path, expected) as file:
        try:
            header = read_header(file)
            if header.end != expected.size:
                raise ValueError(f"its header promises {header.end} bytes, not {expected.size}")
        except ValueError as error:
            raise IndexCorruptError(f"{path} cannot be read: {error}. {REMEDY}") from error
        file.seek(0)
        held = map_bytes(file, expected.size) if mapped else _read(file, expected.size)
    if compared and hashlib.sha256(held.data).hexdigest() != expected.sha256:
        raise IndexCorruptError(_altered(path))
    return _shaped(held, header)


def _read(file: BufferedReader, size: int) -> npt.NDArray[np.uint8]:
    held = np.zeros(size, np.uint8)
    file.readinto(held.data)
    held.setflags(write=False)
    return held


def _mapped(file: BinaryIO, header: Header) -> npt.NDArray[Any]:
    return _shaped(map_bytes(file, header.end), header)


def _shaped(held: npt.NDArray[np.uint8], header: Header) -> npt.NDArray[Any]:
    return held[header.start :].view(header.dtype).reshape(header.shape)


@contextmanager
def _opened(path: Path, expected: FileInfo) -> Iterator[BufferedReader]:
    """Open a file of the recorded size.

    Raises:
        IndexCorruptError: it is missing, no file, or of another size.
        StoredIndexError: the system refuses it now.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != expected.size:
                raise IndexCorruptError(
                    f"{path} has {size} bytes instead of {expected.size}. {REMEDY}"
                )
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise IndexCorruptError(f"{path} is missing. {REMEDY}") from None
    except (OSError, MemoryError) as error:
        raise_named(error, path)
        if isinstance(error, LFM2ColBERTError):
            raise
        raise IndexCorruptError(f"{path} cannot be read: {error}. {REMEDY}") from error


def _altered(path: Path) -> str:
    return f"{path} was altered: its checksum differs. {REMEDY}"


def _describe(path: Path) -> FileInfo:
    with path.open("rb") as file:
        return FileInfo(path.stat().st_size, _sha256(file))


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
