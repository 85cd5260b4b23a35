"""Catalogs that say something else with checksums that agree, as somebody might write them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lfm2_colbert_rag.storage.checksums import (
    block_sum,
    content_sum,
    list_seed,
    row_sum,
    size_sql,
    state_sql,
)

# Columns in the order in which their checksums take them.
_ROWS = {
    "settings": "key, value",
    "measurements": "key, value",
    "generations": "generation, created, added, removed",
    "segments": "name, passages, tokens, files, born, died, description, space",
    "codebooks": "name, description, files, born, space",
    "spaces": "name, settings, born",
}


@contextmanager
def tampering(folder: Path, *, sealed: bool = True) -> Iterator[sqlite3.Connection]:
    """Give a connection to a folder's catalog; afterwards all rows agree with their checksums."""
    with closing(sqlite3.connect(folder / "catalog.sqlite", isolation_level=None)) as connection:
        yield connection
        if sealed:
            seal(connection)


def seal(connection: sqlite3.Connection) -> None:
    """Write the checksums that the rows of a catalog have to have."""
    define_sums(connection)
    for statement in SEALING:
        connection.execute(statement)


def define_sums(connection: sqlite3.Connection) -> None:
    """Let SQL call the functions that :data:`SEALING` needs."""
    for name, function in (
        ("row_sum", row_sum),
        ("content_sum", content_sum),
        ("block_sum", lambda term, *block: block_sum(list_seed(term) if term else 0, *block)),
    ):
        connection.create_function(name, -1, function)


SEALING = (
    *(f"UPDATE {table} SET checksum = row_sum({columns})" for table, columns in _ROWS.items()),
    f"UPDATE sizes SET checksum = {size_sql()}",
    f"UPDATE passages SET content = content_sum(row, id, text, metadata, language), "
    f"state = {state_sql()}",
    "UPDATE postings SET checksum = block_sum(term, first, last, entries)",
    "UPDATE recent_postings SET checksum = block_sum('', first, last, lists)",
)
