"""Deleted passages dropped from the catalog, so that no byte of them is left in its files.

SQLite overwrites what is deleted only where it is told to, keeps copies of moved cells within pages
even then, and keeps every older page in its log until that is emptied. So the file is written anew,
and the log cut to nothing. Until both is done the catalog says that something is left to do: a
process may be killed in between, a disk be full, a reader hold the log.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..filters.tree import EVERYTHING, Filter
from .filter_sql import prune_indexes, to_sql
from .schema import generation_time, write_values
from .spaces import prune_sizes

if TYPE_CHECKING:
    from .connections import Connections
    from .posting_lists import PostingLists

FORGET_AFTER = 3600.0
"""Seconds after which nobody is expected to read a generation any more."""

# The key under ``measurements`` that says that something of dropped passages may be left.
_REMAINS = "remains"
# Readers hold the log for the length of a query.
_TRIES, _PAUSE = 20, 0.1


@dataclass(frozen=True)
class Forgettable:
    """Passages that were deleted or replaced, and are still in the catalog.

    Attributes:
        passages: how many.
        since: when the first of them could be dropped, or can, if that lies ahead.
        due: how many of them could be dropped now.
    """

    passages: int
    since: datetime
    due: int


class Forgetting:
    """Drops what is left of dead passages from one catalog.

    Args:
        connections: to the catalog.
        postings: its posting lists.
    """

    def __init__(self, connections: Connections, postings: PostingLists) -> None:
        self._connections = connections
        self._postings = postings

    def waiting(self) -> Forgettable | None:
        """Return what waits to be dropped; None where nothing does."""
        with self._connections.reading_one_state() as connection:
            passages, first = connection.execute(
                "SELECT count(*), min(died) FROM passages WHERE died IS NOT NULL"
            ).fetchone()
            if not passages:
                return None
            died = generation_time(connection, first)
            (due,) = connection.execute(
                "SELECT count(*) FROM passages WHERE died <= ?",
                (_newest(connection, FORGET_AFTER),),
            ).fetchone()
        return Forgettable(passages, died + timedelta(seconds=FORGET_AFTER), due)

    def has_remains(self) -> bool:
        """Tell whether something of dropped passages may be left in the files."""
        return bool(
            self._connections.fetch("SELECT 1 FROM measurements WHERE key = ?", (_REMAINS,))
        )

    def drop(
        self,
        held: npt.NDArray[np.int64],
        seconds: float,
        where: Filter = EVERYTHING,
        until: int | None = None,
    ) -> int:
        """Drop passages that died long ago and that no segment holds, but for their remains.

        Args:
            held: ascending rows that segments hold.
            seconds: how long ago they must have died; readers may still be at work in older
                generations.
            where: only those that match this filter.
            until: the generation in which ``held`` was so: who died later may be held by now.

        Returns:
            How many were dropped.
        """
        parameters: dict[str, Any] = {}
        matching = to_sql(where, parameters)
        with self._connections.writing() as connection:
            newest = _newest(connection, seconds)
            parameters["newest"] = newest if until is None else min(newest, until)
            dead = connection.execute(
                f"SELECT row FROM passages WHERE died <= :newest AND {matching}", parameters
            )
            gone = np.setdiff1d(np.fromiter((row for (row,) in dead), np.int64), held)
            if len(gone):
                connection.execute(
                    "DELETE FROM passages WHERE row IN (SELECT value FROM json_each(?))",
                    (json.dumps(gone.tolist()),),
                )
                write_values(connection, "measurements", {_REMAINS: True})
                prune_sizes(connection)
            prune_indexes(connection)
        return len(gone)

    def prune(self) -> None:
        """Drop the rows of dropped passages from the posting lists, and terms of no others."""
        self._postings.prune()

    def scrub(self) -> bool:
        """Write the catalog's file anew, without what was dropped, and empty its log.

        To be called while nobody else can write. It takes about two seconds for 100 MB, and as
        much room again on the disk.

        Returns:
            False if readers held the log all the time: what was dropped may still be in it.
        """
        with self._connections.outside_transactions() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                emptied = _empty_log(connection)
            finally:
                connection.execute("PRAGMA busy_timeout = 60000")
        if emptied:
            with self._connections.writing() as connection:
                connection.execute("DELETE FROM measurements WHERE key = ?", (_REMAINS,))
        return emptied


def _newest(connection: sqlite3.Connection, seconds: float) -> int:
    """Return the newest generation of at least so long ago; of all, where that is no time."""
    if seconds <= 0:  # whatever the clock says
        limit = "9999"
    else:
        then = datetime.fromtimestamp(max(0.0, time.time() - seconds), UTC)
        limit = then.isoformat(timespec="seconds")
    (newest,) = connection.execute(
        "SELECT max(generation) FROM generations WHERE created <= ?", (limit,)
    ).fetchone()
    return -1 if newest is None else int(newest)


def _empty_log(connection: sqlite3.Connection) -> bool:
    """Cut the log to nothing as soon as no reader needs it."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE)
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return True
    return False
