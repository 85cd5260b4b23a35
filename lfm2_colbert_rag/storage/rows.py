"""Many rows in few statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

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
