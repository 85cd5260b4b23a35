"""Backups as a hostile or careless hand would write them; each craft changes a sound one."""

from __future__ import annotations

import json
import os
import pickle
import random
import socket
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .damages import ARRAY, change_values
from .folders import find
from .kinds import Kind
from .matrix import CATALOG
from .sealing import open_catalog

Craft = Callable[[Path, random.Random, Path], None]

DEEP = "[" * 100_000 + "]" * 100_000
_VALUES = {
    "nan": float("nan"), "inf": float("inf"), "minus-one": -1, "largest": "largest",
    "smallest": "smallest", "zeros": 0, "shuffled": "shuffled",
}  # fmt: skip
# JSON for a whole cell, and values for a key of an object.
JSONS = (
    "",
    "null",
    "[]",
    "{}",
    "nonsense",
    '"text"',
    "7",
    "NaN",
    "Infinity",
    "1e999",
    DEEP,
    "{" * 9,
)
VALUES = (
    None, True, -1, 0, 2**31, 2**63, 10**30, 1.5, float("nan"), float("inf"), "", "text", [], {},
    [[1]], {"a": {"b": 1}}, "\x00", "../../outside", 1e300,
)  # fmt: skip
CELLS: tuple[Any, ...] = (
    -1, 0, 1, 2**31, 2**62, 2**63 - 1, -(2**63), 1.5, 1e300, "", "text", "\x00", b"\xff\xfe", b"",
    b"\x00" * 100, "7", "é" * 100_000,
)  # fmt: skip
NAMES = (
    "..", ".", "", "/", "../..", "../../outside/folder", "a/b", "a\\b", "a\x00b", "x" * 300, "a\nb",
    "~", "-rf", "CON", "00000001-ABCDEF01 ", "%s", "\ud800".encode("utf-8", "surrogatepass"),
)  # fmt: skip


def crafts(kind: Kind) -> dict[str, dict[str, Craft]]:
    """Return the crafts of a kind of index, in groups from which are chosen alike."""
    arrays = [f"segment/{name}.npy" for name in kind.arrays]
    if kind.compressed:
        from .kinds import CODEBOOK_ARRAYS

        arrays += [f"codebook/{name}.npy" for name in CODEBOOK_ARRAYS]
    groups: dict[str, dict[str, Craft]] = {}
    for role in arrays:
        groups[f"array {role}"] = {
            **{f"{role} {value}": _changed(role, given) for value, given in _VALUES.items()},
            **{f"{role} {name}": _remade(role, make) for name, make in REMADE.items()},
            **{f"{role} {name}": _headed(role, head) for name, head in HEADERS.items()},
        }
    for table, columns in _COLUMNS.items():
        if table != "codebooks" or kind.compressed:
            for column in columns:
                groups[f"cell {table}.{column}"] = dict(_cells(table, column))
    groups["schema"] = dict(_schemas())
    groups["folder"] = dict(_FOLDER)
    return groups


# Arrays, whose checksums are made to agree.


def _changed(role: str, value: float | str) -> Craft:
    def craft(index: Path, chance: random.Random, outside: Path) -> None:
        change_values(find(index, role, chance.randrange(9)), value, chance)

    return craft


REMADE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float64": lambda array: array.astype(np.float64),
    "bytes": lambda array: array.view(np.uint8) if array.size else array.astype(np.uint8),
    "complex": lambda array: array.astype(np.complex64),
    "text": lambda array: array.astype("U4"),
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "column-wise": lambda array: np.asfortranarray(array),
    "longer": lambda array: np.concatenate((array, array[-1:])),
    "shorter": lambda array: array[:-1],
    "none": lambda array: array[:0],
    "flat": lambda array: array.reshape(-1),
    "deeper": lambda array: array[None],
    "single": lambda array: np.array(7, array.dtype),
    "reversed": lambda array: np.ascontiguousarray(array[::-1]),
    "records": lambda array: np.zeros(len(array), [("a", "i4"), ("b", "f4")]),
}


