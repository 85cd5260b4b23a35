"""Backups that were written to do damage, with checksums that agree, do none.

Whatever a catalog or an array says: it is refused by name, or it is an index like any other; and
nothing outside of its folder is touched. ``LFM2_COLBERT_CRAFTED`` says how many are drawn of each
kind of index.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfm2_colbert_rag import QueryAdapter, Retriever
from lfm2_colbert_rag.encoder.query_adapter import weights_of
from lfm2_colbert_rag.errors import IndexCorruptError, LFM2ColBERTError
from lfm2_colbert_rag.index.arrays import _describe
from lfm2_colbert_rag.storage.verification import verify_folder
from lfm2_colbert_rag.testing import HashEncoder

from ..conftest import CORPUS, METADATA
from ..grown import add, compress_early
from ..sealing import tampering
from ..windows import makes_links

DRAWN = int(os.environ.get("LFM2_COLBERT_CRAFTED", "5"))
KINDS = ("exact", "plain", "compressed")
TABLES = ("settings", "generations", "segments", "codebooks", "passages", "postings",
          "recent_postings", "measurements", "filter_indexes", "filter_values",
          "spaces", "sizes", "sqlite_sequence")  # fmt: skip
SCHEMA_CHANGES = (
    "CREATE TRIGGER t AFTER UPDATE ON passages BEGIN DELETE FROM generations; END",
    "CREATE TRIGGER t AFTER INSERT ON generations BEGIN DELETE FROM passages; END",
    "CREATE VIEW v AS SELECT * FROM passages",
    "CREATE TABLE more (x)",
    "CREATE INDEX i ON passages (text)",
    "CREATE INDEX i ON passages (casefold(text))",
    "CREATE VIRTUAL TABLE f USING fts5(x)",
    "ALTER TABLE passages ADD COLUMN extra",
    "ALTER TABLE segments RENAME COLUMN files TO file",
    "ALTER TABLE passages ADD COLUMN g AS (row + 1)",
    "DROP TABLE codebooks",
    "DROP TABLE generations",
    "DROP INDEX passages_live_id",
    "ALTER TABLE settings RENAME TO s; CREATE VIEW settings AS SELECT * FROM s",
    "PRAGMA user_version = 1",
    "PRAGMA user_version = -1",
    "DELETE FROM generations",
    "DELETE FROM settings",
    "DELETE FROM settings WHERE key = 'dim'",
    "DELETE FROM sqlite_sequence",
    "INSERT INTO settings VALUES ('more', '1', 0)",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a backup of each kind of index."""
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        compress_early(patch)
        for kind in KINDS:
            first = "hash:1" if kind == "plain" else "hash"
            with Retriever.open(root / f"{kind}.index", model=first, lexical=kind != "plain") as r:
                if kind != "plain":
                    r.create_filter_index("lang")
                if kind == "compressed":
                    add(r, 60)
                    add(r, 12, seed=1)
                r.add(list(CORPUS.values()), ids=list(CORPUS), metadata=list(METADATA.values()))
                r.delete(["kaffee"])
                if kind == "plain":  # another model served before
                    r.migrate("hash")
                for number in (1, 2) if kind == "exact" else ():
                    matrix = np.roll(np.eye(32, dtype=np.float32), number, axis=0)
                    r.migrate(QueryAdapter(matrix, weights_of(HashEncoder()), "always"))
                r.backup(root / kind)
    return {kind: root / kind for kind in KINDS}


