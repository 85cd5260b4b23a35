"""What is changed in a catalog is found: at opening where it is small, or when it is read."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexCorruptError, LFM2ColBERTError
from lfm2_colbert_rag.storage import inspection
from lfm2_colbert_rag.storage.checksums import (
    block_sum,
    content_sum,
    list_seed,
    row_sum,
    state_sql,
    state_sum,
)
from lfm2_colbert_rag.storage.verification import verify_folder

from ..conftest import CORPUS, METADATA, fill
from ..grown import add, compress_early
from ..sealing import tampering

NUMBERS = st.integers(0, 2**48)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.none() | NUMBERS)
def test_sql_and_python_agree_on_the_state(row, windows, tokens, born, died):
    values = (row, windows, tokens, born, died)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (row, windows, tokens, born, died)")
        connection.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", values)
        (found,) = connection.execute(f"SELECT {state_sql()} FROM t").fetchone()
    assert found == state_sum(*values)


@given(st.tuples(NUMBERS, TEXTS, TEXTS, TEXTS, st.just("en")), st.data())
def test_text_that_moves_to_another_column_is_noticed(row, data):
    number, id, text, metadata, language = row
    joined = id + text + metadata
    one, other = sorted(data.draw(st.tuples(*[st.integers(0, len(joined))] * 2)))
    moved = (joined[:one], joined[one:other], joined[other:])
    same = moved == (id, text, metadata)
    assert (content_sum(number, *moved, language) == content_sum(*row)) == same
    assert content_sum(number + 1, *row[1:]) != content_sum(*row)
    assert content_sum(*row[:-1], "eu") != content_sum(*row)


@given(NUMBERS, NUMBERS, st.binary(min_size=1), st.integers(0, 47))
def test_every_bit_of_a_block_counts(first, last, entries, bit):
    seed = list_seed("a")
    known = block_sum(seed, first, last, entries)
    assert block_sum(seed, first ^ 1 << bit, last, entries) != known
    assert block_sum(seed, first, last ^ 1 << bit, entries) != known
    assert block_sum(list_seed("b"), first, last, entries) != known
    for wrong in ("x", None, 1.5):
        with pytest.raises(TypeError):
            block_sum(seed, wrong, last, entries)
    assert row_sum("a", 1) != row_sum("a", "1") != row_sum("a1")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return an index with something in every table."""
    folder = tmp_path_factory.mktemp("made") / "index"
    with pytest.MonkeyPatch.context() as patch:
        compress_early(patch)
        with Retriever.open(folder, model="hash") as retriever:
            retriever.create_filter_index("lang")
            add(retriever, 300)  # more than are kept apart from the posting lists
            retriever.optimize()
            retriever.add(list(CORPUS.values()), ids=list(CORPUS), metadata=list(METADATA.values()))
            retriever.delete(["kaffee"])
            retriever.measure_recall()
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return folder


def cells(folder):
    """Yield a cell of every column of every table, in a row in the midst of it."""
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            cursor = connection.execute(f"SELECT * FROM {table}")
            columns, rows = [one[0] for one in cursor.description], cursor.fetchall()
            if rows:
                row = rows[len(rows) // 2]
                for column, value in zip(columns, row, strict=True):
                    yield table, columns, row, column, value


def another(value):
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return 1 if value is None else value ^ 1 if isinstance(value, int) else value + 1


def test_another_value_in_any_cell_is_found(made):
    file = made / "catalog.sqlite"
    sound = file.read_bytes()
    assert verify_folder(made) == []
    seen = set()
    for table, columns, row, column, value in list(cells(made)):
        with tampering(made, sealed=False) as connection:
            where = " AND ".join(f"{name} IS ?" for name in columns)
            try:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {where}", (another(value), *row)
                )
            except sqlite3.IntegrityError:
                continue
        assert verify_folder(made) != [], (table, column)
        with pytest.raises(IndexCorruptError):
            Retriever.open(made)
        seen.add(table)
        for path in made.glob("catalog.sqlite-*"):
            path.unlink()
        file.write_bytes(sound)
    assert verify_folder(made) == []
    assert {"passages", "settings", "segments", "codebooks", "generations", "postings"} <= seen
    assert {"recent_postings", "measurements", "filter_values", "filter_indexes"} <= seen


def test_of_a_large_catalog_what_is_read_is_looked_at(folder, monkeypatch):
    monkeypatch.setattr(inspection, "OPENING_BUDGET", 0)
    with Retriever.open(folder, model="hash") as retriever:
        fill(retriever)
    with tampering(folder, sealed=False) as connection:
        connection.execute("UPDATE passages SET text = replace(text, 'nine', 'five')")
        connection.execute("UPDATE recent_postings SET lists = CAST(lists || x'00' AS BLOB)")
    with Retriever.open(folder) as retriever:
        assert retriever.get(["reset"])
        for read in (
            lambda: retriever.get(["library"]),
            lambda: retriever.search("opens at nine", k=5),
            lambda: list(retriever.passages()),
            lambda: retriever.export(folder.with_name("export")),
            lambda: retriever.search("router", mode="lexical", where={"lang": "es"}),
        ):
            with pytest.raises(IndexCorruptError, match=r"library|posting list"):
                read()
        problems = retriever.verify()
    assert any("'library'" in problem and "checksum differs" in problem for problem in problems)
    assert any("posting list" in problem for problem in problems)


def test_damage_of_any_byte_of_a_small_catalog_changes_no_answer(folder):
    """Flip a byte here and there: refused, or the same answer."""
    with Retriever.open(folder, model="hash") as retriever:
        fill(retriever)
        wanted = [(hit.id, hit.text, hit.metadata) for hit in retriever.search("router", k=9)]
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    sound = (folder / "catalog.sqlite").read_bytes()
    step = int(os.environ.get("LFM2_COLBERT_BYTES", "1499"))
    for place in range(0, len(sound), step):
        spoilt = bytearray(sound)
        spoilt[place] ^= 0x11
        (folder / "catalog.sqlite").write_bytes(spoilt)
        try:
            with Retriever.open(folder, model="hash", read_only=True) as opened:
                hits = opened.search("router", k=9)
                assert [(hit.id, hit.text, hit.metadata) for hit in hits] == wanted, place
        except LFM2ColBERTError:
            continue
