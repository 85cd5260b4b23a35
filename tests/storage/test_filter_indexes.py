"""Indexes on metadata: they make filters quick and change nothing else."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import FilterError, IndexLockedError
from lfm2_colbert_rag.filters import field_name, matches, parse_field, parse_where
from lfm2_colbert_rag.storage.catalog import FILE_NAME, Catalog
from lfm2_colbert_rag.storage.commits import Commit, StoredPassage
from lfm2_colbert_rag.storage.filter_sql import prune_indexes
from lfm2_colbert_rag.types import Passage

from ..conftest import CORPUS, fill
from ..inside import SETTINGS, store_of
from ..test_filters import fields, filters, objects


def stored(first: int, metadata: list[dict[str, object]]) -> list[StoredPassage]:
    return [
        StoredPassage(row, Passage(str(row), "t", one), 1, 1)
        for row, one in enumerate(metadata, first)
    ]


@settings(max_examples=max(10, settings.default.max_examples * 3 // 10), deadline=None)
@given(
    before=st.lists(objects, min_size=1, max_size=5),
    after=st.lists(objects, min_size=1, max_size=5),
    wheres=st.lists(filters, min_size=1, max_size=8),
    indexed=st.lists(fields, min_size=1, max_size=5),
    dropped=st.lists(fields, max_size=2),
)
def test_an_index_changes_no_result(before, after, wheres, indexed, dropped):
    """Some passages are there when a field is indexed, others come later, one dies."""
    metadata = [*before, *after]
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.create(Path(folder) / FILE_NAME, SETTINGS, durable=False)
        catalog.commit(Commit(1, stored(0, before)))
        for name in indexed:
            catalog.create_filter_index(parse_field(name))
        catalog.commit(Commit(2, stored(len(before), after), removed=[0]))
        for name in dropped:
            catalog.drop_filter_index(parse_field(name))
        kept = {parse_field(name) for name in indexed} - {parse_field(name) for name in dropped}
        assert set(catalog.filter_indexes()) == kept
        for where in wheres:
            node = parse_where(where)
            matching = [i for i, one in enumerate(metadata) if matches(node, one, str(i))]
            assert catalog.select(node, 1).tolist() == [i for i in matching if i < len(before)]
            assert catalog.select(node, 2).tolist() == [i for i in matching if i], where
        for name in kept:
            catalog.drop_filter_index(name)
        catalog.close()
        catalog = Catalog(Path(folder) / FILE_NAME)  # which remembers no answers
        for where in wheres:  # and without
            node = parse_where(where)
            matching = [i for i, one in enumerate(metadata) if i and matches(node, one, str(i))]
            assert catalog.select(node, 2).tolist() == matching, where
        catalog.close()


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (True, {"v": {"$in": [1, True]}}),
        (1, {"v": True}),
        (1.0, {"v": 1}),
        (2**53 + 1, {"v": float(2**53)}),
        ("1", {"v": 1}),
        (None, {"v": None}),
        (None, {"v": {"$exists": True}}),
        ([], {"v": {"$exists": True}}),
        ({}, {"v": {"$exists": True}}),
        ([[1]], {"v": 1}),
        ([1, 1.0, True, "a", None], {"v": {"$in": ["a"]}}),
        ([None], {"v": None}),
        ([None], {"v": {"$ne": None}}),
        ({"w": 1}, {"v": {"$nin": [1]}}),
        (5, {"v": {"$in": []}}),
    ],
)
def test_kinds_are_kept_apart(tmp_path, value, where):
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    catalog.create_filter_index(("v",))
    catalog.commit(Commit(1, stored(1, [{"v": value}, {}])))
    node = parse_where(where)
    expected = [row for row, one in ((1, {"v": value}), (2, {})) if matches(node, one)]
    assert catalog.select(node, 1).tolist() == expected
    catalog.close()


def test_indexes_are_listed_as_filters_write_them(retriever):
    assert retriever.filter_indexes() == []
    for name in ("year", "maker.country", r"dotted\.name", "lang", "lang"):
        retriever.create_filter_index(name)
    assert retriever.filter_indexes() == [r"dotted\.name", "lang", "maker.country", "year"]
    for name in ("year", "never.indexed"):
        retriever.drop_filter_index(name)
    assert retriever.filter_indexes() == [r"dotted\.name", "lang", "maker.country"]
    with Retriever.open(retriever.path) as again:
        assert again.filter_indexes() == retriever.filter_indexes()


@given(fields)
def test_a_name_is_read_back_from_its_path(name):
    assert parse_field(field_name(parse_field(name))) == parse_field(name)


@pytest.mark.parametrize("name", ['a"b', "$and", 3, None, "a\0"])
def test_a_field_that_cannot_be_filtered_cannot_be_indexed(retriever, name, state):
    before = state(retriever)
    for change in (retriever.create_filter_index, retriever.drop_filter_index):
        with pytest.raises(FilterError):
            change(name)
    assert retriever.filter_indexes() == []
    assert state(retriever) == before


def test_searches_use_it_through_every_change(retriever):
    where = {"maker.country": "ie"}
    retriever.create_filter_index("maker.country")
    assert [hit.id for hit in retriever.search("router", where=where)] == ["library"]
    retriever.add([CORPUS["library"]], ids=["library"], metadata=[{"maker": {"country": "it"}}])
    assert retriever.search("router", where=where) == []
    retriever.add(["new"], ids=["new"], metadata=[{"maker": {"country": ["fr", "ie"]}}])
    assert [hit.id for hit in retriever.search("router", where=where)] == ["new"]
    assert retriever.delete(where=where) == 1
    assert retriever.search("router", where=where) == []
    fill(retriever)
    assert [hit.id for hit in retriever.search("router", where=where)] == ["library"]
    assert retriever.verify() == []


def test_the_plan_uses_it(tmp_path):
    """The condition is answered from the values; no passage's metadata is read."""
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    catalog.commit(Commit(1, stored(1, [{"lang": "en"}, {"lang": "es"}])))
    catalog.create_filter_index(("lang",))
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("UPDATE passages SET metadata = '{}'")
    connection.commit()
    connection.close()
    for where in ({"lang": "es"}, {"lang": {"$gt": "en"}}, {"lang": {"$in": ["es"]}}):
        assert catalog.select(parse_where(where), 1).tolist() == [2]
    assert catalog.select(parse_where({"lang": {"$exists": True}}), 1).tolist() == [1, 2]
    catalog.close()


