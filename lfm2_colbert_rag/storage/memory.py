"""Temporary folders of indexes in memory: removed by their maker, or by the next one if it died."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from .._support.system_errors import system_errors
from .file_lock import FileLock, Timeout
from .layout import MAKER

logger = logging.getLogger(__name__)

PREFIX = "lfm2-colbert-"
# A younger folder may be one in the making, which is not locked yet.
_YOUNG = 60.0


class MemoryFolder:
    """A temporary folder, locked for as long as its maker, or a forked child of it, lives.

    Args:
        path: the folder; made by this process.
        lock: on a file in it; held.

    Attributes:
        index: where the index is to be made in it.
    """

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self.index = path / "index"
        self._lock = lock
        self._maker = os.getpid()

    def remove(self) -> None:
        """Remove the folder, unless this is a forked child of its maker, who may still use it."""
        if os.getpid() == self._maker:
            self._lock.release()
            shutil.rmtree(self.path, ignore_errors=True)


def new_memory_folder() -> MemoryFolder:
    """Make a folder under the system's temporary one, and remove those that others left there.

    Raises:
        StorageFullError: the disk is full.
        AccessDeniedError: this user may not create it.
    """
    root = Path(tempfile.gettempdir())
    with suppress(OSError):  # tidying up must not fail what it is done for
        _sweep(root)
    with system_errors(root):
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = FileLock(path / MAKER, inherited=True)
        lock.acquire(0)
    return MemoryFolder(path, lock)


def _sweep(root: Path) -> None:
    """Remove folders whose makers were killed: of this user, old enough, and not locked."""
    for path in root.glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            found = path.lstat()
            mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
            old = time.time() - found.st_mtime > _YOUNG
            if not (stat.S_ISDIR(found.st_mode) and mine and old and (path / MAKER).is_file()):
                continue
            lock = FileLock(path / MAKER)
            lock.acquire(0)
            logger.info("removing %s, whose maker died", path)
            lock.release()
            shutil.rmtree(path, ignore_errors=True)
