"""What the standard library lacks for files that must survive a loss of power."""

from __future__ import annotations

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Flush what was written to a closed file to the disk."""
    with path.open("r+b") as file:  # Windows flushes only what may be written
        os.fsync(file.fileno())


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file that appears whole or not at all, in the place of one of the same name.

    A process that is killed meanwhile leaves a file beside it; see :func:`scratches`.

    Args:
        path: the file.
        content: what will be in it.
        private: let nobody but its owner read it, at any time.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        if private:
            scratch.unlink(missing_ok=True)  # what a killed process left may have other rights
            scratch.touch(0o600, exist_ok=False)
        scratch.write_bytes(content)
        sync_file(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def scratches(path: Path) -> list[Path]:
    """Return what killed processes may have left of :func:`write_whole`."""
    beginning = f".{path.name}-"
    return [
        one
        for one in path.parent.iterdir()
        if one.name.startswith(beginning) and one.name.removeprefix(beginning).isdecimal()
    ]


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the system can do so."""
    if os.name == "nt":  # Windows has no handle to a folder that could be flushed
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
