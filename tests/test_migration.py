"""Indexes of the format before compression are brought to this one when they are opened."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever, compaction
from lfm2_colbert_rag.errors import IndexFormatError
from lfm2_colbert_rag.index.codec import Codec
from lfm2_colbert_rag.schema import FORMAT_VERSION
from lfm2_colbert_rag.verification import verify_folder

from .grown import add, answers, assert_same, compress_early, grow, held, kinds, sentences

TABLES = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generations (
    generation INTEGER PRIMARY KEY, created TEXT NOT NULL,
    added INTEGER NOT NULL, removed INTEGER NOT NULL
);
CREATE TABLE segments (
    name TEXT PRIMARY KEY, passages INTEGER NOT NULL, tokens INTEGER NOT NULL,
    files TEXT NOT NULL, born INTEGER NOT NULL, died INTEGER
) WITHOUT ROWID;
CREATE TABLE passages (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, text TEXT NOT NULL,
    metadata TEXT NOT NULL, windows INTEGER NOT NULL, tokens INTEGER NOT NULL,
    born INTEGER NOT NULL, died INTEGER
);
CREATE INDEX passages_by_id ON passages (id);
CREATE UNIQUE INDEX passages_live_id ON passages (id) WHERE died IS NULL;
CREATE INDEX passages_by_death ON passages (died) WHERE died IS NOT NULL;
PRAGMA application_id = 0x4C464D32;
PRAGMA user_version = 2;
"""
COLUMNS = {
    "generations": "generation, created, added, removed",
    "segments": "name, passages, tokens, files, born, died",
    "passages": "row, id, text, metadata, windows, tokens, born, died",
}


def as_format_2(folder: Path) -> None:
    """Write an exact index's catalog anew with the tables and settings of format 2."""
    old = folder / "newer.sqlite"
    (folder / "catalog.sqlite").rename(old)
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.executescript(TABLES)
    connection.execute("ATTACH ? AS newer", (str(old),))
    for table, columns in COLUMNS.items():
        connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM newer.{table}")
    connection.execute(
        "INSERT INTO settings SELECT * FROM newer.settings "
        "WHERE key NOT IN ('index', 'nbits', 'lexical')"
    )
    connection.execute("UPDATE settings SET value = '2' WHERE key = 'format_version'")
    connection.execute("DELETE FROM sqlite_sequence")
    connection.execute("INSERT INTO sqlite_sequence SELECT * FROM newer.sqlite_sequence")
    connection.commit()
    connection.close()
    old.unlink()


@pytest.fixture
def older(folder):
    """Return the folder of an index of format 2: two segments, one passage of them deleted."""
    with Retriever.open(folder, model="hash") as retriever:
        add(retriever, 60)
        add(retriever, 40, seed=1)
        retriever.delete(["s0-7"])
        expected = answers(retriever)
    as_format_2(folder)
    return folder, expected


def user_version(folder: Path) -> int:
    connection = sqlite3.connect(folder / "catalog.sqlite")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return int(version)


def test_an_older_index_answers_as_it_did(older):
    folder, expected = older
    with Retriever.open(folder) as retriever:
        assert answers(retriever) == expected
        stats = retriever.stats()
        assert (stats.format_version, stats.index, stats.passages) == (FORMAT_VERSION, "exact", 99)
        assert retriever.verify() == []
        assert add(retriever, 2, seed=2) == ["s2-0", "s2-1"]
        assert retriever.delete(["s0-8"]) == 1
    assert user_version(folder) == FORMAT_VERSION
    with Retriever.open(folder, index="auto", nbits=4) as again:
        assert len(again) == 100


def test_an_older_index_may_grow_to_a_compressed_one(older, monkeypatch):
    folder, _ = older
    compress_early(monkeypatch)
    with Retriever.open(folder) as retriever:
        add(retriever, 5, seed=2)
        assert set(kinds(retriever)) == {"compressed"}
        retriever.optimize()
        assert kinds(retriever) == ["compressed"]
        assert retriever.search(sentences(60, 0)[5], k=1)[0].id == "s0-5"
        assert retriever.verify() == []


def test_segments_that_were_migrated_are_merged_in_the_order_of_their_rows(older):
    """Also where one of them was written anew before."""
    folder, _ = older
    with Retriever.open(folder) as retriever:
        retriever.delete([f"s0-{number}" for number in range(45)])
        expected = answers(retriever)
        retriever.optimize()
        (live,) = retriever._store.snapshot().segments
        assert (np.diff(live.segment.rows) >= 0).all()
        assert answers(retriever) == expected
        assert retriever.verify() == []


def test_several_may_open_an_older_index_at_once(older):
    folder, expected = older
    found: list[object] = []

    def work() -> None:
        with Retriever.open(folder) as retriever:
            found.append(answers(retriever))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6
    assert verify_folder(folder) == []


