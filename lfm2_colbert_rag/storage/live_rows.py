"""The live rows of a generation, made from those of a former one where these are known.

Rows ascend with the generation in which they were born, and a row that died stays dead. So what
lives in a later generation is what lived in a former one and has not died since, and rows above
all of those. Of rows that died since, some may be forgotten already: the catalog says how many a
generation removed, and where that is not what is found, all rows are read anew.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .rows import fetch_rows
from .schema import ALIVE

_LAST = "(SELECT row FROM passages WHERE born <= :generation ORDER BY row DESC LIMIT 1)"
# Each in a query of its own: so SQLite counts without reading, and finds the ends at once.
_HELD = (
    "SELECT (SELECT count(*) FROM passages), (SELECT min(row) FROM passages), "
    f"(SELECT max(row) FROM passages), {_LAST}"
)
_DEAD = "passages WHERE died IS NOT NULL AND died <= :generation"
_DIED = "passages WHERE died > :known AND died <= :generation"
_REMOVED = """SELECT total(removed) FROM generations
    WHERE generation > :known AND generation <= :generation"""


@dataclass(frozen=True, eq=False)
class LiveRows:
    """What lives in one generation.

    Attributes:
        generation: its number.
        rows: ``(n,)`` int64, ascending, read-only.
    """

    generation: int
    rows: npt.NDArray[np.int64]

    @property
    def last(self) -> int:
        """The last of them, -1 where there is none; rows of later generations lie above it."""
        return int(self.rows[-1]) if len(self.rows) else -1


def live_rows(
    connection: sqlite3.Connection, generation: int, known: LiveRows | None = None
) -> LiveRows:
    """Return what lives in a generation.

    Args:
        connection: within a transaction, so that all statements see one state.
        generation: its number.
        known: what lived in some generation of the same catalog.
    """
    if known is not None and known.generation == generation:
        return known
    rows = None
    if known is not None and known.generation < generation:
        rows = _later(connection, generation, known)
    if rows is None:
        rows = _anew(connection, generation)
    rows.flags.writeable = False
    return LiveRows(generation, rows)


def _later(
    connection: sqlite3.Connection, generation: int, known: LiveRows
) -> npt.NDArray[np.int64] | None:
    """Return what lives in a later generation; None where that cannot be told from a former one."""
    between = {"known": known.generation, "generation": generation}
    died = fetch_rows(connection, _DIED, between)
    if connection.execute(_REMOVED, between).fetchone() != (len(died),):
        return None
    born = fetch_rows(
        connection,
        f"passages WHERE row > :last AND {ALIVE}",
        {"last": known.last, "generation": generation},
    )
    kept = known.rows[np.isin(known.rows, died, invert=True)] if len(died) else known.rows
    return np.concatenate((kept, np.sort(born)))


def _anew(connection: sqlite3.Connection, generation: int) -> npt.NDArray[np.int64]:
    asked = {"generation": generation}
    number, first, newest, last = connection.execute(_HELD, asked).fetchone()
    if last is None:
        return np.empty(0, dtype=np.int64)
    if number == newest - first + 1:
        held = first + np.arange(number, dtype=np.int64)
    else:  # some were forgotten
        held = np.sort(fetch_rows(connection, "passages", {}))
    held = held[held <= last]
    return held[np.isin(held, fetch_rows(connection, _DEAD, asked), invert=True)]
