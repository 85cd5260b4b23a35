"""Searching by words and by both: on the disk, in memory, filtered, while others write."""

from __future__ import annotations

import pickle
import sqlite3
import threading
from contextlib import closing

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, IndexFormatError, IndexUnavailableError
from lfm2_colbert_rag.index.lexical.analyser import VERSION
from lfm2_colbert_rag.index.lexical.inversion import in_parts, invert_texts
from lfm2_colbert_rag.storage.commits import Commit, StoredPassage
from lfm2_colbert_rag.storage.posting_lists import FoundPostings
from lfm2_colbert_rag.storage.posting_sql import LexicalState, merge_recent, write_state
from lfm2_colbert_rag.storage.verification import verify_folder
from lfm2_colbert_rag.types import Passage

from ...conftest import CORPUS, fill
from ...inside import store_of


def change_catalog(retriever: Retriever, statement: str) -> list[tuple[object, ...]]:
    """Run a statement on the catalog, past everything that watches over it."""
    connection = sqlite3.connect(retriever.path / "catalog.sqlite")
    found = connection.execute(statement).fetchall()
    connection.commit()
    connection.close()
    return found


def found(retriever: Retriever, query: str, **options) -> list[str]:
    return [hit.id for hit in retriever.search(query, mode="lexical", **options)]


def test_words_are_found_without_a_model(retriever, monkeypatch):
    def never(*_: object) -> None:
        raise AssertionError("the encoder was asked")

    monkeypatch.setattr(type(retriever.encoder), "encode_query", never)
    assert found(retriever, "entkalken Kaffee")[0] == "kaffee"
    assert found(retriever, "BOTON")[0] == "reinicio"
    assert found(retriever, "zzzz") == []


def test_hits_say_what_each_leg_gave(retriever):
    late = {hit.id: hit for hit in retriever.search("the reset key", k=5, mode="late")}
    words = {hit.id: hit for hit in retriever.search("the reset key", k=5, mode="lexical")}
    both = retriever.search("the reset key", k=5, mode="hybrid")
    assert len(both) == len(CORPUS)
    for hit in both:
        assert hit.legs["late"] == late[hit.id].legs["late"]
        assert hit.relevance == late[hit.id].relevance
        if hit.id in words:
            assert hit.legs["lexical"] == words[hit.id].legs["lexical"]
        else:
            assert (hit.legs["lexical"].rank, hit.legs["lexical"].score) == (None, 0.0)
    assert all(0 < hit.relevance <= 1 for hit in words.values())
    best = words["reset"]
    assert best.legs["lexical"].rank == 1
    assert best.evidence  # found by the model, when asked for
    assert pickle.loads(pickle.dumps(best)) == best
    assert retriever.search("the reset key", k=1, mode="late")[0].legs["late"].rank == 1


def test_without_a_shared_word_hybrid_ranks_as_late_does(retriever):
    late = [hit.id for hit in retriever.search("zzzz qqqq", k=5, mode="late")]
    assert [hit.id for hit in retriever.search("zzzz qqqq", k=5, mode="hybrid")] == late


def test_a_default_mode_and_unknown_ones(folder):
    with Retriever.open(folder, model="hash", mode="lexical") as retriever:
        fill(retriever)
        assert [hit.id for hit in retriever.search("library")] == ["library"]
        assert len(retriever.search("library", mode="late")) == len(CORPUS)
        with pytest.raises(ConfigError, match="'bm25'"):
            retriever.search("library", mode="bm25")
    with pytest.raises(ConfigError, match="'dense'"):
        Retriever.open(folder, mode="dense")


def test_both_are_compared_unless_told_otherwise(folder, retriever):
    hybrid = retriever.search("the reset key", mode="hybrid")
    assert retriever.search("the reset key") == hybrid
    assert retriever.search_many(["the reset key"]) == [hybrid]
    assert retriever.rank_many(["the reset key"]) == [[(hit.id, hit.score) for hit in hybrid]]
    assert retriever.plan("the reset key") == retriever.plan("the reset key", mode="hybrid")
    assert retriever.mode == pickle.loads(pickle.dumps(retriever)).mode == "hybrid"
    with Retriever.open(retriever.path, mode="late") as other:
        assert other.mode == pickle.loads(pickle.dumps(other)).mode == "late"
        assert other.search("the reset key") == retriever.search("the reset key", mode="late")


def test_meaning_alone_is_compared_as_long_as_words_are_not_complete(folder):
    with Retriever.open(folder, model="hash", lexical=False) as retriever:
        fill(retriever)
        late = retriever.search("the reset key", mode="late")
        assert retriever.mode == "late"
        assert retriever.search("the reset key") == late
        with Retriever.open(folder, lexical=True) as other:
            assert other.mode == retriever.mode == "late"
            assert other.search("the reset key") == late
            other.optimize()
        assert retriever.mode == "hybrid"
        assert retriever.search("the reset key") == retriever.search("the reset key", mode="hybrid")


