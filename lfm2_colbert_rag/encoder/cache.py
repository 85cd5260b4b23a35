"""The folder of what was worked out once from a model: graphs, and hashes of large files."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

CACHE_VARIABLE = "LFM2_COLBERT_CACHE"

_LARGE = 64_000_000  # bytes; less is hashed faster than anyone could notice


def cache_folder() -> Path:
    """Return where it is: ``$LFM2_COLBERT_CACHE``, or a folder in the user's cache."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else user_cache_path("lfm2-colbert")


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
    note = cache_folder() / "digests" / hashlib.sha256(repr(identity).encode()).hexdigest()
    with suppress(OSError, ValueError):
        return bytes.fromhex(note.read_text(encoding="ascii"))
    value = compute()
    with suppress(OSError):  # a cache that cannot be written costs time only
        note.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=note.parent)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(value.hex())
        Path(scratch).replace(note)
    return value
