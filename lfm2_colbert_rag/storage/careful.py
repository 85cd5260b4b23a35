"""SQLite on files that somebody else may have made or damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import IndexCorruptError

# Schemas may not call functions that have side effects; cells are checked when a page is read; and
# what is deleted is overwritten.
_PRAGMAS = ("trusted_schema = OFF", "cell_size_check = ON", "secure_delete = ON")
_DAMAGED = ("malformed", "not a database", "corrupt", "Could not decode", "no such", "encoding")


def be_careful(connection: sqlite3.Connection) -> None:
    """Let a connection trust as little as possible of what its file says."""
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def unreadable_files(path: Path) -> Iterator[None]:
    """Turn what SQLite says of a damaged file into an error that names it.

    Raises:
        IndexCorruptError: the bytes of the file are wrong.
    """
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeError) as error:
        if isinstance(error, sqlite3.OperationalError) and not any(
            word in str(error) for word in _DAMAGED
        ):
            raise
        raise IndexCorruptError(
            f"{path} cannot be read as a catalog ({error}). Restore it from a backup."
        ) from error
