"""The tables of the catalog, and the rows that describe files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..index.arrays import FileInfo
from ..index.compressed.codebook import CodebookInfo
from ..index.segment import SegmentInfo

FORMAT_VERSION = 1
APPLICATION_ID = 0x4C464D32  # "LFM2": tells our files from any other SQLite database

SCHEMA = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generations (
    generation INTEGER PRIMARY KEY, created TEXT NOT NULL,
    added INTEGER NOT NULL, removed INTEGER NOT NULL
);
CREATE TABLE segments (
    name TEXT PRIMARY KEY, passages INTEGER NOT NULL, tokens INTEGER NOT NULL,
    files TEXT NOT NULL, born INTEGER NOT NULL, died INTEGER,
    description TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE passages (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, text TEXT NOT NULL,
    metadata TEXT NOT NULL, windows INTEGER NOT NULL, tokens INTEGER NOT NULL,
    born INTEGER NOT NULL, died INTEGER
);
CREATE INDEX passages_by_id ON passages (id);
CREATE UNIQUE INDEX passages_live_id ON passages (id) WHERE died IS NULL;
CREATE INDEX passages_by_death ON passages (died) WHERE died IS NOT NULL;
CREATE TABLE codebooks (
    name TEXT PRIMARY KEY, description TEXT NOT NULL, files TEXT NOT NULL, born INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE measurements (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE postings (
    term TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, entries BLOB NOT NULL,
    PRIMARY KEY (term, first)
) WITHOUT ROWID;
CREATE TABLE recent_postings (
    last INTEGER PRIMARY KEY, first INTEGER NOT NULL, lists BLOB NOT NULL
);"""
NEWEST = "SELECT max(generation) FROM generations"
ALIVE = "born <= :generation AND (died IS NULL OR died > :generation)"


def newest_generation(connection: sqlite3.Connection) -> int:
    """Return the newest generation."""
    return int(connection.execute(NEWEST).fetchone()[0])


def last_row(connection: sqlite3.Connection) -> int:
    """Return the last row number that was ever used, 0 for none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchone()
    return 0 if row is None else int(row[0])


def read_settings(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return all settings by name."""
    rows = connection.execute("SELECT key, value FROM settings").fetchall()
    return {key: json.loads(value) for key, value in rows}


def write_settings(connection: sqlite3.Connection, settings: Mapping[str, Any]) -> None:
    """Write settings, over those of the same name."""
    connection.executemany(
        "INSERT OR REPLACE INTO settings VALUES (?, ?)",
        [(key, json.dumps(value)) for key, value in settings.items()],
    )


def live_segments(connection: sqlite3.Connection, generation: int) -> tuple[SegmentInfo, ...]:
    """Return the segments of a generation, in the order of their rows."""
    rows = connection.execute(
        f"SELECT name, passages, tokens, files, description FROM segments WHERE {ALIVE} "
        "ORDER BY json_extract(description, '$.first_row'), born, name",
        {"generation": generation},
    )
    return tuple(
        SegmentInfo(name, passages, vectors, _read_files(files), **json.loads(description))
        for name, passages, vectors, files, description in rows
    )


def insert_segment(connection: sqlite3.Connection, info: SegmentInfo, generation: int) -> None:
    """Add a segment that is born in a generation."""
    known = ("name", "passages", "vectors", "files")
    description = {key: value for key, value in vars(info).items() if key not in known}
    connection.execute(
        "INSERT INTO segments (name, passages, tokens, files, born, description) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            info.name,
            info.passages,
            info.vectors,
            _write_files(info.files),
            generation,
            json.dumps(description),
        ),
    )


def drop_segments(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    """Forget segments."""
    connection.executemany("DELETE FROM segments WHERE name = ?", [(name,) for name in names])


def dead_rows(connection: sqlite3.Connection, generation: int, newest: int) -> list[int]:
    """Return the dead rows that a reader must know who moves to a newer generation.

    Args:
        connection: within a transaction.
        generation: where the reader is.
        newest: the newest generation.

    Returns:
        Ascending: those that died meanwhile, and, of segments that were born meanwhile, those that
        were dead before. A segment may be made of others whose rows died while it was written.
    """
    found = connection.execute(
        "SELECT row FROM passages WHERE died > :generation AND died <= :newest UNION "
        "SELECT row FROM passages WHERE died <= :newest AND row >= (SELECT "
        "min(json_extract(description, '$.first_row')) FROM segments WHERE born > :generation) "
        "ORDER BY row",
        {"generation": generation, "newest": newest},
    )
    return [row for (row,) in found]


def codebooks(connection: sqlite3.Connection) -> tuple[CodebookInfo, ...]:
    """Return all codebooks, the newest last."""
    rows = connection.execute("SELECT name, description, files FROM codebooks ORDER BY born, name")
    return tuple(
        CodebookInfo(name=name, **json.loads(description), files=_read_files(files))
        for name, description, files in rows
    )


def codebook_names(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the names of all codebooks, the newest last."""
    names = connection.execute("SELECT name FROM codebooks ORDER BY born, name").fetchall()
    return tuple([name for (name,) in names])


def insert_codebook(connection: sqlite3.Connection, info: CodebookInfo, generation: int) -> None:
    """Add a codebook that is born in a generation."""
    description = {key: value for key, value in vars(info).items() if key not in ("name", "files")}
    connection.execute(
        "INSERT INTO codebooks VALUES (?, ?, ?, ?)",
        (info.name, json.dumps(description), _write_files(info.files), generation),
    )


def drop_codebooks(connection: sqlite3.Connection) -> None:
    """Forget codebooks that no segment names, but the newest two.

    The last but one may be in use by a writer that has not come to its commit yet.
    """
    connection.execute(
        "DELETE FROM codebooks WHERE name NOT IN (SELECT name FROM codebooks "
        "ORDER BY born DESC LIMIT 2) AND name NOT IN (SELECT json_extract(description, "
        "'$.codebook') FROM segments WHERE json_extract(description, '$.codebook') NOT NULL)"
    )


def resize_passages(connection: sqlite3.Connection, sizes: Sequence[tuple[int, int, int]]) -> None:
    """Change the numbers of windows and vectors of passages, given behind their rows."""
    connection.executemany(
        "UPDATE passages SET windows = ?, tokens = ? WHERE row = ?",
        [(windows, tokens, row) for row, windows, tokens in sizes],
    )


def _write_files(files: Mapping[str, FileInfo]) -> str:
    return json.dumps({key: asdict(file) for key, file in files.items()})


def _read_files(files: str) -> dict[str, FileInfo]:
    parsed: dict[str, Any] = json.loads(files)
    return {key: FileInfo(**value) for key, value in parsed.items()}
