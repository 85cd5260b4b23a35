"""Is a catalog what this library writes? Its schema, its rows against their checksums."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress

from ..errors import REMEDY, IndexCorruptError
from ..index.described import LARGEST
from . import posting_sql
from .adapters import named_adapters
from .filter_sql import damaged_indexes
from .folder_rows import codebooks, every_segment
from .passage_rows import damaged_passages, senseless_passages
from .schema import (
    created_at,
    foreign_parts,
    last_row,
    newest_generation,
    stored_value,
)
from .spaces import check_spaces, other_spaces, served_settings

# Of a catalog of so many bytes every row is read when it is opened: 15 milliseconds at most.
OPENING_BUDGET = 1 << 19


def check_opened(connection: sqlite3.Connection) -> None:
    """Refuse a catalog that is damaged, as far as that can be seen without reading much.

    Its schema and what describes settings, segments and codebooks are always read; all the rest
    where the file is small.

    Args:
        connection: within a transaction.

    Raises:
        IndexCorruptError: what is wrong, the first of it.
    """
    problems = _essentials(connection)
    if not problems and _size(connection) <= OPENING_BUDGET:
        problems = _shape(connection, "quick_check") or _contents(connection)
    if problems:
        raise IndexCorruptError(problems[0])


def inspect(connection: sqlite3.Connection) -> list[str]:
    """Look at every row of a catalog.

    Args:
        connection: within a transaction.

    Returns:
        One sentence a problem. Where the shape of the file is wrong, nothing else is looked at.
    """
    try:
        return (
            _shape(connection, "integrity_check")
            or _essentials(connection)
            or _contents(connection)
            or senseless_passages(connection)
        )
    except (sqlite3.Error, UnicodeError) as error:
        return [f"the catalog cannot be read ({error}). {REMEDY}"]


def _shape(connection: sqlite3.Connection, pragma: str) -> list[str]:
    found = [text for (text,) in connection.execute(f"PRAGMA {pragma}")]
    return [] if found == ["ok"] else [f"{text}. {REMEDY}" for text in found]


def _size(connection: sqlite3.Connection) -> int:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    return int(pages * connection.execute("PRAGMA page_size").fetchone()[0])


def _essentials(connection: sqlite3.Connection) -> list[str]:
    """Look at what everything else is understood by."""
    foreign = [
        f"{part}, so it was not written by this library alone. {REMEDY}"
        for part in foreign_parts(connection)
    ]
    return foreign or _told(
        lambda: newest_generation(connection),
        lambda: named_adapters(served_settings(connection), other_spaces(connection)),
        lambda: posting_sql.read_state(connection),
        lambda: every_segment(connection),
        lambda: codebooks(connection),
    )


def _contents(connection: sqlite3.Connection) -> list[str]:
    return [
        *damaged_passages(connection),
        *_told(
            lambda: _check_generations(connection),
            lambda: _check_measurements(connection),
            lambda: check_spaces(connection),
            lambda: posting_sql.check_sums(connection),
        ),
        *damaged_indexes(connection),
        *_check_last_row(connection),
    ]


def _told(*checks: Callable[[], object]) -> list[str]:
    """Return what checks have to say, rather than raise it."""
    problems = []
    for check in checks:
        try:
            check()
        except IndexCorruptError as error:
            problems.append(str(error))
    return problems


def _check_generations(connection: sqlite3.Connection) -> None:
    for row in connection.execute(
        "SELECT generation, created, added, removed, checksum FROM generations"
    ):
        created_at(row)
    unknown = connection.execute(
        "SELECT row FROM passages WHERE died IS NOT NULL AND died NOT IN "
        "(SELECT generation FROM generations) LIMIT 1"
    ).fetchone()
    if unknown is not None:
        raise IndexCorruptError(
            f"row {unknown[0]} died in a generation that the catalog does not have. {REMEDY}"
        )


def _check_measurements(connection: sqlite3.Connection) -> None:
    for row in connection.execute("SELECT key, value, checksum FROM measurements"):
        stored_value("measurement", *row)


def _check_last_row(connection: sqlite3.Connection) -> Iterator[str]:
    """Rows are never used again, and SQLite keeps the last of them in a table of its own."""
    last = connection.execute("SELECT max(row) FROM passages").fetchone()[0]
    with suppress(TypeError, ValueError):
        if (last or 0) <= last_row(connection) <= LARGEST:
            return
    yield f"the catalog has forgotten the last row, {last}, that it used. {REMEDY}"
