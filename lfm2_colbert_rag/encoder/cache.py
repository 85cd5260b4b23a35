"""The folder of what was worked out once from a model: graphs, hashes, background vectors."""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from .._support.cache_folder import CACHE_VARIABLE, cache_folder, require_writable
from .._support.system_errors import FULL

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LARGE = 64_000_000  # bytes; less is hashed faster than anyone could notice


def writable_cache(name: str) -> Path:
    """Return a folder of the cache that can be written.

    Where the user's cache cannot, and no other was chosen, that is a folder which this process
    removes at its end, and a warning says so once.

    Args:
        name: of the folder; made if need be.

    Raises:
        OSError: the chosen cache cannot be written, or no folder at all.
    """
    folder = cache_folder() / name
    try:
        require_writable(folder)
        return folder
    except OSError as error:
        if os.environ.get(CACHE_VARIABLE) or error.errno in FULL:
            raise
        folder = _cache_of_this_process(str(folder), error.strerror or str(error)) / name
    folder.mkdir(exist_ok=True)
    return folder


@lru_cache(maxsize=1)
def _cache_of_this_process(instead_of: str, why: str) -> Path:
    folder, owner = Path(tempfile.mkdtemp(prefix="lfm2-colbert-cache-")), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # not in a forked child
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    logger.warning(
        "%s cannot be written (%s), so models are converted into %s, for this process only. Set %s "
        "to a folder that can be written, or export the model once (`lfm2-colbert export-model`) "
        "and use that folder.",
        instead_of,
        why,
        folder,
        CACHE_VARIABLE,
    )
    return folder


def remembered(file: Path, compute: Callable[[], bytes]) -> bytes:
    """Return what was computed from a large file's contents, from the cache if it was before.

    A file counts as the same while its path, size, inode and time of change (in nanoseconds) are.

    Args:
        file: what ``compute`` reads, resolved.
        compute: works out a few bytes; called when they are not remembered.
    """
    stat = file.stat()
    if stat.st_size < _LARGE:
        return compute()
    identity = (str(file), stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
    note = Path("digests") / hashlib.sha256(repr(identity).encode()).hexdigest()
    return kept(note, compute, write=_to_hex, read=_from_hex)


def kept(
    name: Path,
    compute: Callable[[], T],
    *,
    write: Callable[[T], bytes],
    read: Callable[[bytes], T],
) -> T:
    """Return what is kept in a file of the cache, or compute it and keep it there.

    A file that is damaged, or cannot be read or written, costs time only.

    Args:
        name: of the file, within the cache; it must stand for all that the result depends on.
        compute: works the result out.
        write: turns it into bytes.
        read: turns them back; raises ValueError where they are something else.
    """
    note = cache_folder() / name
    with suppress(OSError, ValueError):
        return read(note.read_bytes())
    value = compute()
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=note.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(write(value))
        Path(scratch).replace(note)
    return value


def _to_hex(value: bytes) -> bytes:
    return value.hex().encode("ascii")


def _from_hex(content: bytes) -> bytes:
    return bytes.fromhex(content.decode("ascii"))
