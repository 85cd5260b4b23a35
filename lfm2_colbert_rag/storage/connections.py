"""Connections to one SQLite file: pooled, shared among threads, never carried over a fork."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .._support.forking import NO_FORK, abandon, renew_in_child
from ..errors import ReadOnlyError, RetrieverClosedError, StoredIndexError
from .careful import be_careful
from .folder import IndexFolder, OpenFile, open_catalogs
from .sqlite_errors import sqlite_errors

# Pages of the file that a connection keeps in memory: a commit writes to many of them.
_CACHE_KIB = 16 << 10
# Opening the file is tried so often, with pauses between, in seconds.
_TRIES, _PAUSE = 4, 0.005


class _Connecting:
    """Lets one thread of the process connect at a time, so that it knows what it opened."""

    def __init__(self) -> None:
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self.lock = threading.RLock()


_connecting = _Connecting()


class Connections:
    """What reads and writes one SQLite file.

    Every connection is to the file that the folder held when this was made: where its path names
    another folder by now, connections that are open go on, and no new one is made.

    Args:
        path: the file; it is never created.
        folder: the folder that it lies in; found by the path when None.
        durable: wait for the disk at every commit.
        prepare: called with every new connection.
        read_only: refuse to write. So it is by itself where neither the folder nor the file can be
            written.

    Raises:
        IndexGoneError: there is no such file.
    """

    def __init__(
        self,
        path: Path,
        *,
        folder: IndexFolder | None = None,
        durable: bool = True,
        prepare: Callable[[sqlite3.Connection], None] = lambda connection: None,
        read_only: bool = False,
    ) -> None:
        self.path = path
        self._folder = IndexFolder(path.parent) if folder is None else folder
        self._durable = durable
        self._prepare = prepare
        self._protected = not (may_write(path.parent) and may_write(path))
        self.read_only = read_only or self._protected
        self._closed = False
        self._stamp: list[tuple[int, int, int]] = []
        # A list, whose methods are atomic, since a lock might be held by another thread at a fork.
        self._idle: list[sqlite3.Connection] = []
        self._guards: list[sqlite3.Connection] = []
        self._process = os.getpid()
        weakref.finalize(self, _close_all, self._idle, self._guards, self._folder)
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Leave the parent's connections to it, untouched."""
        abandon(*self._idle, *self._guards)
        self._idle.clear()
        self._guards.clear()
        self._process = os.getpid()

    def close(self) -> None:
        """Close all connections; whoever asks for one later gets a RetrieverClosedError."""
        self._closed = True
        _close_all(self._idle, self._guards, self._folder)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def require_writable(self) -> None:
        """Refuse what would write where that is not wanted, or cannot be done.

        Raises:
            RetrieverClosedError: all connections were closed.
            ReadOnlyError: the file may only be read.
        """
        self.require_open()
        if self.read_only:
            why = "cannot be written here" if self._protected else "was opened with read_only=True"
            raise ReadOnlyError(f"{self.path.parent} {why}, so nothing was changed.")

    def require_open(self) -> None:
        """Refuse to go on after :meth:`close`.

        Raises:
            RetrieverClosedError: all connections were closed.
        """
        if self._closed:
            raise RetrieverClosedError(
                f"the index in {self.path.parent} was closed; open it again to use it."
            )

    def fetch(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Return the rows of one statement."""
        with self.reading() as connection:
            return connection.execute(statement, parameters).fetchall()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for one statement, or a few that need not see the same state.

        No thread of this process forks meanwhile: SQLite's own locks would stay locked in the
        child.

        Raises:
            RetrieverClosedError: all were closed.
            IndexGoneError: the folder was removed, moved or replaced, and a new one is needed.
            StoredIndexError: see :func:`~.sqlite_errors.sqlite_errors`.
        """
        with NO_FORK, sqlite_errors(self.path):
            connection, process = self._borrow(), self._process
            try:
                yield connection
            except BaseException:
                connection.close() if process == os.getpid() else abandon(connection)
                raise
            self._give_back(connection, process)

    @contextmanager
    def reading_one_state(self) -> Iterator[sqlite3.Connection]:
        """Let several statements see the same state of the file."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection within a transaction that writes: all of it or nothing.

        Raises:
            ReadOnlyError: the file may only be read.
            StorageFullError: the disk is full; nothing was changed.
        """
        self.require_writable()
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def outside_transactions(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for what writes without one, such as ``VACUUM``.

        Raises:
            ReadOnlyError: the file may only be read.
            StorageFullError: the disk is full; nothing was changed.
        """
        self.require_writable()
        with self.reading() as connection:
            yield connection

    def _borrow(self) -> sqlite3.Connection:
        self.require_open()
        if self._protected:
            self._drop_stale()
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _give_back(self, connection: sqlite3.Connection, process: int) -> None:
        if process != os.getpid():  # the block itself forked, and this is the child
            abandon(connection)
            return
        self._idle.append(connection)
        if self._closed:  # by another thread, during the block
            _close_all(self._idle, self._guards, self._folder)

    def _connect(self) -> sqlite3.Connection:
        """Open the file that the folder held from the beginning, and no other.

        What goes wrong may come from a folder that is renamed at this moment, and is believed when
        it does so again.
        """
        with _connecting.lock:
            for _ in range(_TRIES):
                with suppress(sqlite3.DatabaseError):
                    return self._open_guarded()
                time.sleep(_PAUSE)
            self._folder.require_named()
            return self._open_guarded()

    def _open_guarded(self) -> sqlite3.Connection:
        """Open the file and its log, both of this folder.

        SQLite opens one after another, each by its path, which may come to name another folder
        between. To close a connection that has the log of another file might write that log into
        this file; it never does while another connection has the file open, nor where it may only
        read. So one that only reads comes first, is looked at, and stays: see :func:`_close_all`.
        """
        before = open_catalogs()
        if before is None:  # the system does not tell what was opened: the path is all there is
            self._folder.require_named()
        elif not self._protected and not self._guards:
            guard = sqlite3.connect(
                ":memory:", uri=True, isolation_level=None, check_same_thread=False
            )
            try:
                guard.execute("ATTACH ? AS guarded", (f"{self._address()}?mode=ro",))
                self._require_own(before)
            except BaseException:
                guard.close()
                raise
            self._guards.append(guard)
        return self._open(before)

    def _open(self, before: frozenset[OpenFile] | None) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._uri(), uri=True, isolation_level=None, check_same_thread=False, timeout=60
        )
        try:
            self._set_up(connection)
            self._require_own(before)
        except BaseException:  # Windows keeps a file as long as it is open, a broken one too
            connection.close()
            raise
        return connection

    def _require_own(self, before: frozenset[OpenFile] | None) -> None:
        """Refuse what was opened since, if some of it is of another folder."""
        now = open_catalogs()
        if before is None or now is None:
            self._folder.require_named()
        elif not all(map(self._folder.owns, now - before)):
            raise self._folder.replaced()

    def _address(self) -> str:
        """Return how SQLite names the file: by the name that its folder has now."""
        return (self._folder.resolved() / self.path.name).as_uri()

    def _set_up(self, connection: sqlite3.Connection) -> None:
        if self.read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'OFF'}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        be_careful(connection)
        self._prepare(connection)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # opens the log

    def _drop_stale(self) -> None:
        """Close connections to a file that somebody else has changed since it was opened.

        They were told that it does not change (:meth:`_uri`), and would mix old pages with new.
        """
        log = self.path.with_name(f"{self.path.name}-wal")
        stamps = [one.stat() for one in (self.path, log) if one.exists()]
        stamp = [(one.st_ino, one.st_size, one.st_mtime_ns) for one in stamps]
        if stamp != self._stamp:
            self._stamp = stamp
            _close_all(self._idle, self._guards, self._folder)

    def _uri(self) -> str:
        """Return how SQLite is to open the file; never so that it would be created.

        One in a folder that cannot be written has no log beside it unless another user writes it
        right now, and without the log SQLite opens it only if told that it does not change.
        """
        address = self._address()
        if not self._protected:
            return f"{address}?mode=rw"
        logged = self.path.with_name(f"{self.path.name}-wal").exists()
        return f"{address}?{'mode=ro' if logged else 'immutable=1'}"


def may_write(path: Path) -> bool:
    """Tell whether this process may write a file or into a folder."""
    effective = os.access in os.supports_effective_ids
    return os.access(path, os.W_OK, effective_ids=effective) or not path.exists()


def _close_all(
    idle: list[sqlite3.Connection], guards: list[sqlite3.Connection], folder: IndexFolder
) -> None:
    """Close connections, so that the last one tidies up only where the path names its folder.

    The last one writes the log into the file and removes it, by its path: where that names another
    folder by now, it would be the log of that. With the guard open none is the last, and the guard
    itself may not write.
    """
    inside = NO_FORK.enter_now()
    try:
        if _is_named(folder):
            _close(guards)
        _close(idle)
        _close(guards)
    finally:
        if inside:
            NO_FORK.__exit__()


def _close(connections: list[sqlite3.Connection]) -> None:
    with suppress(IndexError):  # another thread took the last one
        while connections:
            connections.pop().close()


def _is_named(folder: IndexFolder) -> bool:
    try:
        return not folder.left and folder.is_named()
    except StoredIndexError:  # it may not even be looked at any more
        return False
