"""Many rows in few statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

# Rows of one statement. Few sizes, so that SQLite need not parse a statement of each length.
_SIZES = (256, 32, 4, 1)


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
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            part = rows[start : start + size]
            marks = f"({', '.join('?' * len(part[0]))})"
            values = ", ".join([marks] * size)
            connection.execute(f"{statement} VALUES {values}", list(chain.from_iterable(part)))
            start += size
