"""Another model in the place of the one that serves: two spaces, and no answer of both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Migration, MigrationStatus, QueryAdapter, Retriever
from lfm2_colbert_rag.encoder.query_adapter import weights_of
from lfm2_colbert_rag.errors import (
    ConfigError,
    IndexLockedError,
    IndexMismatchError,
    InputError,
    ReadOnlyError,
)
from lfm2_colbert_rag.retriever.maintenance import building
from lfm2_colbert_rag.testing import HashEncoder

from ..grown import set_policy
from ..inside import store_of
from ..windows import reads_what_is_removed
from . import migration_reader
from .migration_reader import answers

WORDS = [f"w{number}" for number in range(40)]
SWITCHES = int(os.environ.get("LFM2_COLBERT_SWITCHES", "4"))
ASKED = int(os.environ.get("LFM2_COLBERT_ASKED", "200"))
NEW = HashEncoder(salt=1)


def texts(number: int = 30, seed: int = 5) -> dict[str, str]:
    draw = np.random.default_rng(seed)
    return {f"p{seed}-{place}": " ".join(draw.choice(WORDS, 6)) for place in range(number)}


def put(retriever: Retriever, passages: dict[str, str]) -> None:
    retriever.add(list(passages.values()), ids=list(passages))


@pytest.fixture
def index(tmp_path):
    with Retriever.open(tmp_path / "index", model="hash") as retriever:
        put(retriever, texts())
        yield retriever


def plain(passages: dict[str, str], model="hash") -> list[list[tuple[str, float]]]:
    """Return what an index of one model answers that was never migrated."""
    return _plain(tuple(passages.items()), model)


@cache
def _plain(passages: tuple[tuple[str, str], ...], model) -> list[list[tuple[str, float]]]:
    ids, written = zip(*passages, strict=True)
    with Retriever.from_texts(written, ids=ids, model=model) as one:
        return answers(one)


def small_groups(monkeypatch) -> None:
    """Commit after every few passages."""
    monkeypatch.setattr(building, "SECONDS", 0.0)
    monkeypatch.setattr(building, "_TEXTS", 7)
    monkeypatch.setattr(building, "LAST", 3)


class Interrupting:
    """Is called with progress, and does something once so many passages were encoded."""

    def __init__(self, after: int, do) -> None:
        self._left, self._do = after, do

    def __call__(self, number: int) -> None:
        before, self._left = self._left, self._left - number
        if before > 0 >= self._left:
            self._do()


def stop() -> None:
    raise KeyboardInterrupt


@reads_what_is_removed
def test_all_answers_are_of_the_new_model_and_back_of_the_old_one(index):
    old, new = plain(texts()), plain(texts(), NEW)
    assert old != new
    reader = Retriever.open(index.path, read_only=True)
    view = index.view_of_all()
    assert answers(index) == answers(reader) == old
    told = index.migrate("hash:1")
    assert (told.tier, told.model, told.encoded) == ("everything", "hash:1", 30)
    assert told.asked == len(migration_reader.QUESTIONS)
    assert answers(index) == answers(reader) == new
    assert [(hit.id, hit.score) for hit in view.search("w20", 5, mode="late")] == new[3]
    assert (index.model, reader.encoder.name) == ("hash:1", "hash:1")
    assert index.stats().model == "hash:1"
    assert index.verify() == []
    assert index.migration().can_roll_back
    back = index.rollback()
    assert (back.tier, back.model, back.encoded) == ("everything", "hash", 0)
    assert answers(index) == answers(reader) == old
    index.rollback()
    index.forget_previous()
    assert answers(index) == answers(reader) == new
    assert index.verify() == []
    segments = {path.name for path in (index.path / "segments").iterdir()}
    assert segments == store_of(index).catalog.segment_names()
    with Retriever.open(index.path) as again:
        assert answers(again) == new
    reader.close()


@pytest.mark.parametrize("mode", ["late", "hybrid"])
def test_relevance_evidence_and_plans_are_of_the_new_model(index, mode):
    def told(retriever):
        hits = retriever.search("w1 w2 w3", 5, mode=mode)
        shown = [(hit.id, hit.score, hit.relevance, hit.evidence) for hit in hits]
        plan = retriever.plan("w1 w2 w3", mode=mode)
        reranked = [hit.score for hit in retriever.rerank("w1 w2", ["w1 w9", "w2"])]
        return shown, plan, retriever.explain("w1 w2", "p5-3").score, reranked

    before = told(index)
    index.migrate(NEW)
    with Retriever.from_texts(list(texts().values()), ids=list(texts()), model=NEW) as other:
        assert told(index) == told(other)
    index.rollback()
    assert told(index) == before


def test_what_is_written_meanwhile_is_in_the_new_space(index, monkeypatch):
    """Added, replaced and deleted, in this process and by another writer."""
    small_groups(monkeypatch)
    more, changed = texts(9, 6), {"p5-1": "w1 w2 w3 w1", "p5-29": "w20 w20"}
    with Retriever.open(index.path) as writer:

        def write() -> None:
            put(writer, more)
            put(writer, changed)
            writer.delete(["p5-2", "p5-28", "p6-1"])

        index.migrate(NEW, progress=Interrupting(10, write))
        expected = {**texts(), **more, **changed}
        expected = {id: text for id, text in expected.items()
                    if id not in ("p5-2", "p5-28", "p6-1")}  # fmt: skip
        assert answers(index) == answers(writer) == plain(expected, NEW)
        assert index.verify() == []
        # And in the window, of which the old space knows nothing yet.
        put(writer, {"late": "w1 w2 w3", "p5-4": "w39 w4"})
        writer.delete(["p5-5", "p6-2"])
        assert index.migration().missing == 2
        told = index.rollback()
        assert told.encoded == 2
        expected |= {"late": "w1 w2 w3", "p5-4": "w39 w4"}
        expected = {id: text for id, text in expected.items() if id not in ("p5-5", "p6-2")}
        assert answers(index) == plain(expected)
        assert index.verify() == []
        index.optimize(forget_after=0)
        assert index.verify() == []
        index.rollback()
        assert answers(index) == plain(expected, NEW)


def test_interrupted_it_goes_on_where_it_stopped(index, monkeypatch):
    small_groups(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        index.migrate("hash:1", progress=Interrupting(16, stop))
    status = index.migration()
    assert (status.model, status.building, status.built) == ("hash", "hash:1", 14)
    assert answers(index) == plain(texts())
    assert index.verify() == []
    with Retriever.open(index.path) as again:
        assert again.migrate("hash:1").encoded == 16
        assert answers(again) == answers(index) == plain(texts(), NEW)
    assert index.verify() == []


def test_what_is_unfinished_can_be_given_up(index, monkeypatch):
    small_groups(monkeypatch)
    before = index.stats().bytes
    with pytest.raises(KeyboardInterrupt):
        index.migrate("hash:1", progress=Interrupting(16, stop))
    with pytest.raises(ConfigError, match=r"being migrated to 'hash:1'.*forget_previous"):
        index.migrate("hash:2")
    index.forget_previous()
    assert index.migration() == MigrationStatus("hash", passages=30)
    index.delete([])
    assert index.stats().bytes < before * 2
    assert index.migrate("hash:2").model == "hash:2"
    assert index.verify() == []


def test_two_migrations_and_a_forgetful_one_beside_it(index, monkeypatch):
    small_groups(monkeypatch)
    met = []

    def interfere() -> None:
        for call in (
            lambda: other.migrate("hash:1"), other.rollback, other.forget_previous,
        ):  # fmt: skip
            with pytest.raises(IndexLockedError, match="being migrated by somebody else"):
                call()
            met.append(call)

    with Retriever.open(index.path) as other:
        index.migrate("hash:1", progress=Interrupting(5, interfere))
    assert len(met) == 3


def test_one_former_space_is_kept_and_none_is_lost_unasked(index):
    index.migrate("hash:1", keep="2h")
    mine = QueryAdapter(np.eye(32, dtype=np.float32)[::-1].copy(), weights_of(NEW), "always")
    for other in ("hash:2", mine):
        with pytest.raises(
            ConfigError, match=r"keeps what served before, 'hash', until .*one only"
        ):
            index.migrate(other)
    assert index.migrate("hash").encoded == 0  # which is what a rollback does
    assert index.migration().former_model == "hash:1"
    index.migrate("hash:1", keep=0)
    assert index.migrate("hash:2", keep=0).model == "hash:2"
    assert index.migration().former_model == "hash:1"
    index.migrate(QueryAdapter(mine.matrix, weights_of(HashEncoder(salt=2)), "always"))
    assert index.migration().former_model == "hash:2"
    assert index.verify() == []


def test_optimize_forgets_a_space_whose_time_is_over(index):
    index.migrate("hash:1", keep=3600)
    index.optimize()
    assert index.migration().can_roll_back
    index.migrate("hash", keep=0)
    index.optimize()
    assert index.migration() == MigrationStatus("hash", passages=30)
    assert len(store_of(index).catalog.spaces()) == 1
    assert index.verify() == []


def test_an_adapter_belongs_to_its_space(index):
    mine = QueryAdapter(
        np.eye(32, dtype=np.float32)[::-1].copy(), weights_of(HashEncoder()), "always"
    )
    index.migrate(mine)
    adapted = answers(index)
    index.migrate("hash:1")
    assert (index.migration().query_adapter, answers(index)) == (None, plain(texts(), NEW))
    index.rollback()
    assert index.migration().query_adapter == mine.summary
    assert answers(index) == adapted
    index.forget_previous()
    assert index.migrate("hash").query_adapter is None  # the same model, without it
    assert answers(index) == plain(texts())
    index.rollback()
    assert answers(index) == adapted


@pytest.mark.parametrize(
    "options",
    [pytest.param({"pool_factor": 2}, marks=pytest.mark.slow), {"storage": "compressed"}, {}],
)
def test_another_width_pooled_or_compressed(tmp_path, monkeypatch, options):
    set_policy(monkeypatch, auto_vectors=200, min_vectors=200, fan_in=4)
    small_groups(monkeypatch)
    monkeypatch.setattr(building, "_TEXTS", 60)
    wide, many = HashEncoder(dim=48), texts(200)
    with Retriever.open(tmp_path / "index", model="hash", **options) as retriever:
        put(retriever, many)
        storage = retriever.optimize().storage
        old = answers(retriever)
        retriever.migrate(wide)
        assert retriever.stats().dim == 48
        assert retriever.verify() == []
        assert retriever.stats().storage == storage
        with Retriever.from_texts(
            list(many.values()), ids=list(many), model=wide, **options
        ) as other:
            exact = other.search_many(migration_reader.QUESTIONS, 1, mode="late")
        found = retriever.search_many(migration_reader.QUESTIONS, 1, mode="late")
        scores = [[hits[0].score for hits in one] for one in (found, exact)]
        assert scores[0] == pytest.approx(scores[1], rel=0.15)
        retriever.optimize(forget_after=0)
        retriever.rollback()
        assert retriever.verify() == []
        assert answers(retriever) == old


def test_an_index_is_opened_by_any_model_that_lives_in_it(index):
    index.migrate("hash:1")
    for model in ("hash", "hash:1", NEW, HashEncoder()):
        with Retriever.open(index.path, model=model) as one:
            assert answers(one) == plain(texts(), NEW)
    with pytest.raises(IndexMismatchError, match="another model"):
        Retriever.open(index.path, model="hash:2")
    index.forget_previous()
    with pytest.raises(IndexMismatchError, match="another model"):
        Retriever.open(index.path, model="hash")


def test_what_was_learned_of_a_space_stays_with_it(index):
    store_of(index).change_settings(fusion={"weight": 0.5})
    index.measure_recall()
    index.migrate("hash:1")
    assert store_of(index).snapshot().settings.fusion is None
    assert index.stats().recall is None
    assert index._searcher.remembered.vectors(store_of(index).snapshot()) == []
    index.rollback()
    assert store_of(index).snapshot().settings.fusion == {"weight": 0.5}


def test_every_copy_has_both_spaces(index, tmp_path):
    index.migrate("hash:1")
    put(index, {"late": "w1 w2 w3"})
    index.backup(tmp_path / "copy")
    with Retriever.restore(tmp_path / "copy", tmp_path / "again") as restored:
        assert answers(restored) == answers(index) == plain({**texts(), "late": "w1 w2 w3"}, NEW)
        assert restored.rollback().encoded == 1
        assert answers(restored) == plain({**texts(), "late": "w1 w2 w3"})
        assert restored.verify() == []
    index.export(tmp_path / "export")
    told = json.loads((tmp_path / "export" / "export.json").read_text("utf-8"))
    assert (told["model"], told["vectors"]) == ("hash:1", index.stats().vectors)


def rows_held(retriever) -> set[int]:
    """Return the rows of which any segment of any space holds vectors."""
    store, held = store_of(retriever), set()
    for name in store.catalog.spaces():
        space = store.within(name)
        held |= {row for one in space.snapshot().segments for row in one.segment.rows.tolist()}
        space.close()
    return held


@reads_what_is_removed
@pytest.mark.parametrize("how", ["in both spaces", "while it is encoded"])
def test_what_is_purged_is_in_no_space(index, monkeypatch, how):
    def remove() -> None:
        with Retriever.open(index.path) as other:
            other.delete(["p5-3", "p5-20"])
            assert other.purge().passages == 2

    if how == "in both spaces":
        index.migrate("hash:1")
        remove()
    else:
        monkeypatch.setattr(building, "_TEXTS", 10)
        index.migrate("hash:1", progress=Interrupting(10, remove))
    left = {id: text for id, text in texts().items() if id not in ("p5-3", "p5-20")}
    assert answers(index) == plain(left, NEW)
    assert len(rows_held(index)) == 28
    assert index.verify() == []
    index.rollback()
    assert answers(index) == plain(left)


def test_an_index_that_is_read_only_is_left_alone(index):
    with Retriever.open(index.path, read_only=True) as reader:
        for call in (lambda: reader.migrate("hash:1"), reader.rollback, reader.forget_previous):
            with pytest.raises(ReadOnlyError):
                call()


def test_a_text_of_which_a_model_makes_nothing_is_named(index):
    class Blind(HashEncoder):
        def encode_document(self, texts, *, progress=None):
            found = super().encode_document(texts, progress=progress)
            return [one if "w7" not in text else type(one)(one.vectors[:0], one.token_ids[:0],
                    one.spans[:0]) for one, text in zip(found, texts, strict=True)]  # fmt: skip

    with pytest.raises(InputError, match="p5-"):
        index.migrate(Blind(salt=3))
    assert answers(index) == plain(texts())
    index.forget_previous()
    assert index.verify() == []


def test_an_empty_index_and_one_in_memory_are_migrated():
    with Retriever.from_texts([], model="hash") as retriever:
        assert retriever.migrate(NEW).encoded == 0
        retriever.add(["w1 w2 w3"], ids=["one"])
        assert retriever.rollback().encoded == 1
        assert [hit.id for hit in retriever.search("w1", mode="late")] == ["one"]
        assert isinstance(retriever.migrate(NEW), Migration)
        assert retriever.verify() == []


def test_threads_get_answers_of_one_space(index):
    expected = [plain(texts()), plain(texts(), NEW)]
    done = threading.Event()

    def ask(retriever):
        found = []
        while not done.is_set() or not found:
            found.append(answers(retriever))
        return found

    index.migrate(NEW)
    with Retriever.open(index.path, read_only=True) as reader, ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, each) for each in (index, index, reader, reader)]
        try:
            for _ in range(10):
                index.rollback()
        finally:
            done.set()
        found = [one for each in asking for one in each.result()]
    assert all(one in expected for one in found)


@pytest.mark.subprocess
@pytest.mark.slow
def test_processes_get_answers_of_one_space(index, tmp_path):
    """Four ask, a fifth writes; LFM2_COLBERT_SWITCHES and LFM2_COLBERT_ASKED make it long."""
    expected = [json.loads(json.dumps(plain(texts(), model))) for model in ("hash", "hash:1")]
    script, ended = Path(migration_reader.__file__), tmp_path / "ended"
    commands = [["read", index.path, ended, ASKED]] * 4 + [["write", index.path, ended]]
    environment = {**os.environ, "LFM2_COLBERT_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, script, *map(str, command)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for command in commands
    ]
    try:
        assert [one.stdout.readline() for one in started] == ["ready\n"] * 5
        with Retriever.open(index.path, lock_timeout=60) as migrating:
            migrating.migrate("hash:1")
            for _ in range(SWITCHES - 1):
                migrating.rollback()
        ended.touch()
        told = [json.loads(one.communicate()[0]) for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()
    assert [one.returncode for one in started] == [0] * 5
    assert all(one["asked"] >= ASKED for one in told[:4])
    seen = [found for one in told for found in one["seen"]]
    assert all(found in expected for found in seen)
    assert all(one in seen for one in expected)
    assert index.verify() == []
