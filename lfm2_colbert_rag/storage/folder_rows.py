"""The rows of segments and of codebooks: what the catalog says of folders of arrays."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar

from ..errors import REMEDY, IndexCorruptError
from ..index.arrays import FileInfo
from ..index.compressed.codebook import CodebookInfo
from ..index.described import array_names
from ..index.segment import SegmentInfo
from .checksums import row_sum
from .layout import check_name
from .schema import ALIVE, damaged_row, stored_json

Info = TypeVar("Info", SegmentInfo, CodebookInfo)

_SEGMENTS = "name, passages, tokens, files, born, died, description, space"
_CODEBOOKS = "name, description, files, born, space"


def live_segments(
    connection: sqlite3.Connection, generation: int, space: str | None = None
) -> tuple[SegmentInfo, ...]:
    """Return the segments of a generation, in the order of their rows.

    Args:
        connection: within a transaction.
        generation: its number.
        space: only those of this space of vectors; None for all.

    Raises:
        IndexCorruptError: what the catalog says of one is damaged, or cannot be.
    """
    rows = connection.execute(
        f"SELECT {_SEGMENTS}, checksum FROM segments WHERE {ALIVE} AND "
        "(:space IS NULL OR space = :space)",
        {"generation": generation, "space": space},
    ).fetchall()
    found = [(_segment(*row), row[4]) for row in rows]
    found.sort(key=lambda one: (one[0].first_row, one[1], one[0].name))
    return tuple(info for info, _ in found)


def every_segment(connection: sqlite3.Connection) -> list[SegmentInfo]:
    """Return the segments of all generations; errors as in :func:`live_segments`."""
    rows = connection.execute(f"SELECT {_SEGMENTS}, checksum FROM segments").fetchall()
    return [_segment(*row) for row in rows]


def segment_names(connection: sqlite3.Connection, space: str | None = None) -> set[str]:
    """Return the names of all segments of a space; of all spaces for None."""
    found = connection.execute(
        "SELECT name FROM segments WHERE :space IS NULL OR space = :space", {"space": space}
    )
    return {check_name(name) for (name,) in found}


def insert_segment(
    connection: sqlite3.Connection, info: SegmentInfo, generation: int, space: str
) -> None:
    """Add a segment of a space that is born in a generation."""
    description = _description(info, "name", "passages", "vectors", "files")
    files = _write_files(info.files)
    row = (info.name, info.passages, info.vectors, files, generation, None, description, space)
    connection.execute(
        f"INSERT INTO segments ({_SEGMENTS}, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, row_sum(*row)),
    )


def drop_segments(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    """Forget segments."""
    connection.executemany("DELETE FROM segments WHERE name = ?", [(name,) for name in names])


def dead_rows(
    connection: sqlite3.Connection, generation: int, newest: int, space: str
) -> list[int]:
    """Return the dead rows that a reader must know who moves to a newer generation.

    Args:
        connection: within a transaction.
        generation: where the reader is.
        newest: the newest generation.
        space: of the segments.

    Returns:
        Ascending: those that died meanwhile, and, of segments that were born meanwhile, those that
        were dead before. A segment may be made of others whose rows died while it was written.
    """
    new = connection.execute(
        f"SELECT {_SEGMENTS}, checksum FROM segments WHERE born > ? AND space = ?",
        (generation, space),
    ).fetchall()
    found = connection.execute(
        "SELECT row FROM passages WHERE died > :generation AND died <= :newest UNION "
        "SELECT row FROM passages WHERE died <= :newest AND row >= :first ORDER BY row",
        {
            "generation": generation,
            "newest": newest,
            "first": min((_segment(*row).first_row for row in new), default=None),
        },
    )
    return [row for (row,) in found]


def codebooks(connection: sqlite3.Connection, space: str | None = None) -> tuple[CodebookInfo, ...]:
    """Return all codebooks of a space, the newest last; of all spaces for None.

    Raises:
        IndexCorruptError: what the catalog says of one is damaged, or cannot be.
    """
    rows = connection.execute(
        f"SELECT {_CODEBOOKS}, checksum FROM codebooks "
        "WHERE :space IS NULL OR space = :space ORDER BY born, name",
        {"space": space},
    ).fetchall()
    return tuple([_codebook(*row) for row in rows])


def codebook_names(connection: sqlite3.Connection, space: str) -> tuple[str, ...]:
    """Return the names of all codebooks of a space, the newest last."""
    names = connection.execute(
        "SELECT name FROM codebooks WHERE space = ? ORDER BY born, name", (space,)
    ).fetchall()
    return tuple([check_name(name) for (name,) in names])


def insert_codebook(
    connection: sqlite3.Connection, info: CodebookInfo, generation: int, space: str
) -> None:
    """Add a codebook of a space that is born in a generation."""
    description = _description(info, "name", "files")
    row = (info.name, description, _write_files(info.files), generation, space)
    connection.execute(
        f"INSERT INTO codebooks ({_CODEBOOKS}, checksum) VALUES (?, ?, ?, ?, ?, ?)",
        (*row, row_sum(*row)),
    )


def drop_codebooks(connection: sqlite3.Connection) -> None:
    """Forget codebooks that no segment names, but the newest two of each space.

    The last but one may be in use by a writer that has not come to its commit yet.
    """
    used = {info.codebook for info in every_segment(connection)}
    known: set[str] = set()
    for (space,) in connection.execute("SELECT DISTINCT space FROM codebooks").fetchall():
        names = codebook_names(connection, space)
        used.update(names[-2:])
        known.update(names)
    for name in known - used:
        connection.execute("DELETE FROM codebooks WHERE name = ?", (name,))


def _segment(
    name: Any, passages: Any, vectors: Any, files: Any, born: Any, died: Any, description: Any,
    space: Any, checksum: Any,
) -> SegmentInfo:  # fmt: skip
    if checksum != row_sum(name, passages, vectors, files, born, died, description, space):
        raise damaged_row(f"segment {name!a:.100}")
    known = {"name": check_name(name), "passages": passages, "vectors": vectors}
    return _read(SegmentInfo, known, description, files)


def _codebook(
    name: Any, description: Any, files: Any, born: Any, space: Any, checksum: Any
) -> CodebookInfo:
    if checksum != row_sum(name, description, files, born, space):
        raise damaged_row(f"codebook {name!a:.100}")
    info = _read(CodebookInfo, {"name": check_name(name)}, description, files)
    array_names(info.files)
    return info


def _read(kind: type[Info], known: Mapping[str, Any], description: Any, files: Any) -> Info:
    """Make what is known of a folder; the info itself refuses values that cannot be."""
    what = f"what describes {known['name']}"
    described = stored_json(what, description)
    names = {one.name for one in fields(kind)} - {*known, "files"}
    if not isinstance(described, dict) or set(described) != names:
        raise IndexCorruptError(f"{what} in the catalog has other keys than {names}. {REMEDY}")
    return kind(**known, files=_read_files(what, files), **described)


def _description(info: SegmentInfo | CodebookInfo, *others: str) -> str:
    return json.dumps({key: value for key, value in vars(info).items() if key not in others})


def _write_files(files: Mapping[str, FileInfo]) -> str:
    return json.dumps({key: asdict(file) for key, file in files.items()})


def _read_files(what: str, files: Any) -> dict[str, FileInfo]:
    parsed = stored_json(what, files)
    if not isinstance(parsed, dict) or not all(
        isinstance(file, dict) and set(file) == {"size", "sha256"} for file in parsed.values()
    ):
        raise IndexCorruptError(f"{what} in the catalog lists no files with sizes. {REMEDY}")
    return {key: FileInfo(**file) for key, file in parsed.items()}
