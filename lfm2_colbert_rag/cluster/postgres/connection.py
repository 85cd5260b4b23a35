"""Connections to the servers of an index, and what their failures mean."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from ..._support.extras import require
from ..._support.forking import renew_in_child
from ...errors import (
    IndexNotFoundError,
    KeyRefusedError,
    RemoteUnavailableError,
    RetrieverClosedError,
    ServerAnswerError,
    StorageFullError,
)
from ..patience import Passing
from .servers import PREFIX, Servers

__all__ = ["Connections"]

T = TypeVar("T")

_THREADS = 8  # questions at a time that do not wait for one another, for each server
# SQLSTATEs: a transaction to be done again, a server that may only be read, or goes down or up.
_PASSING = ("40", "25006", "57P")
_REFUSED = ("28", "42501")
_MISSING = ("42P01", "3F000", "3D000")
_FULL = ("53100",)
# Candidates by the mean that one look at the graph brings; a scan goes on where filters took them.
_SETTINGS = {"hnsw.ef_search": "400", "hnsw.iterative_scan": "strict_order"}


class Connections:
    """Connections that are made when they are needed, kept, and made anew after a fork.

    Args:
        servers: which, and how they are asked.
    """

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.name = str(servers.address)
        self._closed = False
        self._schema: str | None = None
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Let go of what belongs to the parent, without closing it."""
        self._lock = threading.RLock()
        self._idle: list[list[Any]] = [[] for _ in self.servers.shards]
        self._threads: ThreadPoolExecutor | None = None

    def use(self, schema: str | None) -> None:
        """Let all further connections see the tables of an index; None for none yet."""
        with self._lock:
            if schema != self._schema:
                self._drop_idle()
                self._schema = schema

    def on(self, shard: int, call: Callable[[Any], T]) -> T:
        """Let something be done on one server, again where that may help.

        Args:
            shard: which server.
            call: does it with a connection; done twice it does the same.

        Raises:
            RemoteUnavailableError: the server cannot be reached, or took too long.
            KeyRefusedError: the user or the password is refused.
            IndexNotFoundError: there is no such index.
            StorageFullError: the server's disk is full.
            ServerAnswerError: the server refuses it.
            RetrieverClosedError: the connection was closed.
        """
        return self.servers.patience.ask(lambda: self._attempt(shard, call))

    def on_each(
        self, call: Callable[[int, Any], T], shards: Sequence[int] | None = None
    ) -> list[T]:
        """Let something be done on several servers at a time; whole or not at all.

        Args:
            call: does it with the server's number and a connection.
            shards: which servers; None for all.

        Returns:
            The results, in the order of the servers.

        Raises:
            LFM2ColBERTError: see :meth:`on`, for one of them; the results of others are dropped.
        """
        chosen = range(len(self.servers.shards)) if shards is None else shards
        if len(chosen) == 1:
            return [self.on(chosen[0], lambda connection: call(chosen[0], connection))]
        pool = self._pool()
        futures = [
            pool.submit(self.on, shard, lambda connection, shard=shard: call(shard, connection))
            for shard in chosen
        ]
        wait(futures)  # what is running uses connections, and an error must not leave it behind
        return [future.result() for future in futures]

    def close(self) -> None:
        """Close all of them. Twice does no harm."""
        with self._lock:
            self._closed = True
            self._drop_idle()
            if self._threads is not None:
                self._threads.shutdown(wait=False)
                self._threads = None

    def _attempt(self, shard: int, call: Callable[[Any], T]) -> T:
        psycopg = require("psycopg", extra="postgres")
        try:
            with self._borrowed(shard) as connection:
                return call(connection)
        except psycopg.Error as error:
            raise self._told(error, shard) from error

    @contextmanager
    def _borrowed(self, shard: int) -> Iterator[Any]:
        """Give a connection that nobody else has; kept for the next one unless something failed."""
        with self._lock:
            if self._closed:
                raise RetrieverClosedError(f"{self.name} was closed; open it again.")
            schema, idle = self._schema, self._idle[shard]
            connection = idle.pop() if idle else None
        if connection is None:
            connection = self._connect(shard, schema)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed and schema == self._schema:
                idle.append(connection)
                return
        connection.close()

    def _connect(self, shard: int, schema: str | None) -> Any:
        psycopg = require("psycopg", extra="postgres")
        server, address = self.servers.shards[shard], self.servers.address
        timeout = self.servers.patience.timeout
        given = {
            "user": address.user,
            "password": address.password,
            "sslmode": self.servers.sslmode,
        }
        connection = psycopg.connect(
            host=",".join(server.hosts),
            port=",".join(map(str, server.ports)),
            dbname=self.servers.database,
            # Of a primary and its standbys, the one that may be written.
            target_session_attrs="read-write" if len(server.hosts) > 1 else "any",
            connect_timeout=max(2, timeout),  # libpq takes 1 for 2
            tcp_user_timeout=timeout * 1000,
            application_name="lfm2-colbert-rag",
            autocommit=True,
            **{name: value for name, value in given.items() if value},
        )
        try:
            path = "public"
            if schema is not None:
                path = f"{psycopg.sql.Identifier(PREFIX + schema).as_string(connection)}, public"
            settings = {**_SETTINGS, "search_path": path, "statement_timeout": f"{timeout}s"}
            connection.execute(
                "SELECT set_config(name, value, false) "
                "FROM unnest(%s::text[], %s::text[]) AS settings(name, value)",
                (list(settings), list(settings.values())),
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def _told(self, error: Any, shard: int) -> Exception:
        """Return what an error of a server means."""
        psycopg = require("psycopg", extra="postgres")
        code, where = error.sqlstate or "", f"{self.name} ({self.servers.shards[shard]})"
        said = " ".join(str(error).split())[:200] or type(error).__name__
        if code.startswith(_REFUSED):
            return KeyRefusedError(
                f"{where} does not allow this ({said}). Give a user and a password that may."
            )
        if code.startswith(_MISSING):
            self.use(None)  # an alias may stand for another one by now
            return IndexNotFoundError(f"{where} holds no such index ({said}).")
        if code.startswith(_FULL):
            return StorageFullError(f"the disk of {where} is full ({said}).")
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or code.startswith(
            _PASSING
        ):
            with self._lock:  # all connections to it have probably gone the same way
                self._drop_idle(shard)
            return Passing(
                RemoteUnavailableError(
                    f"{where} cannot be reached, is busy, or took too long ({said}). Nothing was "
                    "lost; try again."
                )
            )
        return ServerAnswerError(f"{where} refuses this ({said}).")

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise RetrieverClosedError(f"{self.name} was closed; open it again.")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(
                    _THREADS * len(self.servers.shards), "lfm2-colbert-postgres"
                )
            return self._threads

    def _drop_idle(self, shard: int | None = None) -> None:
        for number, idle in enumerate(self._idle):
            while idle and shard in (None, number):
                idle.pop().close()
