"""Who may write an index, who may rearrange it, and what a killed writer leaves behind."""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .._support.forking import renew_in_child
from .._support.regular import IrregularFileError, kind_of, open_regular, write_regular
from .._support.system_errors import raise_named
from ..errors import IndexLockedError, IndexUnavailableError
from .file_lock import FileLock, Timeout, give_up, require_lockable, try_lock
from .folder import IndexFolder
from .layout import ADAPTERS, CODEBOOKS, HOLDER, LOCK, MIGRATION, OPTIMIZER, SEGMENTS, STAGING
from .retired import is_retired

logger = logging.getLogger(__name__)

_HOLDER_BYTES = 4096  # of what a writer says of itself


class FolderLocks:
    """The locks of one index folder; the system frees them when their holder dies.

    A forked child holds none of its parent's.

    Args:
        folder: the index.
        timeout: seconds to wait for another writer.
    """

    def __init__(self, folder: IndexFolder, timeout: float) -> None:
        self.folder = folder.path
        self._home = folder
        self._timeout = timeout
        self._make_locks()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the locks anew, which another thread of the parent may hold."""
        self._make_locks()

    def _make_locks(self) -> None:
        # Not a singleton and not thread-local: two stores, or two threads, exclude each other.
        self._file_lock = FileLock(self._home.root / LOCK)
        self._writing = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep every other writer out for as long as the block lasts.

        Raises:
            IndexLockedError: another writer held the index for too long.
        """
        deadline = time.monotonic() + self._timeout
        if not self._writing.acquire(timeout=max(self._timeout, 0)):
            raise self._locked()
        try:
            self._acquire(max(0.0, deadline - time.monotonic()))
            try:
                self._write_holder()
                yield
            finally:
                self._file_lock.release()
        except Timeout:
            raise self._locked() from None
        finally:
            self._writing.release()

    def _acquire(self, timeout: float) -> None:
        with _refusals(self.folder):
            require_lockable(self._home.root / LOCK)
            self._file_lock.acquire(timeout)

    def _write_holder(self) -> None:
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        with suppress(OSError):  # the lock counts; who holds it is only told in its error
            write_regular(self._home.root / HOLDER, json.dumps(holder).encode())

    def _locked(self) -> IndexLockedError:
        who = "another writer"
        with suppress(OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
            with open_regular(self._home.root / HOLDER) as file:
                holder = json.loads(file.read(_HOLDER_BYTES))
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder["since"]))
            who = f"process {holder['pid']} on {holder['host']} (writing since {since})"
        return IndexLockedError(
            f"{self.folder} is being written by {who}; waited {self._timeout:g} s. "
            "Nothing was changed: try again, or open with a longer lock_timeout."
        )

    @contextmanager
    def optimizing(self, timeout: float) -> Iterator[None]:
        """Keep others from rearranging segments for as long as the block lasts.

        Adding and deleting go on meanwhile.

        Raises:
            IndexLockedError: somebody else is at it.
        """
        with self._alone(OPTIMIZER, timeout, "optimized"):
            yield

    @contextmanager
    def migrating(self) -> Iterator[None]:
        """Keep others from migrating for as long as the block lasts; all else goes on.

        Raises:
            IndexLockedError: somebody else is at it.
        """
        with self._alone(MIGRATION, 0, "migrated"):
            yield

    @contextmanager
    def _alone(self, name: str, timeout: float, what: str) -> Iterator[None]:
        lock = FileLock(self._home.root / name)
        try:
            with _refusals(self.folder):
                require_lockable(self._home.root / name)
                lock.acquire(timeout)
        except Timeout:
            raise IndexLockedError(
                f"{self.folder} is being {what} by somebody else; waited {timeout:g} s. "
                "Nothing was changed: it is enough that one of you does."
            ) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """Give a folder for a segment in the making, which nobody takes for an orphan."""
        lock = None
        with _refusals(self.folder):
            _make_real_folder(self._home.root / STAGING)
            while lock is None:  # whoever removes orphans may get at the new lock file first
                lock = try_lock(self._home.root / STAGING / f"{secrets.token_hex(8)}.lock")
        folder = lock.path.with_suffix("")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            give_up(lock)

    def remove_orphans(self, named: Collection[str]) -> bool:
        """Remove what killed writers left behind; to be called while :meth:`writing`.

        Args:
            named: the segments, codebooks and files of adapters that are in use.

        Returns:
            False if some is still there, because readers have it open.
        """
        gone = True
        for room in (SEGMENTS, CODEBOOKS, ADAPTERS):
            for name in self._home.names(room):
                if name not in named:
                    gone &= self._remove_orphan(f"{room}/{name}")
        for name in self._home.names(STAGING):
            if not name.endswith(".lock"):
                continue
            lock = None
            with suppress(OSError):  # what cannot be locked stays
                lock = try_lock(self._home.root / STAGING / name)
            if lock is not None:  # else somebody is writing it right now
                gone &= self._remove_orphan(f"{STAGING}/{name.removesuffix('.lock')}")
                give_up(lock)
        return gone

    def _remove_orphan(self, name: str) -> bool:
        if not is_retired(self._home.root / name):
            logger.info(
                "removing %s, left behind by a write that never finished", self.folder / name
            )
        return self._home.retire(name)


def _make_real_folder(path: Path) -> None:
    with suppress(FileExistsError):
        path.mkdir()
    kind = kind_of(path)
    if kind != "a folder":
        raise IrregularFileError(f"{path} is {kind or 'a file'}, not a folder")


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    """Raise what keeps a lock from being taken as an error that names it."""
    try:
        yield
    except Timeout:
        raise
    except IrregularFileError as error:
        raise IndexUnavailableError(
            f"{folder} cannot be written: {error}. Nothing of the index is kept there; remove it."
        ) from error
    except OSError as error:
        raise_named(error, folder)
        raise