def test_the_last_index_leaves_the_catalog_as_it_was(retriever):
    def schema() -> list[str]:
        connection = sqlite3.connect(retriever.path / FILE_NAME)
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
        connection.close()
        return sorted(names)

    before = schema()
    retriever.create_filter_index("lang")
    assert schema() != before
    retriever.drop_filter_index("lang")
    assert schema() == before


def test_values_of_forgotten_rows_can_be_pruned(tmp_path):
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    catalog.create_filter_index(("lang",))
    catalog.commit(Commit(1, stored(1, [{"lang": "en"}, {"lang": "es"}])))
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("DELETE FROM passages WHERE row = 1")
    prune_indexes(connection)
    assert connection.execute("SELECT row FROM filter_values").fetchall() == [(2,)]
    connection.rollback()
    connection.close()
    catalog.close()


def test_another_writer_is_waited_for(retriever):
    with (
        Retriever.open(retriever.path, lock_timeout=0) as second,
        store_of(retriever).locks.writing(),
        pytest.raises(IndexLockedError),
    ):
        second.create_filter_index("lang")
    assert retriever.filter_indexes() == []


def test_readers_never_see_an_index_half_made_or_half_gone(retriever):
    """Whoever reads while indexes come and go finds the same rows."""
    wrong: list[object] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            # Another catalog each time, so that nothing is remembered.
            catalog = Catalog(retriever.path / FILE_NAME)
            rows = catalog.select(parse_where({"product": "router"}), 1).tolist()
            catalog.close()
            if rows != [1, 2]:
                wrong.append(rows)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        retriever.create_filter_index("product")
        retriever.drop_filter_index("product")
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_repeated_filter_is_answered_from_memory(retriever, monkeypatch):
    asked: list[object] = []
    select = Catalog._select
    monkeypatch.setattr(Catalog, "_select", lambda *args: (asked.append(args), select(*args))[1])
    for _ in range(3):
        assert len(retriever.search("router", where={"product": "router"})) == 2
    assert len(asked) == 1
    retriever.add(["a third router"], ids=["third"], metadata=[{"product": "router"}])
    assert len(retriever.search("router", where={"product": "router"})) == 3
    assert len(asked) == 2


def test_equal_numbers_of_different_kinds_are_not_confused_in_memory(tmp_path):
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    catalog.commit(Commit(1, stored(1, [{"v": 1}, {"v": True}, {"v": 0}, {"v": False}])))
    for value, expected in ((1, [1]), (True, [2]), (1.0, [1]), (0, [3]), (False, [4])):
        assert catalog.select(parse_where({"v": value}), 1).tolist() == expected
    catalog.close()


def test_what_is_remembered_cannot_be_changed(tmp_path):
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    catalog.commit(Commit(1, stored(1, [{"v": 1}])))
    rows = catalog.select(parse_where({}), 1)
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 7
    assert isinstance(rows, np.ndarray)
    catalog.close()
