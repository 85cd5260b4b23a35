"""What lies in the folder of an index, and which names of its folders are believed."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from .._support.regular import kind_of
from .._support.system_errors import system_errors
from ..errors import REMEDY, IndexCorruptError

CATALOG = "catalog.sqlite"
SEGMENTS = "segments"
CODEBOOKS = "codebooks"
ADAPTERS = "adapters"
STAGING = "staging"
LOCK = "writer.lock"
HOLDER = "writer.json"
OPTIMIZER = "optimizer.lock"
MIGRATION = "migration.lock"
MAKER = "maker.lock"

_NAME = re.compile(r"[0-9a-f-]{1,64}")


def check_name(name: object) -> str:
    """Return the name of a segment, a codebook or an adapter if it may become part of a path.

    A catalog from elsewhere may say ``../other`` or ``/home``, and segments are removed by name.

    Raises:
        IndexCorruptError: it is none that this library gives.

    Example:
        >>> check_name("00000007-9f3c01aa")
        '00000007-9f3c01aa'
    """
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    said = ascii(name)
    shown = said[:100] + "..." * (len(said) > 100)
    raise IndexCorruptError(
        f"the catalog names a segment, a codebook or an adapter {shown}, which this library never "
        f"does. {REMEDY}"
    )


def require_folders(root: Path, *parts: str) -> Path:
    """Return the path of a folder within an index, which no link may lead out of.

    Args:
        root: the folder of the index itself, which may be a link.
        parts: names of folders within one another.

    Raises:
        IndexCorruptError: one of them is a link or a file. Whether they are there is not looked at.
        AccessDeniedError: this user may not look.
    """
    path = root
    for part in parts:
        path = path / part
        with system_errors(path), suppress(FileNotFoundError):
            kind = kind_of(path)
            if kind != "a folder":
                raise IndexCorruptError(f"{path} is {kind or 'a file'}, not a folder. {REMEDY}")
    return path


def require_catalog(path: Path) -> None:
    """Refuse a catalog of which a file is none: SQLite would follow a link, and write there.

    Raises:
        IndexCorruptError: it, or what SQLite keeps beside it, is a link, a FIFO or the like.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + suffix)
        with system_errors(path), suppress(FileNotFoundError):
            kind = kind_of(file)
            if kind is not None:
                raise IndexCorruptError(f"{file} is {kind}, not a file. {REMEDY}")
