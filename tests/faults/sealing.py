"""Makes checksums agree with what was changed, as whoever crafts a backup would."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from ..sealing import SEALING, define_sums


def open_catalog(index: Path) -> sqlite3.Connection:
    """Open the catalog of an index to change it by hand, whatever its texts are."""
    connection = sqlite3.connect(index / "catalog.sqlite", isolation_level=None)
    connection.text_factory = lambda value: value.decode(errors="surrogateescape")
    connection.execute("PRAGMA journal_mode = DELETE")
    return connection


def seal_files(index: Path) -> None:
    """Record the sizes and checksums that files have now."""
    with closing(open_catalog(index)) as connection:
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


def seal_rows(index: Path) -> None:
    """Give every row the checksum that it ought to have, where its values have one at all."""
    with closing(open_catalog(index)) as connection:
        define_sums(connection)
        for statement in SEALING:
            with suppress(sqlite3.Error):
                connection.execute(statement)