def _remade(role: str, make: Callable[[np.ndarray], np.ndarray]) -> Craft:
    def craft(index: Path, chance: random.Random, outside: Path) -> None:
        path = find(index, role, chance.randrange(9))
        np.save(path, make(np.load(path)), allow_pickle=False)

    return craft


HEADERS = {
    "huge": "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 128), }",
    "negative": "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }",
    "deep": "(" * 5000 + ")" * 5000,
    "a call": "{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').getpid(),), }",
    "empty header": "",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
    "unended": "{'descr': '<f4",
    "bools": "{'descr': '<f4', 'fortran_order': 7, 'shape': (True, True), }",
}


def _headed(role: str, header: str) -> Craft:
    def craft(index: Path, chance: random.Random, outside: Path) -> None:
        path = find(index, role, chance.randrange(9))
        path.write_bytes(npy(header, pickle.dumps([1, 2])))

    return craft


def npy(header: str, content: bytes) -> bytes:
    """Return an ``.npy`` file with a header of one's own."""
    text = header.encode("latin1")
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text) + 1) + text + b"\n" + content


# Cells of the catalog.

_JSON = ("settings.value", "segments.files", "segments.description", "codebooks.files")
_JSON += ("codebooks.description", "passages.metadata", "measurements.value")
_COLUMNS = {
    "settings": ("key", "value"),
    "generations": ("generation", "created", "added", "removed"),
    "segments": ("name", "passages", "tokens", "files", "born", "died", "description"),
    "passages": ("row", "id", "text", "metadata", "windows", "tokens", "born", "died"),
    "codebooks": ("name", "description", "files", "born"),
    "measurements": ("value",),
    "postings": ("term", "first", "last", "entries"),
    "recent_postings": ("last", "first", "lists"),
}


def _cells(table: str, column: str) -> Iterator[tuple[str, Craft]]:
    name = f"{table}.{column}"
    for place, value in enumerate(CELLS):
        yield f"{name} cell {place}", _cell(table, column, value)
    yield f"{name} null", _cell(table, column, None)
    yield f"{name} gone", _emptied(table)
    if column == "name":
        for place, value in enumerate(NAMES):
            yield f"{name} name {place}", _cell(table, column, value)
        yield f"{name} victim", _victim(table)
    if name in _JSON:
        for place, text in enumerate(JSONS):
            yield f"{name} json {place}", _cell(table, column, text)
        for place, value in enumerate(VALUES):
            yield f"{name} value {place}", _key(table, column, value)
        yield f"{name} key gone", _key(table, column, KeyError)
        yield f"{name} key climbs", _key(table, column, LookupError)


def _cell(table: str, column: str, value: Any) -> Craft:
    """Return a craft that puts a value into one cell, whatever the table allows."""

    def craft(index: Path, chance: random.Random, outside: Path) -> None:
        with closing(open_catalog(index)) as catalog, _anything_allowed(catalog, table):
            keys = catalog.execute(f"SELECT {_key_of(table)} FROM {table}").fetchall()
            if not keys and table == "measurements":
                catalog.execute("INSERT INTO measurements VALUES ('recall', '{}', 0)")
                keys = [("recall",)]
            if keys:
                catalog.execute(
                    f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {_key_of(table)} = ?",
                    (value, *chance.choice(keys)),
                )

    return craft


def _key_of(table: str) -> str:
    return {
        "settings": "key", "generations": "generation", "passages": "row", "measurements": "key",
        "postings": "term", "recent_postings": "last",
    }.get(table, "name")  # fmt: skip


@contextmanager
def _anything_allowed(catalog: sqlite3.Connection, table: str) -> Iterator[None]:
    """Let a table hold what its definition forbids, as a hand may; it looks as before then."""
    before = "SELECT sql FROM sqlite_master WHERE name = ?"
    [(definition,)] = catalog.execute(before, (table,)).fetchall()
    _define(catalog, table, definition.replace(" NOT NULL", ""))
    yield
    _define(catalog, table, definition)


def _define(catalog: sqlite3.Connection, table: str, definition: str) -> None:
    catalog.execute("PRAGMA writable_schema = ON")
    catalog.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (definition, table))
    catalog.execute("PRAGMA writable_schema = RESET")