@pytest.fixture
def victim(tmp_path: Path, made: dict[str, Path]) -> Path:
    """Return a folder with an index that nobody else may touch."""
    victim = tmp_path / "victim"
    shutil.copytree(made["exact"], victim)
    return victim


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return what lies in a folder."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def hostile(chance: random.Random, victim: Path, old: Any) -> Any:
    """Return something else than what stands in a cell."""
    numbers = [-1, 0, 1, 2, 7, 2**31, 2**62, -(2**63), 0.5, float("inf"), None, b"\xff\x00"]
    texts = ["", "x", "null", "[]", "{}", "NaN", "1e999", "9" * 5000, "[" * 5000, "\0"]
    texts += ["../victim", str(victim), '{"a": 1, "a": 2}']
    texts += [str(path) for path in (victim / "segments").iterdir()]
    if isinstance(old, int | float) and chance.random() < 0.5:
        return old + chance.choice([-1, 1, 1000, -(10**6), 10**15])
    if isinstance(old, bytes):
        spoilt = bytearray(old or b"\0")
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        return chance.choice([bytes(spoilt), b"", old[:-1], old * 2, b"\xff" * 40])
    if isinstance(old, str) and chance.random() < 0.6:
        with suppress(ValueError):
            return json.dumps(spoil(chance, json.loads(old), [*numbers[:-1], *texts]))
    return chance.choice([*numbers, *texts])


def spoil(chance: random.Random, value: Any, others: list[Any]) -> Any:
    """Change something within a JSON value."""
    if isinstance(value, dict) and value:
        key = chance.choice(sorted(value))
        how = chance.random()
        if how < 0.15:
            return {name: one for name, one in value.items() if name != key}
        if how < 0.25:
            return {**value, chance.choice(["more", "../x", "/etc/passwd"]): value[key]}
        return {**value, key: spoil(chance, value[key], others)}
    return chance.choice([*others, [], {}, True, [1], {"a": None}])


def change_cell(chance: random.Random, connection: sqlite3.Connection, victim: Path) -> str:
    """Write something into some cell of the catalog; returns what."""
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    table = chance.choice([one for one in TABLES if one in found])
    cursor = connection.execute(f"SELECT * FROM {table}")
    columns = [one[0] for one in cursor.description if one[0] not in ("checksum", "content")]
    rows = cursor.fetchall()
    if not rows:
        return f"{table} is empty"
    column, row = chance.choice(columns), chance.choice(rows)
    names = [one[0] for one in cursor.description]
    value = hostile(chance, victim, row[names.index(column)])
    where = " AND ".join(f"{name} IS ?" for name in names)
    with suppress(sqlite3.IntegrityError, OverflowError):
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value, *row))
    return f"{table}.{column} = {value!r:.60}"


def change_array(chance: random.Random, connection: sqlite3.Connection, folder: Path) -> str:
    """Change something of some array, and let the catalog think that it was always so."""
    path = chance.choice(sorted(folder.glob("*/*/*.npy")))
    array = np.array(np.load(path))
    flat = array.reshape(-1)
    how = chance.choice(["one", "all", "short", "long", "type", "rank"])
    if how in ("one", "all") and flat.size:
        part = slice(None) if how == "all" else chance.randrange(flat.size)
        limits = np.iinfo(array.dtype) if array.dtype.kind in "iu" else np.finfo(array.dtype)
        values = [limits.max, limits.min, 0, 1]
        values += [float("nan"), float("inf")] if array.dtype.kind == "f" else []
        flat[part] = chance.choice(values)
    with np.errstate(invalid="ignore"):
        other = array.astype(chance.choice([np.int64, np.uint8, np.float32]))
    array = {
        "short": array[:-1],
        "long": np.concatenate([array, array]),
        "type": other,
        "rank": array[None],
    }.get(how, array)
    np.save(path, array)
    file = _describe(path)
    table = path.parent.parent.name
    connection.execute(
        f"UPDATE {table} SET files = json_set(files, '$.{path.stem}', json(?)) WHERE name = ?",
        (json.dumps({"size": file.size, "sha256": file.sha256}), path.parent.name),
    )
    return f"{path.parent.parent.name}/{path.name}: {how}"