def test_an_older_backup_is_restored(older, tmp_path):
    folder, expected = older
    shutil.copytree(folder, tmp_path / "backup")
    before = (tmp_path / "backup" / "catalog.sqlite").read_bytes()
    with Retriever.restore(tmp_path / "backup", tmp_path / "new") as retriever:
        assert answers(retriever) == expected
    assert (tmp_path / "backup" / "catalog.sqlite").read_bytes() == before


def test_fields_that_were_indexed_stay_so(older):
    folder, _ = older
    with Retriever.open(folder) as retriever:
        retriever.create_filter_index("seed")
        expected = [hit.id for hit in retriever.search("w1 w2", k=50, where={"seed": 1})]
        assert len(expected) == 40
    connection = sqlite3.connect(folder / "catalog.sqlite")
    for statement in (
        "DROP TABLE codebooks",
        "DROP TABLE postings",
        "DROP TABLE measurements",
        "ALTER TABLE segments DROP COLUMN description",
        "DELETE FROM settings WHERE key IN ('index', 'nbits', 'lexical')",
        "PRAGMA user_version = 2",
    ):
        connection.execute(statement)
    connection.commit()
    connection.close()
    with Retriever.open(folder) as retriever:
        assert retriever.filter_indexes() == ["seed"]
        assert [h.id for h in retriever.search("w1 w2", k=50, where={"seed": 1})] == expected


def test_codebooks_with_even_levels_are_read_as_they_were(folder, monkeypatch):
    """Format 4 knew no others, and did not say so."""
    compress_early(monkeypatch)
    with monkeypatch.context() as before:
        before.setattr(compaction, "Codec", lambda dim, nbits: Codec(dim, nbits, bent=False))
        with grow(folder) as retriever:
            expected, kept = answers(retriever), held(retriever)
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.execute("UPDATE codebooks SET description = json_remove(description, '$.bent')")
    connection.execute("UPDATE settings SET value = '4' WHERE key = 'format_version'")
    connection.execute("PRAGMA user_version = 4")
    connection.commit()
    connection.close()
    with Retriever.open(folder) as retriever:
        assert answers(retriever) == expected
        assert_same(held(retriever), kept)
        add(retriever, 40, seed=3)
        assert retriever.search(sentences(40, 3)[5], k=1)[0].id == "s3-5"
        retriever.optimize()
        assert retriever.search(sentences(80, 0)[7], k=1)[0].id == "s0-7"
        assert retriever.verify() == []
    assert user_version(folder) == FORMAT_VERSION


def test_the_format_before_that_is_refused(older):
    folder, _ = older
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(IndexFormatError, match=rf"format 1.*reads format {FORMAT_VERSION}"):
        Retriever.open(folder)
    assert user_version(folder) == 1


def test_a_migration_that_fails_leaves_the_older_index(older):
    folder, expected = older
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.execute("CREATE TABLE measurements (in_the_way TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(sqlite3.OperationalError):
        Retriever.open(folder)
    assert user_version(folder) == 2
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.execute("DROP TABLE measurements")
    settings = dict(connection.execute("SELECT key, value FROM settings"))
    connection.close()
    assert json.loads(settings["format_version"]) == 2
    with Retriever.open(folder) as retriever:
        assert answers(retriever) == expected


def test_words_of_an_older_index_are_filled_in_when_asked_for(older):
    """Opening takes a moment; what is written before that is found, too."""
    folder, _ = older
    with Retriever.open(folder) as retriever:
        assert retriever.stats().lexical_pending == 100
        retriever.add(["w1 anew"], ids=["anew"])
        hits = retriever.search("w1 anew", k=200, mode="lexical")
        assert hits[0].id == "anew"
        assert retriever.stats().lexical_pending == 0
        holding = {
            passage.id
            for passage in retriever.get([f"s0-{n}" for n in range(60) if n != 7])
            if "w1" in passage.text.split()
        }
        assert holding <= {hit.id for hit in hits}
        assert "s0-7" not in {hit.id for hit in hits}
        assert retriever.verify() == []


def test_format_3_becomes_this_one(folder):
    with Retriever.open(folder, model="hash", lexical=False) as retriever:
        add(retriever, 30)
        expected = answers(retriever)
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.execute("DROP TABLE postings")
    connection.execute("DELETE FROM settings WHERE key = 'lexical'")
    connection.execute("PRAGMA user_version = 3")
    connection.commit()
    connection.close()
    with Retriever.open(folder) as retriever:
        assert answers(retriever) == expected
        assert retriever.search(sentences(30)[4], mode="lexical")[0].id == "s0-4"
        assert retriever.verify() == []
    assert user_version(folder) == FORMAT_VERSION
