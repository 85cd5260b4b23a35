"""Connections to one SQLite file: pooled, shared among threads, never carried over a fork."""

from __future__ import annotations

import os
import queue
import sqlite3
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ReadOnlyError, RetrieverClosedError, StorageFullError

# Pages of the file that a connection keeps in memory: a commit writes to many of them.
_CACHE_KIB = 16 << 10


class Connections:
    """What reads and writes one SQLite file.

    Args:
        path: the file.
        durable: wait for the disk at every commit.
        prepare: called with every new connection.
        read_only: refuse to write. So it is by itself where neither the folder nor the file can be
            written.
    """

    def __init__(
        self,
        path: Path,
        *,
        durable: bool = True,
        prepare: Callable[[sqlite3.Connection], None] = lambda connection: None,
        read_only: bool = False,
    ) -> None:
        self.path = path
        self._durable = durable
        self._prepare = prepare
        self._protected = not (may_write(path.parent) and may_write(path))
        self.read_only = read_only or self._protected
        self._closed = False
        self._stamp: list[tuple[int, int, int]] = []
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._process = os.getpid()
        weakref.finalize(self, _close_all, self._idle)

    def close(self) -> None:
        """Close all connections; whoever asks for one later gets a RetrieverClosedError."""
        self._closed = True
        _close_all(self._idle)

    def require_writable(self) -> None:
        """Refuse what would write where that is not wanted, or cannot be done.

        Raises:
            RetrieverClosedError: all connections were closed.
            ReadOnlyError: the file may only be read.
        """
        self._require_open()
        if self.read_only:
            why = "cannot be written here" if self._protected else "was opened with read_only=True"
            raise ReadOnlyError(f"{self.path.parent} {why}, so nothing was changed.")

    def fetch(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Return the rows of one statement."""
        with self.reading() as connection:
            return connection.execute(statement, parameters).fetchall()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for one statement, or a few that need not see the same state.

        Raises:
            RetrieverClosedError: all were closed.
        """
        self._require_open()
        if self._process != os.getpid():  # SQLite connections must not cross a fork
            self._idle, self._process = queue.LifoQueue(), os.getpid()
        if self._protected:
            self._drop_stale()
        idle = self._idle
        try:
            connection = idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        idle.put(connection)

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
        with _storage_errors(self.path), self.reading() as connection:
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
        with _storage_errors(self.path), self.reading() as connection:
            yield connection

    def _require_open(self) -> None:
        if self._closed:
            raise RetrieverClosedError(
                f"the index in {self.path.parent} was closed; open it again to use it."
            )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._uri(), uri=True, isolation_level=None, check_same_thread=False, timeout=60
        )
        try:
            self._set_up(connection)
        except BaseException:  # Windows keeps a file as long as it is open, a broken one too
            connection.close()
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        if self.read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'OFF'}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._prepare(connection)

    def _drop_stale(self) -> None:
        """Close connections to a file that somebody else has changed since it was opened.

        They were told that it does not change (:meth:`_uri`), and would mix old pages with new.
        """
        log = self.path.with_name(f"{self.path.name}-wal")
        stamps = [one.stat() for one in (self.path, log) if one.exists()]
        stamp = [(one.st_ino, one.st_size, one.st_mtime_ns) for one in stamps]
        if stamp != self._stamp:
            self._stamp = stamp
            _close_all(self._idle)

    def _uri(self) -> str:
        """Return how SQLite is to open the file.

        One in a folder that cannot be written has no log beside it unless another user writes it
        right now, and without the log SQLite opens it only if told that it does not change.
        """
        if not self._protected:
            return self.path.absolute().as_uri()
        logged = self.path.with_name(f"{self.path.name}-wal").exists()
        return f"{self.path.absolute().as_uri()}?{'mode=ro' if logged else 'immutable=1'}"


def may_write(path: Path) -> bool:
    """Tell whether this process may write a file or into a folder."""
    effective = os.access in os.supports_effective_ids
    return os.access(path, os.W_OK, effective_ids=effective) or not path.exists()


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise StorageFullError(
                f"the disk that holds {path.parent} took no more data ({error}); "
                "nothing was changed. Free some space and repeat the call."
            ) from error
        raise


def _close_all(idle: queue.LifoQueue[sqlite3.Connection]) -> None:
    while True:
        try:
            idle.get_nowait().close()
        except queue.Empty:
            return
