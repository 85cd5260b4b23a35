"""SQLite on files that somebody else may have made or damaged."""

from __future__ import annotations

import sqlite3

# Schemas may not call functions that have side effects; cells are checked when a page is read; and
# what is deleted is overwritten.
_PRAGMAS = ("trusted_schema = OFF", "cell_size_check = ON", "secure_delete = ON")


def be_careful(connection: sqlite3.Connection) -> None:
    """Let a connection trust as little as possible of what its file says."""
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