def use(retriever: Retriever) -> None:
    """Do everything that there is with an index."""
    for mode in ("late", "lexical", "hybrid"):
        retriever.search("the reset key of w1 w2", k=50, mode=mode)
    retriever.search("router", where={"lang": "en"})
    retriever.search("router", where={"year": {"$gt": 2000}})
    retriever.get([*CORPUS])
    retriever.count({"lang": "es"})
    list(retriever.passages())
    retriever.stats()
    retriever.add(["a new text"], ids=["new"], metadata=[{"lang": "en"}])
    retriever.delete(["reset"])
    retriever.optimize(forget_after=0.0)
    retriever.search("new text", k=50)
    retriever.migration()
    if retriever.migration().can_roll_back:
        retriever.rollback()
        retriever.search("new text", k=50)
        retriever.purge()


def outcome(folder: Path, target: Path) -> str:
    """Restore and use a backup, then use the folder itself; only named errors are accepted."""
    restored = True
    try:
        retriever = Retriever.restore(folder, target, model=HashEncoder())
    except LFM2ColBERTError:
        restored = False
    else:
        with retriever:
            assert retriever.verify() == []
            with suppress(LFM2ColBERTError):
                use(retriever)
    with suppress(LFM2ColBERTError):
        verify_folder(folder)
    with (
        suppress(LFM2ColBERTError),
        Retriever.open(folder, model=HashEncoder(), read_only=True) as opened,
    ):
        use(opened)
    with suppress(LFM2ColBERTError), Retriever.open(folder, model=HashEncoder()) as opened:
        use(opened)
    shutil.rmtree(target, ignore_errors=True)
    return "restored" if restored else "refused"


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_drawn_does_no_harm(made, victim, tmp_path, kind):
    before = files(victim)
    told = []
    for seed in range(DRAWN):
        chance = random.Random(f"{kind} {seed}")
        folder = tmp_path / "crafted"
        shutil.copytree(made[kind], folder)
        with tampering(folder) as connection:
            if chance.random() < 0.6:
                told.append(change_cell(chance, connection, victim))
            else:
                told.append(change_array(chance, connection, folder))
        try:
            outcome(folder, tmp_path / "restored")
        except Exception as error:
            error.add_note(f"{kind}, seed {seed}: {told[-1]}")
            raise
        assert files(victim) == before, told[-1]
        shutil.rmtree(folder)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["victim"], told[-1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pooling_rule", {"same_token": "text"}),
        ("pooling_rule", {"same_token": 2, "common_from": 0.1, "shrinking": 0.5}),
        ("pooling_rule", {"unknown": 1}),
        ("pool_fit", {}),
        ("pool_fit", {"distance": "far", "common": {}}),
        ("pool_fit", {"distance": 0.1, "common": {"a": 1}}),
        ("pool_fit", {"distance": 0.1, "common": [1]}),
        ("fusion", {"weight": "16"}),
        ("fusion", {"weight": 16, "minimum": 0.9, "enough": 0.1}),
        ("fusion", {"weights": 1}),
    ],
)
def test_what_an_index_was_tuned_to_is_checked(made, tmp_path, key, value):
    """By whoever restores, opens or verifies it, and not by the next who adds or asks."""
    folder = tmp_path / "crafted"
    shutil.copytree(made["plain"], folder)
    with tampering(folder) as connection:
        connection.execute(
            "INSERT OR REPLACE INTO settings VALUES (?, ?, 0)", (key, json.dumps(value))
        )
    with pytest.raises(IndexCorruptError, match=key):
        Retriever.restore(folder, tmp_path / "restored", model=HashEncoder())
    with pytest.raises(IndexCorruptError, match=key):
        Retriever.open(folder, model=HashEncoder())
    assert any(key in problem for problem in verify_folder(folder))


@pytest.mark.parametrize("change", SCHEMA_CHANGES)
def test_another_schema_is_refused(made, tmp_path, change):
    folder = tmp_path / "crafted"
    shutil.copytree(made["exact"], folder)
    with tampering(folder, sealed=False) as connection:
        connection.create_function("casefold", 1, str.casefold, deterministic=True)
        connection.executescript(change)
    with pytest.raises(LFM2ColBERTError):
        Retriever.open(folder, model=HashEncoder())
    with pytest.raises(LFM2ColBERTError):
        Retriever.restore(folder, tmp_path / "new", model=HashEncoder())
    with suppress(LFM2ColBERTError):
        assert verify_folder(folder)


