"""After the commit nothing fails the caller; what is refused is refused by its name."""

from __future__ import annotations

import inspect
import sqlite3

import numpy as np
import pytest

from lfm2_colbert_rag import QueryAdapter, Retriever
from lfm2_colbert_rag.errors import (
    ConfigError,
    IndexBusyError,
    IndexCorruptError,
    RetrieverClosedError,
)
from lfm2_colbert_rag.retriever.maintenance.compaction import Compactor
from lfm2_colbert_rag.storage.connections import Connections
from lfm2_colbert_rag.storage.store import Store

from ..conftest import CORPUS
from ..grown import add, compress_early, kinds
from ..inside import store_of

FAILURES = [
    IndexCorruptError("a file is broken"),
    ConfigError("LFM2_COLBERT_THREADS makes no sense"),
    sqlite3.OperationalError("database is locked"),
    RuntimeError("out of luck"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("by", ["add", "add_stream", "add_vectors", "delete"])
def test_what_fails_after_the_commit_is_logged(folder, monkeypatch, caplog, failure, by):
    compress_early(monkeypatch)

    def fail(self, report=None):
        raise failure

    monkeypatch.setattr(Compactor, "compress", fail)
    with Retriever.open(folder, model="hash", storage="exact") as retriever:
        add(retriever, 80)
        store_of(retriever).change_settings(storage="auto")  # so that compression is due
        if by == "add":
            assert retriever.add(["zebra"], ids=["late"]) == ["late"]
        elif by == "add_stream":
            assert retriever.add_stream([{"id": "late", "text": "zebra"}]) == 1
        elif by == "add_vectors":
            zebra = retriever.encoder.encode_document(["zebra"])[0].vectors
            assert retriever.add_vectors([zebra], ["zebra"], ids=["late"]) == ["late"]
        else:
            assert retriever.delete(["s0-1"]) == 1
        warnings = [one for one in caplog.records if one.levelname == "WARNING"]
        assert len(warnings) == 1
        assert f"were not rearranged: {failure}" in warnings[0].getMessage()
        assert str(folder) in warnings[0].getMessage()
        if by == "delete":
            assert "s0-1" not in retriever
        else:
            assert retriever.search("zebra", k=1)[0].id == "late"
        assert set(kinds(retriever)) == {"exact"}
        monkeypatch.undo()
        assert retriever.verify() == []


def test_an_interrupt_is_no_failure_to_be_logged(folder, monkeypatch):
    """Whoever presses a key is obeyed; the passages are there."""
    compress_early(monkeypatch)

    def interrupt(self, report=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(Compactor, "compress", interrupt)
    with Retriever.open(folder, model="hash") as retriever:
        with pytest.raises(KeyboardInterrupt):
            add(retriever, 80)
        assert len(retriever) == 80


@pytest.mark.parametrize("mode", ["late", "hybrid"])  # posting lists forget at once
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_search_that_meets_forgotten_passages_is_repeated_and_then_says_so(
    retriever, monkeypatch, mode, times
):
    """An older generation is given so often, whose passages are gone from the disk by now."""
    old, newest = store_of(retriever).snapshot(), Store.snapshot
    retriever.delete(["reset", "reinicio"])
    retriever.optimize(forget_after=0)
    given: list[int] = []

    def snapshot(self):
        given.append(1)
        return old if len(given) <= times else newest(self)

    monkeypatch.setattr(Store, "snapshot", snapshot)
    if times < 3:
        hits = retriever.search("the reset key of the router", mode=mode)
        assert {hit.id for hit in hits} <= CORPUS.keys() - {"reset", "reinicio"}
        assert len(given) == times + 1
    else:
        with pytest.raises(IndexBusyError, match=r"3 times in a row\. Search again"):
            retriever.search("the reset key of the router", mode=mode)


# What to call each public method with; properties and what needs no index are not here.
CALLS = {
    "search": lambda r, _: r.search("router"),
    "search_many": lambda r, _: r.search_many(["router"]),
    "rank_many": lambda r, _: r.rank_many(["router"]),
    "rerank": lambda r, _: r.rerank("router", ["text"]),
    "explain": lambda r, _: r.explain("router", "reset"),
    "plan": lambda r, _: r.plan("router"),
    "add": lambda r, _: r.add(["text"]),
    "add_stream": lambda r, _: r.add_stream([{"id": "x", "text": "text"}]),
    "add_vectors": lambda r, _: r.add_vectors([[[1.0] * 32]], ["text"]),
    "import_dump": lambda r, tmp: r.import_dump(tmp / "dump"),
    "delete": lambda r, _: r.delete(["reset"]),
    "get": lambda r, _: r.get(["reset"]),
    "count": lambda r, _: r.count({"year": 2024}),
    "passages": lambda r, _: next(r.passages()),
    "vectors": lambda r, _: r.vectors(["reset"]),
    "create_filter_index": lambda r, _: r.create_filter_index("year"),
    "drop_filter_index": lambda r, _: r.drop_filter_index("year"),
    "filter_indexes": lambda r, _: r.filter_indexes(),
    "stats": lambda r, _: r.stats(),
    "measure_recall": lambda r, _: r.measure_recall(),
    "optimize": lambda r, _: r.optimize(),
    "purge": lambda r, _: r.purge(),
    "view": lambda r, _: r.view(tenant="acme").search("router"),
    "view_of_all": lambda r, _: r.view_of_all().search("router"),
    "migrate": lambda r, _: r.migrate(QueryAdapter(np.eye(32, dtype=np.float32), "")),
    "migration": lambda r, _: r.migration(),
    "rollback": lambda r, _: r.rollback(),
    "forget_previous": lambda r, _: r.forget_previous(),
    "tune_fusion": lambda r, _: r.tune_fusion(
        {f"q{n}": "router" for n in range(6)}, {f"q{n}": {"reset": 1} for n in range(6)}
    ),
    "verify": lambda r, _: r.verify(),
    "backup": lambda r, tmp: r.backup(tmp / "backup"),
    "export": lambda r, tmp: r.export(tmp / "export"),
}
ASYNC_CALLS = {
    "asearch": lambda r, _: r.asearch("router"),
    "asearch_many": lambda r, _: r.asearch_many(["router"]),
    "aadd": lambda r, _: r.aadd(["text"]),
    "adelete": lambda r, _: r.adelete(["reset"]),
}
OPERATORS = {"len": lambda r, _: len(r), "in": lambda r, _: "reset" in r}


def public_methods() -> set[str]:
    """Return the names of a retriever's methods that are for users."""
    found = inspect.getmembers(Retriever, inspect.isfunction)
    return {name for name, _ in found if not name.startswith("_")}


@pytest.mark.parametrize("place", ["disk", "memory"])
async def test_a_closed_retriever_says_so_whatever_it_is_asked(retriever, tmp_path, place):
    assert public_methods() - {"close"} == {*CALLS, *ASYNC_CALLS}
    retriever.export(tmp_path / "dump")
    if place == "memory":
        retriever = Retriever.from_texts(list(CORPUS.values()), ids=list(CORPUS), model="hash")
    retriever.close()
    said = {}
    for name, call in {**CALLS, **ASYNC_CALLS, **OPERATORS}.items():
        try:
            answer = call(retriever, tmp_path)
            said[name] = await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            said[name] = type(error)
    assert said == dict.fromkeys(said, RetrieverClosedError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dump", "support.index"]


def test_closing_twice_is_fine_and_the_index_is_as_it_was(retriever, state):
    before = state(retriever)
    retriever.close()
    retriever.close()
    with retriever:
        pass
    with Retriever.open(retriever.path) as again:
        assert state(again) == before


def test_an_empty_retriever_is_true(folder):
    with Retriever.open(folder, model="hash") as retriever:
        assert len(retriever) == 0
        assert retriever


def test_a_representation_asks_no_database(retriever, monkeypatch):
    def never(self):
        raise AssertionError("a statement was run")

    monkeypatch.setattr(Connections, "reading", never)
    assert repr(retriever) == f"<Retriever {str(retriever.path)!r}, model 'hash'>"
    assert (retriever.model, retriever.read_only) == ("hash", False)
    monkeypatch.undo()
    retriever.close()
    assert "model 'hash'" in repr(retriever)
