"""Connections to one SQLite file: pooled, shared among threads, never carried over a fork."""

from __future__ import annotations

import os
import queue
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StorageFullError

# Pages of the file that a connection keeps in memory: a commit writes to many of them.
_CACHE_KIB = 16 << 10


class Connections:
    """What reads and writes one SQLite file.

    Args:
        path: the file.
        durable: wait for the disk at every commit.
        prepare: called with each new connection.

    Attributes:
        path: the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        durable: bool = True,
        prepare: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        self.path = path
        self._prepare = prepare
        self._durable = durable
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._process = os.getpid()
        weakref.finalize(self, _close_all, self._idle)

    def close(self) -> None:
        """Close all connections; a later call opens new ones."""
        _close_all(self._idle)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; each statement sees the newest state of the file."""
        if self._process != os.getpid():  # SQLite connections must not cross a fork
            self._idle, self._process = queue.LifoQueue(), os.getpid()
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
        """Lend a connection for one transaction, which an exception takes back.

        Raises:
            StorageFullError: the disk is full.
        """
        with _storage_errors(self.path), self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=60
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'OFF'}")
        if self._prepare is not None:
            self._prepare(connection)
        return connection


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