def test_words_that_are_dropped_in_the_middle_of_a_search_are_not_missed(retriever, monkeypatch):
    """Nobody asked for them, so the search is repeated without them."""
    late = retriever.search("the reset key", mode="late")
    postings = store_of(retriever).catalog.postings
    complete = postings.state()
    postings.disable()
    states = iter([complete])
    monkeypatch.setattr(type(postings), "state", lambda self: next(states, None))
    assert retriever.search("the reset key") == late
    with pytest.raises(ConfigError, match="lexical=True"):
        retriever.search("the reset key", mode="hybrid")


def test_filters_apply_to_both(retriever):
    assert found(retriever, "router", where={"year": {"$gte": 2024}}) == ["reset"]
    assert found(retriever, "router", where={"lang": "xx"}) == []
    hits = retriever.search("router", mode="hybrid", where={"product": "router"})
    assert {hit.id for hit in hits} == {"reset", "reinicio"}


async def test_many_and_asynchronously(retriever):
    queries = ["router", "filtre", "zzzz"]
    each = [retriever.search(query, mode="lexical") for query in queries]
    assert retriever.search_many(queries, mode="lexical") == each
    assert await retriever.asearch("router", mode="lexical") == each[0]
    assert retriever.search_many([], mode="hybrid") == []


def test_an_index_may_leave_words_out(folder):
    with Retriever.open(folder, model="hash", lexical=False) as retriever:
        fill(retriever)
        assert retriever.stats().lexical_bytes is None
        for mode in ("hybrid", "lexical"):
            with pytest.raises(ConfigError, match="lexical=True"):
                retriever.search("router", mode=mode)
        assert len(retriever.search("router", mode="late")) == len(CORPUS)
    with pytest.raises(ConfigError, match="lexical must be"):
        Retriever.open(folder, lexical="yes")


@pytest.mark.parametrize("by", ["add", "add_stream", "add_vectors", "optimize"])
def test_words_that_are_wanted_later_are_filled_in_by_the_next_writer(folder, by):
    with Retriever.open(folder, model="hash", lexical=False) as retriever:
        fill(retriever)
    with Retriever.open(folder, lexical=True) as retriever, Retriever.open(folder) as reader:
        for one in (retriever, reader):  # and no search fills them in
            for mode in ("hybrid", "lexical"):
                with pytest.raises(ConfigError, match=r"Call optimize\(\)"):
                    one.search("router", mode=mode)
                with pytest.raises(ConfigError, match=r"Call optimize\(\)"):
                    one.search_many(["router"], mode=mode)
            with pytest.raises(ConfigError, match=r"Call optimize\(\)"):
                one.plan("router", mode="hybrid")
            assert len(one.search("router")) == len(CORPUS)
            assert one.stats().lexical_pending == len(CORPUS)
        retriever.delete(["gone"])  # nor does a deletion
        assert retriever.stats().lexical_pending == len(CORPUS)
        new = {"new"}
        if by == "add":
            retriever.add(["a new router"], ids=["new"])
        elif by == "add_stream":
            retriever.add_stream([{"id": "new", "text": "a new router"}])
        elif by == "add_vectors":
            vectors = retriever.encoder.encode_document(["a new router"])[0].vectors
            retriever.add_vectors([vectors], ["a new router"], ids=["new"])
        else:
            assert retriever.optimize().lexical_pending == 0
            new = set()
        for one in (retriever, reader):
            assert set(found(one, "router")) == {"reset", "reinicio"} | new
            assert len(one.search("router", mode="hybrid")) == len(CORPUS) + len(new)
            assert one.stats().lexical_pending == 0
        assert retriever.verify() == []
    with Retriever.open(folder, lexical=False) as retriever, pytest.raises(ConfigError):
        found(retriever, "router")


def test_lists_that_were_filled_in_say_what_lists_kept_all_along_say(folder, retriever, tmp_path):
    with Retriever.open(tmp_path / "later", model="hash", lexical=False) as later:
        fill(later)
    with Retriever.open(tmp_path / "later", lexical=True) as later:
        later.optimize()
        for query in ("router reset", "BOTON", "the key of the library", "zzzz"):
            assert later.search(query, mode="lexical") == retriever.search(query, mode="lexical")


def test_lists_of_another_analyser_are_refused(retriever):
    path = retriever.path
    retriever.close()
    with closing(sqlite3.connect(path / "catalog.sqlite", isolation_level=None)) as connection:
        write_state(connection, LexicalState(analyser=999))
    with pytest.raises(IndexFormatError, match=rf"analyser 999.*with analyser {VERSION}\."):
        Retriever.open(path)
    with pytest.raises(IndexFormatError, match="Use the version that wrote it, or index"):
        verify_folder(path)


