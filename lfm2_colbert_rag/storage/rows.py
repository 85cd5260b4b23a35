"""Many rows in few statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# Rows of one statement. Few sizes, so that SQLite need not parse a statement of each length.
_SIZES = (1000, 100, 10, 1)


def insert_rows(
    connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows, many in one statement.

    Args:
        connection: within a transaction.
        statement: as far as ``VALUES``, such as ``"INSERT INTO passages"``.
        rows: all of one width.

    Example:
        >>> connection = sqlite3.connect(":memory:")
        >>> _ = connection.execute("CREATE TABLE numbers (one, other)")
        >>> insert_rows(connection, "INSERT INTO numbers", [(1, 2), (3, 4)])
        >>> connection.execute("SELECT * FROM numbers").fetchall()
        [(1, 2), (3, 4)]
    """
    if rows:
        insert_columns(connection, statement, list(zip(*rows, strict=True)))


def insert_columns(
    connection: sqlite3.Connection, statement: str, columns: Sequence[Sequence[Any]]
) -> None:
    """Do what :func:`insert_rows` does, given columns of one length.

    Args:
        connection: within a transaction.
        statement: as far as ``VALUES``.
        columns: at least one.
    """
    width, start = len(columns), 0
    marks = f"({', '.join('?' * width)})"
    for size in _SIZES:
        while len(columns[0]) - start >= size:
            values: list[Any] = [None] * (size * width)
            for number, column in enumerate(columns):
                values[number::width] = column[start : start + size]
            connection.execute(f"{statement} VALUES {', '.join([marks] * size)}", values)
            start += size


def fetch_rows(
    connection: sqlite3.Connection, source: str, parameters: Mapping[str, Any]
) -> npt.NDArray[np.int64]:
    """Return the numbers of rows that are somewhere, in no order, as one text of SQLite's making.

    A Python object for each would take three times as long.

    Args:
        connection: what to ask.
        source: what has a column ``row``: a table and its conditions.
        parameters: of the conditions.

    Returns:
        ``(n,)`` int64, a row as often as it is there.

    Example:
        >>> connection = sqlite3.connect(":memory:")
        >>> _ = connection.execute("CREATE TABLE numbers (row)")
        >>> insert_rows(connection, "INSERT INTO numbers", [(4,), (9,)])
        >>> fetch_rows(connection, "numbers WHERE row > :least", {"least": 3}).tolist()
        [4, 9]
    """
    (found,) = connection.execute(
        f"SELECT group_concat(CAST(row AS INTEGER)) FROM (SELECT row FROM {source})", parameters
    ).fetchone()
    if found is None:
        return np.empty(0, dtype=np.int64)
    return np.fromstring(found, dtype=np.int64, sep=",")
