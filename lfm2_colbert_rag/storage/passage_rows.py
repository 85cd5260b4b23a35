"""The rows of passages, each with the checksums of :mod:`~.checksums`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import REMEDY, IndexCorruptError
from ..types import Passage
from .checksums import content_sum, state_sql, state_sum
from .commits import StoredPassage
from .rows import insert_rows
from .schema import ALIVE, stored_json

_CONTENT = "row, id, text, metadata, language, content"


def insert_passages(
    connection: sqlite3.Connection, passages: Iterable[StoredPassage], generation: int
) -> None:
    """Add passages that are born in a generation."""
    insert_rows(
        connection, "INSERT INTO passages", [_to_row(stored, generation) for stored in passages]
    )


def bury_passages(connection: sqlite3.Connection, rows: Iterable[int], generation: int) -> None:
    """Let rows die in a generation, those that live."""
    connection.execute(
        f"UPDATE passages SET died = :died, state = {state_sql(died=':died')} "
        "WHERE died IS NULL AND row IN (SELECT value FROM json_each(:rows))",
        {"died": generation, "rows": json.dumps([int(row) for row in rows])},
    )


def resize_passages(connection: sqlite3.Connection, sizes: Sequence[tuple[int, int, int]]) -> None:
    """Change the numbers of windows and vectors of passages, given behind their rows."""
    connection.executemany(
        "UPDATE passages SET windows = :windows, tokens = :tokens, "
        f"state = {state_sql(':windows', ':tokens')} WHERE row = :row",
        [{"row": row, "windows": windows, "tokens": tokens} for row, windows, tokens in sizes],
    )


def read_passages(connection: sqlite3.Connection, rows: Iterable[int]) -> dict[int, Passage]:
    """Return passages by row number, live or dead.

    Raises:
        IndexCorruptError: one is damaged; the message names it.
    """
    found = connection.execute(
        f"SELECT {_CONTENT} FROM passages WHERE row IN (SELECT value FROM json_each(?))",
        (json.dumps([int(row) for row in rows]),),
    ).fetchall()
    return {row: _to_passage(row, *columns) for row, *columns in found}


def rows_of_texts(
    connection: sqlite3.Connection, texts: Iterable[str], generation: int
) -> list[tuple[str, int]]:
    """Return the live rows that have one of some texts, each behind its text, ascending.

    They are found by the length and the middle of the texts, which are indexed, and compared.
    """
    found = connection.execute(
        "SELECT asked.value, passages.row FROM json_each(:texts) AS asked CROSS JOIN passages "
        "ON length(passages.text) = length(asked.value) "
        "AND substr(passages.text, length(passages.text) / 2 + 1, 16) "
        "= substr(asked.value, length(asked.value) / 2 + 1, 16) "
        f"AND passages.text = asked.value WHERE {ALIVE} ORDER BY passages.row",
        {"generation": generation, "texts": json.dumps(list(texts), ensure_ascii=False)},
    )
    return [(text, row) for text, row in found]


def passage_ids(connection: sqlite3.Connection, rows: Sequence[int]) -> dict[int, str]:
    """Return the ids of rows, unchecked: what is damaged shows where the passage is read."""
    return {row: str(id) for row, id in _ids(connection, rows)}


def passage_names(connection: sqlite3.Connection, rows: Sequence[int]) -> dict[int, str]:
    """Return the ids of rows, damaged or not, for messages."""
    found = _ids(connection, rows)
    return {row: ascii(id) if not isinstance(id, str) else repr(id) for row, id in found}


def _ids(connection: sqlite3.Connection, rows: Sequence[int]) -> sqlite3.Cursor:
    return connection.execute(
        "SELECT row, id FROM passages WHERE row IN (SELECT value FROM json_each(?))",
        (json.dumps([int(row) for row in rows]),),
    )


def passage_sizes(connection: sqlite3.Connection, generation: int) -> npt.NDArray[np.int64]:
    """Return ``(n, 4)`` int64: row, windows, vectors and characters of each live passage."""
    found = connection.execute(
        f"SELECT row, windows, tokens, text FROM passages WHERE {ALIVE} ORDER BY row",
        {"generation": generation},
    )
    # Not SQL's length(), which stops at a NUL.
    sizes = ((row, windows, tokens, len(text)) for row, windows, tokens, text in found)
    return np.fromiter(sizes, dtype=np.dtype((np.int64, 4)))


def damaged_passages(connection: sqlite3.Connection) -> list[str]:
    """Compare every passage, dead or alive, with its checksums.

    Returns:
        A sentence each for those whose text, id or metadata differ, and those whose numbers do.
    """
    contents = [
        columns[0]
        for *columns, content in connection.execute(f"SELECT {_CONTENT} FROM passages")
        if content != content_sum(*columns)
    ]
    states = connection.execute(
        f"SELECT row FROM passages WHERE state IS NOT {state_sql()} OR typeof(windows) <> "
        "'integer' OR typeof(tokens) <> 'integer' OR typeof(born) <> 'integer' OR "
        "typeof(died) NOT IN ('integer', 'null')"
    )
    return [
        *_tell(connection, contents, "text, id, metadata or language"),
        *_tell(connection, [row for (row,) in states], "numbers"),
    ]


def senseless_passages(connection: sqlite3.Connection) -> list[str]:
    """Read every passage whose checksum is right, as one is that was written to do damage."""
    problems = []
    for row, *columns in connection.execute(f"SELECT {_CONTENT} FROM passages"):
        try:
            _to_passage(row, *columns)
        except IndexCorruptError as error:
            problems.append(str(error))
    return problems


def _tell(connection: sqlite3.Connection, rows: Sequence[int], what: str) -> list[str]:
    if not rows:
        return []
    names = passage_names(connection, rows[:3])
    shown = ", ".join(names.get(row, f"row {row}") for row in rows[:3])
    more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
    passages = "passage" if len(rows) == 1 else "passages"
    return [
        f"the {what} of the {passages} {shown}{more} in the catalog were altered: a checksum "
        f"differs. {REMEDY}"
    ]


def _to_row(stored: StoredPassage, generation: int) -> tuple[Any, ...]:
    passage = stored.passage
    metadata = json.dumps(passage.metadata, ensure_ascii=False, allow_nan=False)
    return (
        stored.row,
        passage.id,
        passage.text,
        metadata,
        stored.language,
        stored.windows,
        stored.tokens,
        generation,
        None,
        content_sum(stored.row, passage.id, passage.text, metadata, stored.language),
        state_sum(stored.row, stored.windows, stored.tokens, generation, None),
    )


def _to_passage(
    row: int, id: Any, text: Any, metadata: Any, language: Any, content: Any
) -> Passage:
    if content != content_sum(row, id, text, metadata, language):
        raise IndexCorruptError(
            f"the passage {id!a:.200} (row {row}) in the catalog was altered: its checksum "
            f"differs. {REMEDY}"
        )
    if not isinstance(id, str) or not isinstance(text, str):
        raise IndexCorruptError(
            f"the id or the text of the passage {id!a:.200} (row {row}) in the catalog is no text. "
            f"{REMEDY}"
        )
    parsed = stored_json(f"the metadata of the passage {id!r:.200}", metadata)
    if not isinstance(parsed, dict):
        raise IndexCorruptError(
            f"the metadata of the passage {id!r:.200} in the catalog are no object. {REMEDY}"
        )
    return Passage(id, text, parsed)
