"""Segments are compressed, merged and rid of the dead, and nobody notices."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexLockedError, StorageFullError
from lfm2_colbert_rag.index.compressed import writer as compression
from lfm2_colbert_rag.retriever.maintenance import compaction
from lfm2_colbert_rag.retriever.search.index_cache import IndexCache
from lfm2_colbert_rag.storage.store import Store

from ...grown import (
    WORDS,
    add,
    always_vote,
    answers,
    assert_same,
    compress_early,
    grow,
    held,
    kinds,
    names,
    sentences,
    set_policy,
)
from ...inside import segments_of, store_of
from ...sealing import tampering
from ...windows import KEEPS_WHAT_IS_IN_USE

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def _early(monkeypatch):
    compress_early(monkeypatch)


@pytest.fixture
def grown(folder):
    with grow(folder) as retriever:
        yield retriever


@pytest.mark.parametrize("index", ["auto", "compressed"])
def test_an_index_compresses_itself_once_it_has_grown(folder, index):
    with Retriever.open(folder, model="hash", storage=index) as retriever:
        add(retriever, 20)
        assert kinds(retriever) == ["exact"]
        add(retriever, 60, seed=1)
        assert kinds(retriever) == ["compressed"] * 2
        add(retriever, 3, seed=2)
        assert kinds(retriever) == ["compressed"] * 3
        assert retriever.verify() == []
        with Retriever.open(folder) as other:
            assert answers(other) == answers(retriever)


@pytest.mark.parametrize("by", ["add_stream", "optimize"])
def test_no_add_waits_for_the_codebook_of_a_large_index(folder, by, monkeypatch):
    set_policy(monkeypatch, auto_vectors=300, prompt_vectors=200)
    with Retriever.open(folder, model="hash") as retriever:
        add(retriever, 80)
        add(retriever, 3, seed=1)
        assert set(kinds(retriever)) == {"exact"}
        assert "compression pays" in retriever.stats().optimize_due
        retriever.add_stream([{"text": "late"}]) if by == "add_stream" else retriever.optimize()
        assert set(kinds(retriever)) == {"compressed"}
        assert retriever.stats().optimize_due is None
        add(retriever, 3, seed=2)
        assert set(kinds(retriever)) == {"compressed"}


def test_an_exact_index_stays_exact(folder):
    with Retriever.open(folder, model="hash", storage="exact") as retriever:
        add(retriever, 200)
        retriever.optimize()
        assert kinds(retriever) == ["exact"]
        assert retriever.stats().nbits is None


@pytest.mark.parametrize("nbits", [2, 4])
def test_compressed_passages_are_found_as_exact_ones_are(folder, nbits, monkeypatch):
    always_vote(monkeypatch)
    with (
        Retriever.open(folder, model="hash", storage="compressed", nbits=nbits) as retriever,
        Retriever.from_texts(["x"], model="hash", storage="exact") as exact,
    ):
        for seed in range(3):
            add(retriever, 60, seed)
            add(exact, 60, seed)
        for one, other in zip(answers(retriever, 1), answers(exact, 1), strict=True):
            assert one[0][1] == pytest.approx(other[0][1], abs=0.3)
        found = retriever.search(sentences(60, 1)[7], k=1)[0]
        assert (found.id, found.metadata) == ("s1-7", {"seed": 1})
        assert found.evidence


def test_merging_keeps_what_is_stored_to_the_last_bit(grown):
    before, asked = held(grown), answers(grown)
    assert len(names(grown)) == 3
    own = sum(len(live.segment.extra) for live in segments_of(grown))
    assert own > 20
    grown.optimize()
    assert len(names(grown)) == 1
    assert len(segments_of(grown)[0].segment.extra) == own
    assert_same(held(grown), before)
    assert answers(grown) == asked
    assert grown.verify() == []


def test_the_same_codebook_opened_twice_is_the_same(grown):
    """Readers may let go of it and open it again at any time."""
    before = held(grown)
    store_of(grown).opener.keep_only([])
    add(grown, 5, seed=9)
    grown.optimize()
    after = held(grown)
    assert_same({id: after[id] for id in before}, before)


def test_segments_never_bring_more_centroids_than_codes_can_name(grown, monkeypatch):
    """Their vectors are compressed again then, which leaves one centroid for each token."""
    monkeypatch.setattr(compression, "MAX_EXTRA", 31)
    grown.optimize()
    (live,) = segments_of(grown)
    tokens = live.segment.extra.tokens.tolist()
    assert len(tokens) < 60
    assert grown.verify() == []
    assert grown.search(sentences(80, 0)[5], k=1)[0].id == "s0-5"


def test_deleted_passages_leave_the_disk(grown):
    before = {id: windows for id, windows in held(grown).items() if not id.startswith("s0-1")}
    size = grown.stats().bytes_per_vector * grown.stats().vectors
    grown.delete([f"s0-1{number}" for number in ["", *range(10)]])
    assert grown.stats().deleted == 11
    asked = answers(grown)
    stats = grown.optimize()
    assert stats.deleted == 0
    assert stats.bytes_per_vector * stats.vectors < size
    assert_same(held(grown), before)
    assert answers(grown) == asked
    assert grown.verify() == []


def test_a_segment_of_mostly_dead_passages_is_written_anew_at_once(grown):
    first = names(grown)[0]
    assert grown.delete(where={"seed": 0}) == 80
    assert first not in names(grown)
    assert KEEPS_WHAT_IS_IN_USE or not (grown.path / "segments" / first).exists()
    assert grown.verify() == []


@pytest.mark.parametrize("index", ["exact", "auto"])
def test_many_small_commits_leave_few_segments(folder, monkeypatch, index):
    compress_early(monkeypatch, vectors=60, fan_in=4)
    set_policy(monkeypatch, smallest_tier=16)
    most = 0
    with Retriever.open(folder, model="hash", storage=index) as retriever:
        for seed in range(45):
            add(retriever, 1 + seed % 3, seed)
            most = max(most, len(names(retriever)))
            if seed % 5 == 4:
                retriever.delete([f"s{seed - 1}-0"])
        assert most <= 16
        assert len(retriever) == sum(1 + seed % 3 for seed in range(45)) - 9
        assert retriever.verify() == []
        rows = [live.segment.rows for live in segments_of(retriever)]
        assert (np.diff(np.concatenate(rows)) >= 0).all()


def test_everything_may_be_deleted_and_added_again(grown):
    assert grown.delete(all=True) == 140
    assert grown.search("w1") == []
    assert names(grown) == []
    grown.optimize()
    assert grown.verify() == []
    add(grown, 70, seed=4)
    assert kinds(grown) == ["compressed"]
    grown.optimize()
    assert grown.search(sentences(70, 4)[3], k=1)[0].id == "s4-3"
    assert grown.verify() == []


def test_an_index_of_dead_passages_only_needs_no_codebook(folder, monkeypatch):
    set_policy(monkeypatch, auto_vectors=10**9)
    with Retriever.open(folder, model="hash") as retriever:
        add(retriever, 100)
        set_policy(monkeypatch, auto_vectors=100)
        assert retriever.delete(all=True) == 100
        retriever.optimize()
        assert not list(folder.glob("codebooks/*"))
        assert len(retriever) == 0


def test_optimizing_twice_changes_nothing(grown):
    grown.optimize()
    before, stored, asked = names(grown), held(grown), answers(grown)
    generation = grown.stats().generation
    grown.optimize()
    assert (names(grown), grown.stats().generation) == (before, generation)
    assert_same(held(grown), stored)
    assert answers(grown) == asked


def test_a_second_optimizer_is_told(grown):
    with Retriever.open(grown.path) as other, store_of(grown).locks.optimizing(timeout=0):
        with pytest.raises(IndexLockedError, match=r"support\.index is being optimized"):
            other.optimize()
        assert add(other, 2, seed=8) == ["s8-0", "s8-1"]  # what is due is left to the other
    assert grown.verify() == []


def test_a_codebook_is_made_anew_when_the_index_has_outgrown_it(grown):
    first = store_of(grown).catalog.codebooks()[-1].name
    for seed in range(10, 16):
        add(grown, 100, seed, [f"late{number}" for number in range(200)])
    assert grown.stats().optimize_due
    grown.optimize()
    (live,) = segments_of(grown)
    assert live.segment.info.codebook != first
    assert grown.stats().optimize_due is None
    assert grown.verify() == []
    assert grown.search(sentences(80, 0)[5], k=1)[0].id == "s0-5"


def test_readers_of_an_older_generation_still_find_and_fetch(grown):
    with Retriever.open(grown.path) as reader:
        old = store_of(reader).snapshot()
        index = IndexCache().get(old)
        query = reader.encoder.encode_query(["w1 w2 w3"])
        before = index.search([query[0].vectors], 20)[0]
        grown.delete(where={"seed": {"$lt": 2}})
        grown.optimize()
        after = index.search([query[0].vectors], 20)[0]
        assert after.rows.tolist() == before.rows.tolist()
        assert after.scores.tolist() == before.scores.tolist()
        passages = store_of(reader).catalog.passages(after.rows.tolist())
        assert len(passages) == 20
        for row in after.rows.tolist():
            assert list(old.segments.windows(row))
        assert len(reader) == 30


def test_a_search_whose_passages_were_forgotten_is_repeated(grown, monkeypatch):
    newest, old = Store.snapshot, [store_of(grown).snapshot()]
    with Retriever.open(grown.path) as reader:
        grown.delete(where={"seed": 0})
        grown.optimize(forget_after=0)
        assert len(store_of(grown).catalog.passages(list(range(1, 81)))) == 0
        monkeypatch.setattr(Store, "snapshot", lambda self: old.pop() if old else newest(self))
        hits = reader.search(sentences(80, 0)[5], k=100)
        assert old == []
        assert len(hits) == 60
        assert {hit.metadata["seed"] for hit in hits} == {1, 2}


def test_texts_are_forgotten_only_after_a_while(grown):
    catalog = store_of(grown).catalog
    grown.delete(where={"seed": 0})
    rows = list(range(1, 81))
    grown.optimize()
    assert len(catalog.passages(rows)) == 80
    late = datetime.now().astimezone() - timedelta(hours=2)
    with tampering(grown.path) as connection:
        connection.execute("UPDATE generations SET created = ?", (late.isoformat(),))
    grown.optimize()
    assert len(catalog.passages(rows)) == 0
    assert catalog.head().next_row == 141
    assert grown.verify() == []


def test_searching_adding_and_deleting_go_on_while_somebody_optimizes(grown):
    grown.add(["zebra quagga okapi"], ids=["zoo"])
    errors: list[BaseException] = []
    stop = threading.Event()

    def read(retriever: Retriever) -> None:
        try:
            while not stop.is_set():
                assert retriever.search("quagga", k=1)[0].id == "zoo"
        except BaseException as error:
            errors.append(error)

    with Retriever.open(grown.path) as other, ThreadPoolExecutor() as pool:
        readers = [threading.Thread(target=read, args=(one,)) for one in (grown, other)]
        for reader in readers:
            reader.start()
        for seed in range(20, 28):
            running = pool.submit(grown.optimize)
            add(other, 5, seed)
            other.delete([f"s{seed}-0"])
            running.result(timeout=60)
        stop.set()
        for reader in readers:
            reader.join()
    assert errors == []
    assert len(grown) == 141 + 8 * 4
    assert grown.verify() == []


def test_new_metadata_keep_compressed_vectors_close(grown):
    (text,) = (passage.text for passage in grown.get(["s0-3"]))
    before = held(grown)["s0-3"][0][0]
    for turn in range(5):
        grown.add([text], ids=["s0-3"], metadata=[{"turn": turn}])
    after = held(grown)["s0-3"][0][0]
    assert np.linalg.norm(after - before, axis=1).max() < 0.1
    assert grown.search(text, k=1)[0].metadata == {"turn": 4}


FULL_DISK = """
    import json, logging, resource, signal, sys
    from dataclasses import replace
    from lfm2_colbert_rag import Retriever
    from lfm2_colbert_rag.errors import StorageFullError
    from lfm2_colbert_rag.retriever.maintenance import compaction
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    logging.getLogger("lfm2_colbert_rag.retriever.maintenance.compaction").addHandler(handler)
    retriever = Retriever.open(sys.argv[1], model="hash", lexical=False)  # its files stay small
    for part in range(3):
        texts = [f"t{part} n{n} " + "w " * 300 for n in range(60)]
        retriever.add(texts, ids=[f"p{part}-{n}" for n in range(60)])
    if sys.argv[2] == "compress":
        compaction.DEFAULT_POLICY = replace(
            compaction.DEFAULT_POLICY, auto_vectors=1000, prompt_vectors=100_000
        )
    else:
        compaction.DEFAULT_POLICY = replace(compaction.DEFAULT_POLICY, fan_in=2)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (275_000, resource.RLIM_INFINITY))
    before = sorted(path.name for path in retriever.path.glob("segments/*"))
    added = retriever.add(["late w"], ids=["late"])
    try:
        retriever.optimize()
        refused = ""
    except StorageFullError as error:
        refused = str(error)
    after = sorted(path.name for path in retriever.path.glob("segments/*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    staged = len(list(retriever.path.glob("staging/*")))
    found = [hit.id for hit in retriever.search("late", k=1)]
    print(json.dumps([added, found, before == after[:-1], len(after), staged, refused, told]))
    retriever.optimize()
    print(json.dumps([len(retriever), retriever.verify(), retriever.stats().segments]))
"""


@pytest.mark.subprocess
@pytest.mark.parametrize("what", ["compress", "merge"])
def test_a_full_disk_puts_rearranging_off(folder, what):
    """The passages that were added are acknowledged, and the rest is as it was."""
    pytest.importorskip("resource")
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(folder), what],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.stderr == ""
    first, second = map(json.loads, process.stdout.splitlines())
    added, found, same, count, staged, refused, told = first
    assert (added, found) == (["late"], ["late"])
    assert (same, count, staged) == (True, 4, 0)
    assert "took no more data" in refused
    assert "were not rearranged" in told[0]
    assert second == [181, [], 1]


def test_memory_that_runs_out_puts_compression_off(folder, monkeypatch, caplog):
    def exhausted(*_args: object, **_kwargs: object) -> None:
        raise MemoryError("no room for a sample")

    with monkeypatch.context() as patched, Retriever.open(folder, model="hash") as retriever:
        patched.setattr(compaction, "train_codebook", exhausted)
        assert len(add(retriever, 80)) == 80
        assert "were not rearranged: no room for a sample" in caplog.text
        assert kinds(retriever) == ["exact"]
    with Retriever.open(folder) as retriever:
        add(retriever, 1, seed=1)
        assert set(kinds(retriever)) == {"compressed"}


def test_a_codebook_that_is_replaced_twice_meanwhile(folder):
    """What was compressed with the first is not committed; texts are encoded again."""
    with grow(folder) as retriever, Retriever.open(folder) as other:

        def twice() -> None:
            for _ in range(3):
                with store_of(other).locks.optimizing(timeout=10):
                    compaction.Compactor(store_of(other)).renew_codebook()

        def matrices():
            twice()
            yield np.eye(3, 32, dtype=np.float32)

        with pytest.raises(IndexLockedError, match=r"was changed while.*try again"):
            retriever.add_vectors(matrices(), ["text"], ids=["late"])
        assert len(retriever) == 140
        assert retriever.verify() == []
        encode, calls = retriever.encoder.encode_document, []

        def slow(texts, *, progress=None):
            if not calls:
                twice()
            calls.append(len(texts))
            return encode(texts, progress=progress)

        retriever.encoder.encode_document = slow
        assert retriever.add([" ".join(WORDS[:9])], ids=["late"]) == ["late"]
        assert calls == [1, 1]
        assert retriever.search(" ".join(WORDS[:9]), k=1)[0].id == "late"
        assert retriever.verify() == []


def test_a_full_disk_is_an_error_of_optimize(grown, monkeypatch):
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    before = names(grown)
    with monkeypatch.context() as patched:
        patched.setattr(compression.CompressedSegmentWriter, "take_over", full)
        with pytest.raises(StorageFullError, match="No space left"):
            grown.optimize()
    assert names(grown) == before
    assert grown.verify() == []
    grown.optimize()
    assert len(names(grown)) == 1


def test_a_codebook_that_no_segment_names_any_more_is_removed_at_once(tmp_path):
    """By the very commit after which none does, and not by whoever writes next."""
    with Retriever.open(tmp_path / "index", model="hash", storage="compressed") as retriever:
        add(retriever, 40)
        store = store_of(retriever)
        compactor = compaction.Compactor(store)
        for _ in range(3):
            compactor._new_codebook()  # as one that was killed before it wrote a segment left it
            compactor.renew_codebook()
            named = {one.name for one in store.catalog.codebooks()}
            there = {path.name for path in (tmp_path / "index" / "codebooks").iterdir()}
            assert there == named
            assert retriever.verify() == []
