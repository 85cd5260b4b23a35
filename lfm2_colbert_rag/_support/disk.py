"""What the standard library lacks for files that must survive a loss of power."""

from __future__ import annotations

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Flush what was written to a closed file to the disk."""
    with path.open("r+b") as file:  # Windows flushes only what may be written
        os.fsync(file.fileno())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all, in the place of one of the same name.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        scratch.write_bytes(content)
        sync_file(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the system can do so."""
    if os.name == "nt":  # Windows has no handle to a folder that could be flushed
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
