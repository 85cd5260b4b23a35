"""Files of lines: decoded with their numbers, read as JSON, searched for repeated ids."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import json
import stat
import zlib
from array import array
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

from ..errors import InputError
from .regular import open_regular

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["PACKED", "WIDE_MARKS", "IdDigests", "numbered_lines", "parse_object", "refuse_bytes"]

PACKED = b"\x1f\x8b"
"""How a file begins that gzip packed."""
_MARK = 4  # bytes of the longest byte order mark
WIDE_MARKS = (  # the longer ones first: that of UTF-32 begins as one of UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks of texts that have more bytes a character, and their codecs."""


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file in UTF-8, or in what its byte order mark says; packed or not.

    Args:
        path: the file, or a link to one. What gzip packed is known by its first bytes.

    Yields:
        The number, from 1, and the line with its end.

    Raises:
        InputError: bytes that are no text, with the line named; a broken packed file; or something
            that is no file, such as a FIFO, which cannot be read twice.
        OSError: it is missing, or cannot be read.
    """
    with _open(path) as file:
        try:
            packed = file.peek(2)[:2] == PACKED
            stream = gzip.GzipFile(fileobj=file) if packed else file
            yield from _decoded(cast("BinaryIO", stream), path)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{path}: the packed file is broken ({error}).") from None


def _open(path: Path) -> BufferedReader:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a file, so that it cannot be read twice"
        raise InputError(f"{path} is {kind}. Name a file.")
    return open_regular(path.resolve())


def _decoded(stream: BinaryIO, path: Path) -> Iterator[tuple[int, str]]:
    head = stream.read(_MARK)
    stream.seek(0)
    wide = next((name for mark, name in WIDE_MARKS if head.startswith(mark)), None)
    if wide is None:
        yield from _utf_8(stream, path)
        return
    number = 0
    text = io.TextIOWrapper(stream, encoding=wide, newline="\n")
    try:
        for number, line in enumerate(text, 1):
            yield number, line
    except UnicodeDecodeError:
        refuse_bytes(f"{path}, line {number + 1}")
    finally:
        text.detach()  # who opened the stream closes it


def _utf_8(stream: BinaryIO, path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(stream, 1):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            refuse_bytes(f"{path}, line {number}")


def parse_object(line: str, place: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        line: its text.
        place: file and line, for the message.

    Raises:
        InputError: it is something else, or not JSON.
    """
    try:
        fields = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not a JSON object ({error}).") from None
    if not isinstance(fields, dict):
        raise InputError(f"{place}: not a JSON object, but {line.strip()[:40]}")
    return fields


def refuse_bytes(place: str) -> NoReturn:
    """Raise the error about bytes that are no text."""
    raise InputError(f"{place}: these bytes are not UTF-8. Save the file as UTF-8 and try again.")


class IdDigests:
    """Finds repeated ids among very many, at eight bytes each."""

    def __init__(self) -> None:
        self._seen = array("Q")

    def __len__(self) -> int:
        """Return how many ids were added."""
        return len(self._seen)

    def add(self, id: str) -> None:
        """Remember an id."""
        self._seen.append(self.digest(id))

    def cut(self, length: int) -> None:
        """Forget all but the first ids."""
        del self._seen[length:]

    def sorted(self) -> npt.NDArray[np.uint64]:
        """Return the digests of all ids in ascending order, as a copy."""
        import numpy as np

        return np.sort(np.frombuffer(self._seen, np.uint64))

    def repeated(self) -> set[int]:
        """Return the digests that were added more than once.

        Different ids share a digest about never; a second look at the ids themselves tells.
        """
        values = self.sorted()
        return set(values[1:][values[1:] == values[:-1]].tolist())

    @staticmethod
    def digest(id: str) -> int:
        """Return 64 bits of an id's hash."""
        return int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest(), "little")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