def test_a_name_leads_nowhere(made, victim, tmp_path):
    """An absolute name had its segment read, and removed, in another index."""
    before = files(victim)
    folder = tmp_path / "crafted"
    shutil.copytree(made["exact"], folder)
    segment = next((victim / "segments").iterdir())
    for name in (str(segment.resolve()), f"../../victim/segments/{segment.name}", "a\0b", ".", ""):
        with tampering(folder) as connection:
            connection.execute("UPDATE segments SET name = ?", (name,))
        shutil.rmtree(folder / "segments", ignore_errors=True)
        for act in (
            lambda: Retriever.restore(folder, tmp_path / "new"),
            lambda: Retriever.open(folder),
        ):
            with pytest.raises(
                IndexCorruptError, match="names a segment, a codebook or an adapter"
            ):
                act()
        assert "names a segment" in verify_folder(folder)[0]
    assert files(victim) == before


@makes_links
@pytest.mark.parametrize("place", ["catalog.sqlite", "segments", "segment", "file", "log"])
@pytest.mark.parametrize("what", ["link", "fifo"])
def test_only_files_and_folders_are_read(made, victim, tmp_path, place, what):
    folder = tmp_path / "crafted"
    shutil.copytree(made["exact"], folder)
    segment = next((folder / "segments").iterdir())
    path = {
        "catalog.sqlite": folder / "catalog.sqlite",
        "segments": folder / "segments",
        "segment": segment,
        "file": segment / "spans.npy",
        "log": folder / "catalog.sqlite-wal",
    }[place]
    theirs = victim / path.relative_to(folder)
    if place == "log":
        theirs.write_bytes(b"precious")
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if what == "link":
        path.symlink_to(theirs)
    else:
        os.mkfifo(path)
    before = files(victim)
    with pytest.raises(LFM2ColBERTError):
        Retriever.restore(folder, tmp_path / "new")
    with pytest.raises(LFM2ColBERTError):
        Retriever.open(folder)
    with suppress(LFM2ColBERTError):
        assert verify_folder(folder)
    assert files(victim) == before


@makes_links
def test_a_backup_with_a_link_in_it_is_refused(made, tmp_path):
    folder = tmp_path / "crafted"
    shutil.copytree(made["exact"], folder)
    (folder / "zeros").symlink_to("/dev/zero")
    with pytest.raises(IndexCorruptError, match="zeros is a link"):
        Retriever.restore(folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_lies_beside_the_index_is_not_taken_along(made, tmp_path):
    folder = tmp_path / "crafted"
    shutil.copytree(made["exact"], folder)
    (folder / "segments" / "fff").mkdir()
    (folder / "segments" / "fff" / "big.npy").write_bytes(bytes(10))
    Retriever.restore(folder, tmp_path / "new").close()
    assert not (tmp_path / "new" / "segments" / "fff").exists()


@pytest.mark.parametrize(
    "act",
    [
        lambda one, _: one.add(["two"], ids=["2"]),
        lambda one, _: one.delete(["1"]),
        lambda one, folder: one.backup(folder / "a.backup"),
    ],
    ids=["add", "delete", "backup"],
)
def test_a_header_that_forbids_writing_is_damage_and_no_missing_right(tmp_path, act):
    with Retriever.open(tmp_path / "an.index", model="hash") as retriever:
        retriever.add(["one"], ids=["1"])
    catalog = tmp_path / "an.index" / "catalog.sqlite"
    header = bytearray(catalog.read_bytes())
    header[18] = 7  # how to write it; a version that nobody knows may only be read
    catalog.write_bytes(header)
    with Retriever.open(tmp_path / "an.index") as retriever:
        assert retriever.search("one")[0].id == "1"
        with pytest.raises(IndexCorruptError, match=r"catalog\.sqlite is damaged"):
            act(retriever, tmp_path)
