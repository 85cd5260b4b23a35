"""Standard input as a file: kept in a temporary one, and named by what it holds."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .._support.system_errors import system_errors
from ..errors import InputError
from .kinds import ROWS
from .records import SourceFile

__all__ = ["standard_input"]

_CHUNK = 1 << 20
_NAME = "stdin"


@contextmanager
def standard_input(kind: str | None, prefix: str = "") -> Iterator[SourceFile]:
    """Keep all that comes on standard input for the time of the block.

    Args:
        kind: the suffix as which it is read. Where it is None, what begins with a brace is JSON
            Lines, what begins with a bracket JSON, and all else a text.
        prefix: put before its name.

    Raises:
        InputError: there is no standard input.
        StorageFullError: the disk of the system's temporary folder is full.
    """
    if sys.stdin is None:
        raise InputError("there is no standard input to read from.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / _NAME
        with system_errors(path):
            digest = _copy(sys.stdin.buffer, path)
        found = kind or _kind_of(path)
        name = _NAME if found in ROWS else f"{_NAME}-{digest}"
        known = f"{prefix.strip('/')}/{name}" if prefix else name
        yield SourceFile(path, known, "standard input", kind=found, lasting=False)


def _copy(source: BinaryIO, path: Path) -> str:
    content = hashlib.blake2b(digest_size=8)
    with path.open("wb") as target:
        while chunk := source.read(_CHUNK):
            content.update(chunk)
            target.write(chunk)
    return content.hexdigest()


def _kind_of(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(_CHUNK).removeprefix(b"\xef\xbb\xbf").lstrip()
    return {b"{": ".jsonl", b"[": ".json"}.get(head[:1], ".txt")