def _emptied(table: str) -> Craft:
    return _statement(f"DELETE FROM {table}")


def _victim(table: str) -> Craft:
    """Return a craft that names a folder outside that looks like one of the index."""

    def craft(index: Path, chance: random.Random, outside: Path) -> None:
        folder = sorted((index / table).iterdir())[0]
        folder.rename(outside / "victim")
        with closing(open_catalog(index)) as catalog:
            target = chance.choice((str((outside / "victim").resolve()), "../../../outside/victim"))
            catalog.execute(f"UPDATE {table} SET name = ? WHERE name = ?", (target, folder.name))

    return craft


def _key(table: str, column: str, value: Any) -> Craft:
    """Return a craft that changes one key of a JSON object of a cell."""

    def craft(index: Path, chance: random.Random, outside: Path) -> None:
        with closing(open_catalog(index)) as catalog:
            rows = catalog.execute(f"SELECT {_key_of(table)}, {column} FROM {table}").fetchall()
            if not rows:
                return
            row, text = chance.choice(rows)
            content = json.loads(text)
            if isinstance(content, dict) and content:
                inner = chance.choice(sorted(content))
                holder = content
                if isinstance(content[inner], dict) and content[inner] and chance.random() < 0.7:
                    holder = content[inner]
                    inner = chance.choice(sorted(holder))
                if value is KeyError:
                    del holder[inner]
                elif value is LookupError:
                    holder[f"../{inner}"] = holder.pop(inner)
                else:
                    holder[inner] = value
            else:
                content = None if isinstance(value, type) else value
            catalog.execute(
                f"UPDATE {table} SET {column} = ? WHERE {_key_of(table)} = ?",
                (json.dumps(content), row),
            )

    return craft


# What else a database may bring.

_STATEMENTS = {
    "trigger on insert": "CREATE TRIGGER t AFTER INSERT ON passages BEGIN "
    "DELETE FROM settings; END",
    "trigger on delete": "CREATE TRIGGER t AFTER UPDATE ON passages BEGIN "
    "UPDATE passages SET text = 'mine'; END",
    "trigger on generations": "CREATE TRIGGER t AFTER INSERT ON generations BEGIN "
    "INSERT INTO passages (id, text, metadata, language, windows, tokens, born) "
    "VALUES ('evil', 'evil', '{}', 'en', 1, 1, 0); END",
    "view": "ALTER TABLE measurements RENAME TO m; CREATE VIEW measurements AS SELECT * FROM m",
    "view of passages": "ALTER TABLE passages RENAME TO p; CREATE VIEW passages AS SELECT * FROM p",
    "endless view": "DROP TABLE measurements; CREATE VIEW measurements AS WITH RECURSIVE "
    "n(key, value) AS (SELECT 1, 1 UNION ALL SELECT key + 1, 1 FROM n) SELECT * FROM n",
    "endless settings": "ALTER TABLE settings RENAME TO s; CREATE VIEW settings AS WITH RECURSIVE "
    "n(key, value) AS (SELECT 'a', '1' UNION ALL SELECT key || 'a', '1' FROM n) SELECT * FROM n",
    "extra table": "CREATE TABLE extra (a, b)",
    "extra column": "ALTER TABLE passages ADD COLUMN extra TEXT DEFAULT 'x'",
    "extra column of segments": "ALTER TABLE segments ADD COLUMN extra TEXT NOT NULL DEFAULT 'x'",
    "no index": "DROP INDEX passages_by_id",
    "no unique index": "DROP INDEX passages_live_id",
    "other unique index": "CREATE UNIQUE INDEX other ON passages (born)",
    "index of an expression": "CREATE INDEX other ON passages (json_extract(metadata, '$.lang'))",
    "no measurements": "DROP TABLE measurements",
    "no postings": "DROP TABLE postings",
    "no recent postings": "DROP TABLE recent_postings",
    "no passages": "DROP TABLE passages",
    "no settings": "DROP TABLE settings",
    "no segments": "DROP TABLE segments",
    "no generations": "DROP TABLE generations",
    "no codebooks": "DROP TABLE codebooks",
    "no sequence": "DELETE FROM sqlite_sequence",
    "odd sequence": "UPDATE sqlite_sequence SET seq = 'x'",
    "low sequence": "UPDATE sqlite_sequence SET seq = 1",
    "high sequence": "UPDATE sqlite_sequence SET seq = 9223372036854775807",
    "version 0": "PRAGMA user_version = 0",
    "next version": "PRAGMA user_version = 99",
    "negative version": "PRAGMA user_version = -1",
    "no application": "PRAGMA application_id = 0",
    "renamed column": "ALTER TABLE passages RENAME COLUMN tokens TO vectors",
    "dropped column": "ALTER TABLE generations DROP COLUMN removed",
    "filter tables": "DROP TABLE IF EXISTS filter_values",
    "filter fields": "UPDATE filter_indexes SET path = 'nonsense'",
    "filter trigger": "DROP TRIGGER IF EXISTS filter_values_of_new",
    "virtual table": "CREATE VIRTUAL TABLE extra USING fts5(a)",
    "doubled ids": "DROP INDEX passages_live_id; UPDATE passages SET id = 'a0'",
    "other page size": "PRAGMA page_size = 512; VACUUM",
    "all dead": "UPDATE passages SET died = 1",
    "all reborn": "DROP INDEX passages_live_id; UPDATE passages SET died = NULL",
    "segments reborn": "UPDATE segments SET died = NULL, born = 0",
    "segments dead": "UPDATE segments SET died = 1",
    "far generation": "INSERT INTO generations (generation, created, added, removed) "
    "VALUES (9223372036854775807, 'x', 0, 0)",
}


