"""Locks that the system frees when their holder dies, tried once and given up without a trace."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from .._support.regular import IrregularFileError, kind_of


def try_lock(path: Path) -> BaseFileLock | None:
    """Lock a file, making it if need be; None if somebody else holds it.

    Raises:
        IrregularFileError: it is a link, a folder, a FIFO or a device.
        OSError: it cannot be made or opened.
    """
    require_lockable(path)
    lock = FileLock(path, thread_local=False)
    with suppress(Timeout):
        lock.acquire(timeout=0)
        return lock
    return None


def give_up(lock: BaseFileLock) -> None:
    """Release a lock whose file nobody will need again."""
    lock.release()
    with suppress(PermissionError):  # Windows: whoever looks for it right now has it open
        Path(lock.lock_file).unlink(missing_ok=True)


def require_lockable(path: Path) -> None:
    """Refuse to lock what is no file: to open it might wait for ever, or empty what a link names.

    Raises:
        IrregularFileError: it is a link, a folder, a FIFO or a device.
    """
    with suppress(FileNotFoundError):
        kind = kind_of(path)
        if kind is not None:
            raise IrregularFileError(f"{path} is {kind}, not a file")
