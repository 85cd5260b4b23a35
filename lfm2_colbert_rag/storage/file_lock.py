"""An exclusive lock on a file, which the system frees when its holder dies.

Where the system has ``flock`` it is used as it is: the ``filelock`` package makes the folder of a
lock anew where it is missing, and so puts something in the place of an index that was just moved.
Both exclude each other.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock as PortableLock
from filelock import Timeout

from .._support.forking import renew_in_child
from .._support.regular import IrregularFileError, kind_of

__all__ = ["FileLock", "Timeout", "give_up", "require_lockable", "try_lock"]

_PAUSE = 0.02  # seconds between two attempts

if sys.platform != "win32":
    import fcntl

    class FileLock:
        """A lock on a file; not for use by two threads at once.

        Args:
            path: the file; made if it is missing, never its folder.
            inherited: whether forked children hold it as well, and it is free when all are gone;
                where the parent releases it, it is free at once.
        """

        def __init__(self, path: Path, *, inherited: bool = False) -> None:
            self.path = path
            self._handle: int | None = None
            if not inherited:
                renew_in_child(self)

        def renew_after_fork(self) -> None:
            """Leave the lock to the parent: to close a copy of its file does not free it."""
            if self._handle is not None:
                handle, self._handle = self._handle, None
                os.close(handle)

        def acquire(self, timeout: float) -> None:
            """Take the lock.

            Args:
                timeout: seconds to wait for whoever holds it.

            Raises:
                Timeout: somebody else held it all the time.
                OSError: the file cannot be opened.
            """
            deadline = time.monotonic() + timeout
            while not self._try():
                if time.monotonic() >= deadline:
                    raise Timeout(str(self.path))
                time.sleep(min(_PAUSE, max(0.0, deadline - time.monotonic())))

        def release(self) -> None:
            """Give the lock back; nothing happens if it is not held."""
            handle, self._handle = self._handle, None
            if handle is not None:
                try:
                    fcntl.flock(handle, fcntl.LOCK_UN)
                finally:
                    os.close(handle)

        def _try(self) -> bool:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            handle = os.open(self.path, flags, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not self._is_current(handle):
                    os.close(handle)
                    return False
            except BlockingIOError:
                os.close(handle)
                return False
            except BaseException:
                with suppress(OSError):
                    os.close(handle)
                raise
            self._handle = handle
            return True

        def _is_current(self, handle: int) -> bool:
            """Tell whether the file still has its name: whoever tidies up removes lock files."""
            try:
                named = os.stat(self.path)  # noqa: PTH116
            except FileNotFoundError:
                return False
            held = os.fstat(handle)
            return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)

else:

    class FileLock:
        """The same by the ``filelock`` package."""

        def __init__(self, path: Path, *, inherited: bool = False) -> None:
            del inherited  # there are no forks
            self.path = path
            self._lock = PortableLock(path, thread_local=False)

        def acquire(self, timeout: float) -> None:
            """Take the lock."""
            self._lock.acquire(timeout=timeout)

        def release(self) -> None:
            """Give the lock back."""
            self._lock.release()


def try_lock(path: Path) -> FileLock | None:
    """Lock a file, making it if need be; None if somebody else holds it.

    Raises:
        IrregularFileError: it is a link, a folder, a FIFO or a device.
        OSError: it cannot be made or opened.
    """
    require_lockable(path)
    lock = FileLock(path)
    with suppress(Timeout):
        lock.acquire(0)
        return lock
    return None


def give_up(lock: FileLock) -> None:
    """Release a lock whose file nobody will need again."""
    lock.release()
    with suppress(PermissionError):  # Windows: whoever looks for it right now has it open
        lock.path.unlink(missing_ok=True)


def require_lockable(path: Path) -> None:
    """Refuse to lock what is no file: to open it might wait for ever, or empty what a link names.

    Raises:
        IrregularFileError: it is a link, a folder, a FIFO or a device.
    """
    with suppress(FileNotFoundError):
        kind = kind_of(path)
        if kind is not None:
            raise IrregularFileError(f"{path} is {kind}, not a file")