def _schemas() -> Iterator[tuple[str, Craft]]:
    for name, statement in _STATEMENTS.items():
        yield f"schema {name}", _statement(statement)


def _statement(text: str) -> Craft:
    def craft(index: Path, chance: random.Random, outside: Path) -> None:
        with closing(open_catalog(index)) as catalog:
            catalog.executescript(text)

    return craft


# What a folder may bring.


def _sparse(index: Path, chance: random.Random, outside: Path) -> None:
    with (index / "segments" / "large").open("wb") as file:
        file.truncate(200 << 20)


def _socket(index: Path, chance: random.Random, outside: Path) -> None:
    here = Path.cwd()
    os.chdir(index)  # the names of sockets must be short
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind("socket")
    finally:
        os.chdir(here)


def _put(where: str, what: Callable[[Path, Path], None]) -> Craft:
    def craft(index: Path, chance: random.Random, outside: Path) -> None:
        path = find(index, where, chance.randrange(9))
        if path.is_dir() and not path.is_symlink():
            path.rename(path.with_name(f"{path.name}-moved"))
        else:
            path.unlink(missing_ok=True)
        what(path, outside)

    return craft


_THINGS: dict[str, Callable[[Path, Path], None]] = {
    "link to a secret": lambda path, outside: path.symlink_to(outside / "secret.txt"),
    "link to a folder": lambda path, outside: path.symlink_to(outside / "folder"),
    "link to nothing": lambda path, outside: path.symlink_to(outside / "absent"),
    "link to itself": lambda path, outside: path.symlink_to(path.name),
    "link to zeros": lambda path, outside: path.symlink_to("/dev/zero"),
    "FIFO": lambda path, outside: os.mkfifo(path),
    "folder": lambda path, outside: path.mkdir(),
}
_PLACES = (CATALOG, "extra", "segments", "segment/", "segment/windows.npy", "segment/extra.npy")
_PLACES += ("writer.lock", "writer.json", "staging", f"{CATALOG}-wal", "segments/extra")
_FOLDER: dict[str, Craft] = {
    **{
        f"folder {what} at {where}": _put(where, make)
        for what, make in _THINGS.items()
        for where in _PLACES
    },
    "folder sparse": _sparse,
    "folder socket": _socket,
}
assert ARRAY.keys() == _VALUES.keys()
