"""The tables of the catalog, and its settings.

The columns ``checksum``, ``content`` and ``state`` are those of :mod:`~.checksums`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any

from .._support.safe_json import JsonError, parse_json
from ..errors import REMEDY, IndexCorruptError
from .checksums import row_sum

FORMAT_VERSION = 6
APPLICATION_ID = 0x4C464D32  # "LFM2": tells our files from any other SQLite database

SCHEMA = """
CREATE TABLE settings (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE generations (
    generation INTEGER PRIMARY KEY, created TEXT NOT NULL,
    added INTEGER NOT NULL, removed INTEGER NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE segments (
    name TEXT PRIMARY KEY, passages INTEGER NOT NULL, tokens INTEGER NOT NULL,
    files TEXT NOT NULL, born INTEGER NOT NULL, died INTEGER,
    description TEXT NOT NULL, space TEXT NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE passages (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, text TEXT NOT NULL,
    metadata TEXT NOT NULL, language TEXT NOT NULL, windows INTEGER NOT NULL,
    tokens INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER,
    content INTEGER NOT NULL, state INTEGER NOT NULL
);
CREATE INDEX passages_by_id ON passages (id);
CREATE UNIQUE INDEX passages_live_id ON passages (id) WHERE died IS NULL;
CREATE INDEX passages_by_text ON passages (
    length(text), substr(text, length(text) / 2 + 1, 16)
);
CREATE INDEX passages_by_death ON passages (died) WHERE died IS NOT NULL;
CREATE TABLE codebooks (
    name TEXT PRIMARY KEY, description TEXT NOT NULL, files TEXT NOT NULL, born INTEGER NOT NULL,
    space TEXT NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE spaces (
    name TEXT PRIMARY KEY, settings TEXT NOT NULL, born INTEGER NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE sizes (
    space TEXT NOT NULL, row INTEGER NOT NULL, windows INTEGER NOT NULL, tokens INTEGER NOT NULL,
    checksum INTEGER NOT NULL, PRIMARY KEY (space, row)
) WITHOUT ROWID;
CREATE TABLE measurements (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE postings (
    term TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, entries BLOB NOT NULL,
    checksum INTEGER NOT NULL, PRIMARY KEY (term, first)
) WITHOUT ROWID;
CREATE TABLE recent_postings (
    last INTEGER PRIMARY KEY, first INTEGER NOT NULL, lists BLOB NOT NULL,
    checksum INTEGER NOT NULL
);"""
# Only where a field of the metadata is indexed.
FILTER_TABLES = (
    "CREATE TABLE IF NOT EXISTS filter_indexes (field INTEGER PRIMARY KEY, path TEXT UNIQUE)",
    """CREATE TABLE IF NOT EXISTS filter_values (
        field INTEGER, kind TEXT, value, row INTEGER, PRIMARY KEY (field, kind, value, row)
    ) WITHOUT ROWID""",
)
NEWEST = "SELECT max(generation) FROM generations"
ALIVE = "born <= :generation AND (died IS NULL OR died > :generation)"


def newest_generation(connection: sqlite3.Connection) -> int:
    """Return the newest generation.

    Raises:
        IndexCorruptError: there is none.
    """
    newest = connection.execute(NEWEST).fetchone()[0]
    if type(newest) is not int:
        raise IndexCorruptError(f"the catalog has no generation, but {newest!r}. {REMEDY}")
    return newest


def generation_time(connection: sqlite3.Connection, generation: int) -> datetime:
    """Return when a generation was made.

    Raises:
        IndexCorruptError: there is none, or what the catalog says of it cannot be.
    """
    row = connection.execute(
        "SELECT generation, created, added, removed, checksum FROM generations "
        "WHERE generation = ?",
        (generation,),
    ).fetchone()
    if row is None:
        raise IndexCorruptError(f"the catalog has no generation {generation!r}. {REMEDY}")
    return created_at(row)


def created_at(row: Sequence[Any]) -> datetime:
    """Return when the generation of a row was made; errors as in :func:`generation_time`."""
    if row[-1] != row_sum(*row[:-1]):
        raise damaged_row(f"generation {row[0]!r}")
    with suppress(TypeError, ValueError):
        found = datetime.fromisoformat(row[1])
        if found.tzinfo is not None:
            return found
    raise IndexCorruptError(
        f"generation {row[0]!r} in the catalog was made at {row[1]!r:.40}, which is no time. "
        f"{REMEDY}"
    )


def last_row(connection: sqlite3.Connection) -> int:
    """Return the last row number that was ever used, 0 for none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchone()
    return 0 if row is None else int(row[0])


def read_settings(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return all settings by name.

    Raises:
        IndexCorruptError: one is damaged.
    """
    rows = connection.execute("SELECT key, value, checksum FROM settings").fetchall()
    return {key: stored_value("setting", key, value, found) for key, value, found in rows}


def write_settings(connection: sqlite3.Connection, settings: Mapping[str, Any]) -> None:
    """Write settings, over those of the same name."""
    write_values(connection, "settings", settings)


def write_values(connection: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> None:
    """Write JSON values under their keys, over those of the same key."""
    rows = [(key, json.dumps(value)) for key, value in values.items()]
    connection.executemany(
        f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)",
        [(*row, row_sum(*row)) for row in rows],
    )


def stored_value(kind: str, key: Any, value: Any, checksum: Any) -> Any:
    """Return what :func:`write_values` wrote.

    Args:
        kind: what it is, for the message.
        key: its key.
        value: its JSON.
        checksum: of both.

    Raises:
        IndexCorruptError: it is damaged.
    """
    if checksum != row_sum(key, value):
        raise damaged_row(f"the {kind} {key!r}")
    return stored_json(f"the {kind} {key!r}", value)


def stored_json(what: str, value: Any) -> Any:
    """Read JSON of a column; what it is says the message of the IndexCorruptError."""
    if not isinstance(value, str):
        raise IndexCorruptError(f"{what} in the catalog is {type(value).__name__}. {REMEDY}")
    try:
        return parse_json(value)
    except JsonError as error:
        raise IndexCorruptError(f"{what} in the catalog is no JSON ({error}). {REMEDY}") from None


def damaged_row(what: str) -> IndexCorruptError:
    """Return the error that says that a row does not agree with its checksum."""
    return IndexCorruptError(f"{what} in the catalog was altered: its checksum differs. {REMEDY}")


def foreign_parts(connection: sqlite3.Connection) -> Iterator[str]:
    """Name what the catalog's schema holds that this library does not write, or lacks of it.

    A trigger that somebody else put there would run with every write, and a view in place of a
    table may answer whatever it likes.
    """
    found = set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    plain, indexed = _parts(False), _parts(True)
    # The tables of filter indexes come and go together.
    expected = indexed if found & (indexed - plain) else plain
    for what, parts in (("an unknown", found - expected), ("no", expected - found)):
        for kind, name, table, _ in sorted(parts, key=str):
            on = f" of {table!a}" if kind in ("trigger", "index") else ""
            yield f"the catalog has {what} {kind!s:.20} {name!a:.100}{on:.100}"


@cache
def _parts(filter_indexes: bool) -> frozenset[tuple[str, str, str, str | None]]:
    """Return what SQLite says of a catalog's schema, with or without the filter indexes."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(SCHEMA)
        for statement in FILTER_TABLES if filter_indexes else ():
            connection.execute(statement)
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
        return frozenset(rows.fetchall())
    finally:
        connection.close()