def test_passages_that_come_without_lists_are_filled_in_later(retriever):
    """Lists are switched on after a commit was prepared, and before it is written."""
    catalog = store_of(retriever).catalog
    row = catalog.head().next_row
    passages = [StoredPassage(row + n, Passage(f"late{n}", "router", {}), 0, 0) for n in range(3)]
    catalog.commit(Commit(catalog.generation() + 1, passages[:2]))
    assert catalog.postings.state() == LexicalState(next=row, last=row + 1)
    assert catalog.postings.read(["_router_"]) == FoundPostings(catalog.postings.state(), {})
    # As long as some are pending, lists that come along have to wait behind them.
    catalog.commit(Commit(catalog.generation() + 1, passages[2:], postings=in_parts(["router"])))
    assert catalog.postings.pending(9) == [(row + n, "router") for n in range(3)]
    assert catalog.postings.fill([row, row + 1], invert_texts(["router"] * 2))
    assert not catalog.postings.read(["_router_"]).is_complete
    assert catalog.postings.fill([row + 2], invert_texts(["router"]))
    rows, counts = catalog.postings.read(["_router_"]).lists["_router_"]
    assert rows.tolist() == [1, 2, row, row + 1, row + 2]
    assert counts.tolist() == [1] * 5


def test_filling_goes_on_where_it_stopped_beside_a_writer(folder, monkeypatch):
    """Several fill in at once, others add and delete, and every passage is filled in once."""
    monkeypatch.setattr("lfm2_colbert_rag.retriever.ingest.lexical._TOGETHER", 3)
    texts = [f"common word{n}" for n in range(20)]
    with Retriever.open(folder, model="hash", lexical=False) as retriever:
        retriever.add(texts[:15], ids=texts[:15])
    with Retriever.open(folder, lexical=True) as retriever:
        retriever.delete([texts[6]])
        others = [Retriever.open(folder) for _ in range(3)]
        threads = [
            threading.Thread(target=other.add, args=([text],), kwargs={"ids": [text]})
            for other, text in zip(others, texts[15:18], strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for other in others:
            other.close()
        retriever.add(texts[18:], ids=texts[18:])
        assert set(found(retriever, "common", k=50)) == set(texts) - {texts[6]}
        assert retriever.verify() == []


def test_a_commit_that_fails_leaves_the_words_as_they_were(retriever, monkeypatch):
    before = found(retriever, "router")

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("no more")

    monkeypatch.setattr("lfm2_colbert_rag.storage.catalog.drop_codebooks", fail)  # after the words
    with pytest.raises(IndexUnavailableError, match="no more"):
        retriever.add(["another router"], ids=["another"])
    monkeypatch.undo()
    assert found(retriever, "router") == before
    assert retriever.verify() == []


def test_readers_see_whole_commits_while_others_write(folder):
    """Each commit replaces all passages: a reader must never see two of them mixed."""
    ids = [f"p{n}" for n in range(6)]
    with Retriever.open(folder, model="hash") as writer, Retriever.open(folder) as reader:
        writer.add(["shared round0"] * 6, ids=ids)
        mixed: list[object] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                hits = reader.search("shared", mode="lexical")
                rounds = {hit.text for hit in hits}
                if len(hits) != 6 or len(rounds) != 1 or len({h.score for h in hits}) != 1:
                    mixed.append((len(hits), rounds))

        thread = threading.Thread(target=read)
        thread.start()
        for number in range(1, 15):
            writer.add([f"shared round{number}"] * 6, ids=ids)
        done.set()
        thread.join()
        assert mixed == []


def test_damage_is_named(retriever):
    with closing(sqlite3.connect(retriever.path / "catalog.sqlite")) as connection:
        merge_recent(connection)
        connection.commit()
    change_catalog(retriever, "DELETE FROM postings WHERE term = '_router_'")
    (problem,) = retriever.verify()
    assert "disagrees with 2 passages" in problem
    change_catalog(retriever, "UPDATE postings SET entries = x'00'")
    assert "damaged" in retriever.verify()[0]


def test_copies_and_dumps_keep_words(retriever, tmp_path):
    expected = found(retriever, "router reset filtre")
    retriever.backup(tmp_path / "backup")
    with Retriever.restore(tmp_path / "backup", tmp_path / "restored") as restored:
        assert found(restored, "router reset filtre") == expected
    retriever.export(tmp_path / "dump")
    with Retriever.open(tmp_path / "imported", model="hash") as other:
        other.import_dump(tmp_path / "dump")
        assert found(other, "router reset filtre") == expected


def test_forgotten_passages_leave_the_lists(retriever):
    retriever.delete(["library"])
    retriever.optimize(forget_after=0.0)  # which puts the lists of all commits together, too
    before = retriever.stats().lexical_bytes
    assert before > 0
    retriever.delete(["linge", "kaffee"])
    retriever.optimize(forget_after=0.0)
    assert retriever.stats().lexical_bytes < before
    retriever.delete(all=True)
    retriever.optimize(forget_after=0.0)
    assert change_catalog(retriever, "SELECT count(*) FROM postings") == [(0,)]
