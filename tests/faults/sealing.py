"""Makes checksums of an index agree with what was changed in it, as whoever crafts a backup would.

Where the catalog's rows have checksums of their own, the library's functions for them are used.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_MODULE = "lfm2_colbert_rag.storage.checksums"
# What a crafted row may hold: sums of it cannot be made, and need not agree.
_SENSELESS = (TypeError, ValueError, AttributeError, OverflowError)


def open_catalog(index: Path) -> sqlite3.Connection:
    """Open the catalog of an index to change it by hand; triggers of ours stay quiet."""
    connection = sqlite3.connect(index / "catalog.sqlite", isolation_level=None)
    connection.text_factory = lambda value: value.decode(errors="surrogateescape")
    connection.execute("PRAGMA journal_mode = DELETE")
    return connection


def seal_files(index: Path) -> None:
    """Record the sizes and checksums that files have now."""
    connection = open_catalog(index)
    for table in ("segments", "codebooks"):
        for name, text in connection.execute(f"SELECT name, files FROM {table}").fetchall():
            files: dict[str, Any] = json.loads(text)
            for key, described in files.items():
                path = index / table / name / f"{key}.npy"
                if path.is_file():
                    content = path.read_bytes()
                    described["size"] = len(content)
                    described["sha256"] = hashlib.sha256(content).hexdigest()
            connection.execute(
                f"UPDATE {table} SET files = ? WHERE name = ?", (json.dumps(files), name)
            )
    connection.close()


def seal_rows(index: Path) -> None:
    """Give every row the checksum that it ought to have."""
    if find_spec(_MODULE) is None:
        return
    sums = import_module(_MODULE)
    connection = open_catalog(index)
    with suppress(sqlite3.Error):
        tables = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            with suppress(sqlite3.Error):
                _seal_table(connection, table, sums)
    connection.close()


def _seal_table(connection: sqlite3.Connection, table: str, sums: Any) -> None:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    if table == "passages" and {"content", "state"} <= set(columns):
        for row in connection.execute(
            "SELECT row, id, text, metadata, windows, tokens, born, died FROM passages"
        ).fetchall():
            with suppress(*_SENSELESS):
                connection.execute(
                    "UPDATE passages SET content = ?, state = ? WHERE row = ?",
                    (sums.content_sum(*row[:4]), sums.state_sum(row[0], *row[4:]), row[0]),
                )
        return
    if "checksum" not in columns:
        return
    others = [name for name in columns if name != "checksum"]
    keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]]
    where = " AND ".join(f"{key} IS ?" for key in keys)
    for row in connection.execute(f"SELECT {', '.join(others)} FROM {table}").fetchall():
        named = dict(zip(others, row, strict=True))
        with suppress(*_SENSELESS):
            connection.execute(
                f"UPDATE {table} SET checksum = ? WHERE {where}",
                (_sum(table, named, sums), *(named[key] for key in keys)),
            )


def _sum(table: str, row: dict[str, Any], sums: Any) -> int:
    if table in ("postings", "recent_postings"):
        seed = sums.list_seed(row["term"]) if "term" in row else 0
        entries = row.get("entries", row.get("lists"))
        return sums.block_sum(seed, row["first"], row["last"], entries)
    return sums.row_sum(*row.values())
