"""Spaces of vectors: the one that serves, and beside it one that did, or one that is being made.

What serves stands in the settings and in the rows of passages, like ever. Of every other space the
catalog keeps its settings and how many windows and vectors each passage has in it; a passage that
has none there is still to be encoded. So what is left to do is asked of the catalog, and whoever is
killed loses what he had not committed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import REMEDY, ConfigError, IndexCorruptError
from .checksums import row_sum, size_sql, size_sum, state_sql
from .rows import fetch_rows, insert_rows
from .schema import (
    ALIVE,
    damaged_row,
    newest_generation,
    read_settings,
    stored_json,
    write_settings,
)
from .settings import SPACE_FIELDS, IndexSettings, check_space

_SIZES = "row, windows, tokens, checksum"


def served_settings(connection: sqlite3.Connection) -> IndexSettings:
    """Return the settings of the space that serves."""
    return IndexSettings.from_json(read_settings(connection))


def settings_of(connection: sqlite3.Connection, space: str | None) -> IndexSettings:
    """Return the settings of a space; of the one that serves for None.

    Raises:
        IndexCorruptError: they are damaged.
        ConfigError: there is no such space.
    """
    serving = served_settings(connection)
    if space is None or space == serving.space:
        return serving
    found = other_spaces(connection).get(space)
    if found is None:
        raise ConfigError(
            "what was being migrated to was forgotten meanwhile, by another process; migrate again."
        )
    return found


def other_spaces(connection: sqlite3.Connection) -> dict[str, IndexSettings]:
    """Return the settings of all spaces that do not serve, by name, the oldest first.

    Raises:
        IndexCorruptError: they are damaged.
    """
    serving = read_settings(connection)
    rows = connection.execute(
        "SELECT name, settings, born, checksum FROM spaces ORDER BY born, name"
    ).fetchall()
    return {check_space(row[0]): _settings(serving, *row) for row in rows}


def insert_space(
    connection: sqlite3.Connection, name: str, settings: Mapping[str, Any], generation: int
) -> None:
    """Add a space that does not serve, or replace its settings."""
    own = json.dumps({key: settings[key] for key in SPACE_FIELDS})
    row = (check_space(name), own, generation)
    connection.execute("INSERT OR REPLACE INTO spaces VALUES (?, ?, ?, ?)", (*row, row_sum(*row)))


def change_space(connection: sqlite3.Connection, name: str, values: Mapping[str, Any]) -> None:
    """Change settings of a space that does not serve."""
    if values:
        (born,) = connection.execute("SELECT born FROM spaces WHERE name = ?", (name,)).fetchone()
        settings = other_spaces(connection)[name].to_json()
        insert_space(connection, name, settings | dict(values), born)


def drop_space(connection: sqlite3.Connection, name: str) -> None:
    """Forget a space that does not serve, and all that lies in it."""
    for table, column in (
        ("spaces", "name"), ("sizes", "space"), ("segments", "space"), ("codebooks", "space"),
    ):  # fmt: skip
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))


def resize_in(
    connection: sqlite3.Connection, name: str, sizes: Sequence[tuple[int, int, int]]
) -> None:
    """Say how many windows and vectors passages have in a space that does not serve."""
    insert_rows(
        connection,
        "INSERT OR REPLACE INTO sizes",
        [(name, *size, size_sum(*size)) for size in sizes],
    )


def sizes_in(connection: sqlite3.Connection, name: str, generation: int) -> npt.NDArray[np.int64]:
    """Return ``(n, 4)`` int64 of the live passages that have vectors in a space.

    They are row, windows, vectors and characters.
    """
    found = connection.execute(
        "SELECT passages.row, sizes.windows, sizes.tokens, text FROM passages JOIN sizes "
        f"ON sizes.row = passages.row AND space = :space WHERE {ALIVE} ORDER BY passages.row",
        {"space": name, "generation": generation},
    )
    values = ((row, windows, tokens, len(text)) for row, windows, tokens, text in found)
    return np.fromiter(values, dtype=np.dtype((np.int64, 4)))


def missing_rows(connection: sqlite3.Connection, name: str) -> npt.NDArray[np.int64]:
    """Return the ascending live rows that have no vectors in a space that does not serve."""
    return np.sort(
        fetch_rows(
            connection,
            "passages WHERE died IS NULL AND row NOT IN "
            "(SELECT row FROM sizes WHERE space = :space)",
            {"space": name},
        )
    )


def switch_space(connection: sqlite3.Connection, name: str, generation: int) -> None:
    """Let another space serve; the one that did becomes one of the others."""
    serving, target = served_settings(connection), other_spaces(connection)[name]
    connection.execute(
        f"INSERT INTO sizes SELECT :former, row, windows, tokens, {size_sql()} FROM passages "
        "WHERE died IS NULL",
        {"former": serving.space},
    )
    among = "row IN (SELECT row FROM sizes WHERE space = :name)"
    connection.execute(
        "UPDATE passages SET (windows, tokens) = (SELECT windows, tokens FROM sizes WHERE "
        f"space = :name AND sizes.row = passages.row) WHERE {among}",
        {"name": name},
    )
    connection.execute(f"UPDATE passages SET state = {state_sql()} WHERE {among}", {"name": name})
    for table, column in (("spaces", "name"), ("sizes", "space")):
        connection.execute(f"DELETE FROM {table} WHERE {column} = :name", {"name": name})
    insert_space(connection, serving.space, serving.to_json(), generation)
    values = target.to_json()
    write_settings(connection, {"space": name, **{key: values[key] for key in SPACE_FIELDS}})


def prune_sizes(connection: sqlite3.Connection) -> None:
    """Drop what is said of passages that are no more."""
    connection.execute("DELETE FROM sizes WHERE row NOT IN (SELECT row FROM passages)")


def check_spaces(connection: sqlite3.Connection) -> None:
    """Compare what is said of passages in other spaces with its checksums.

    Raises:
        IndexCorruptError: it was altered, or is of a space that there is not.
    """
    newest_generation(connection)
    wrong = connection.execute(
        f"SELECT row FROM sizes WHERE checksum IS NOT {size_sql()} OR typeof(windows) <> 'integer' "
        "OR typeof(tokens) <> 'integer' OR space NOT IN (SELECT name FROM spaces) LIMIT 1"
    ).fetchone()
    if wrong is not None:
        raise damaged_row(f"the numbers of row {wrong[0]!r} in another space")
    spaces = [served_settings(connection).space, *other_spaces(connection)]
    for table in ("segments", "codebooks"):
        for name, space in connection.execute(f"SELECT name, space FROM {table}"):
            if space not in spaces:
                raise IndexCorruptError(
                    f"{name!a:.100} in the catalog is of a space that there is not. {REMEDY}"
                )


def _settings(
    serving: Mapping[str, Any], name: Any, settings: Any, born: Any, checksum: Any
) -> IndexSettings:
    if checksum != row_sum(name, settings, born):
        raise damaged_row(f"the space {name!a:.100}")
    own = stored_json(f"the settings of the space {name!a:.100}", settings)
    if not isinstance(own, dict) or set(own) != set(SPACE_FIELDS):
        raise IndexCorruptError(
            f"the settings of the space {name!a:.100} in the catalog are others. {REMEDY}"
        )
    return IndexSettings.from_json({**serving, **own, "space": check_space(name)})
