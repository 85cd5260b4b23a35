"""A query adapter served by an index: one commit there, one back, and no answer in between."""

from __future__ import annotations

import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lfm2_colbert_rag import Migration, MigrationStatus, QueryAdapter, Retriever
from lfm2_colbert_rag.encoder.query_adapter import FILE, weights_of
from lfm2_colbert_rag.errors import (
    ConfigError,
    IndexCorruptError,
    ModelFormatError,
    ReadOnlyError,
    RetrieverClosedError,
)
from lfm2_colbert_rag.retriever.maintenance.migration import VERDICT, read_period
from lfm2_colbert_rag.storage.verification import verify_folder
from lfm2_colbert_rag.testing import HashEncoder

from ..encoder.biased import BiasedEncoder, without_languages
from ..inside import store_of

WORDS = [f"w{number}" for number in range(40)]
QUESTIONS = ["w1 w2 w3", "w4 w5 w39", "w11 w12 w13 w14"]


def adapter(seed: int, encoder=None, use="always", summary=None) -> QueryAdapter:
    """Return a map that answers differently."""
    encoder = HashEncoder() if encoder is None else encoder
    matrix = np.random.default_rng(seed).standard_normal((encoder.dim, encoder.dim))
    return QueryAdapter(
        (np.eye(encoder.dim) + matrix / 4).astype(np.float32),
        weights_of(encoder),
        use,
        {"summary": summary or f"number {seed}"},
    )


def fill(retriever: Retriever) -> Retriever:
    draw = np.random.default_rng(5)
    texts = [" ".join(draw.choice(WORDS, 6)) for _ in range(30)]
    retriever.add(texts, ids=[f"p{number}" for number in range(30)])
    return retriever


@pytest.fixture
def index(tmp_path):
    with fill(Retriever.open(tmp_path / "index", model="hash")) as retriever:
        yield retriever


def answers(retriever, **options):
    return [
        [(hit.id, hit.score) for hit in hits]
        for hits in retriever.search_many(QUESTIONS, 5, mode="late", **options)
    ]


def test_all_ways_to_ask_go_by_the_adapter_that_serves(index):
    one = adapter(1)
    named = {"query_adapter": one}
    expected = answers(index, **named)
    assert expected != answers(index)
    ranks = index.rank_many(QUESTIONS, **named)
    text = QUESTIONS[0]
    reranked = [hit.score for hit in index.rerank(text, ["w1 w7", "w2"], **named)]
    lit = index.explain(text, "p0", **named).score
    diverse = [one.id for one in index.search(text, 3, diversity=0.5, **named)]
    by_words = index.search(text, mode="lexical", **named)[0].evidence

    assert index.migrate(one).query_adapter == "number 1"
    assert answers(index) == expected
    assert index.rank_many(QUESTIONS) == ranks
    assert [hit.score for hit in index.rerank(text, ["w1 w7", "w2"])] == reranked
    assert index.explain(text, "p0").score == lit
    assert [one.id for one in index.search(text, 3, diversity=0.5)] == diverse
    assert index.search(text, mode="lexical")[0].evidence == by_words
    assert index.plan(text).query_adapter == "number 1"
    assert index.view_of_all().search(text, 5, mode="late")[0].score == expected[0][0][1]
    assert answers(index, query_adapter="none") == answers(index, query_adapter="none")
    assert index.plan(text, query_adapter="none").query_adapter is None
    assert index.plan(text, query_adapter=adapter(2)).query_adapter == "number 2"


def test_back_and_forth(index):
    plain, one, two = (answers(index, query_adapter=a) for a in ("none", adapter(1), adapter(2)))
    index.migrate(adapter(1))
    index.migrate(adapter(2))
    assert answers(index) == two
    assert index.rollback().query_adapter == "number 1"
    assert answers(index) == one
    assert index.rollback().query_adapter == "number 2"
    index.rollback()
    index.forget_previous()
    assert answers(index) == one
    assert plain != one != two
    with pytest.raises(ConfigError, match="keeps nothing that served before"):
        index.rollback()
    with pytest.raises(ConfigError, match="keeps nothing that served before"):
        index.forget_previous()
    assert index.verify() == []
    assert len(list((index.path / "adapters").iterdir())) == 1


def test_status_tells_what_serves_and_what_did(index):
    assert index.migration() == MigrationStatus("hash", passages=30)
    index.migrate(adapter(1), keep="2h")
    told = index.migrate(adapter(2), keep="2h")
    status = index.migration()
    assert (status.query_adapter, status.former_query_adapter) == ("number 2", "number 1")
    assert (status.former_model, status.can_roll_back) == ("hash", True)
    assert status.since < status.kept_until == told.kept_until
    assert json.loads(json.dumps(status.to_dict()))["kept_until"] == told.kept_until
    assert (told.tier, told.model, told.encoded) == ("query", "hash", 0)


def test_the_same_again_changes_nothing(index):
    index.migrate(adapter(1))
    generation = store_of(index).catalog.generation()
    assert index.migrate(adapter(1)).generation == generation
    index.forget_previous()
    assert index.migrate(adapter(1)).kept_until is None


@pytest.mark.parametrize("how", ["adapter", "file", "folder", "text"])
def test_an_adapter_is_given_as_it_is_by_its_file_or_its_folder(index, tmp_path, how):
    one = adapter(1)
    (tmp_path / "made").mkdir()
    one.save(tmp_path / "made" / FILE)
    path = tmp_path / "made"
    index.migrate(
        {"adapter": one, "file": path / FILE, "folder": path, "text": os.fspath(path / FILE)}[how]
    )
    expected = answers(index)
    shutil.rmtree(path)
    with Retriever.open(index.path) as reader:
        assert answers(reader) == expected == answers(index, query_adapter=one)


def test_an_adapter_of_another_model_is_refused(index, tmp_path):
    for other in (HashEncoder(salt=1), HashEncoder(dim=16)):
        with pytest.raises(ConfigError, match="made for another model than 'hash'"):
            index.migrate(adapter(1, other))
    (tmp_path / "odd").write_bytes(b"odd")
    with pytest.raises(ModelFormatError):
        index.migrate(tmp_path / "odd")
    talker = QueryAdapter(np.eye(32, dtype=np.float32), weights_of(HashEncoder()), "always",
                          {"summary": "x" * 70_000})  # fmt: skip
    with pytest.raises(ConfigError, match="origin of this query adapter has more than"):
        index.migrate(talker)
    assert index.migration() == MigrationStatus("hash", passages=30)
    assert not (index.path / "adapters").exists()


def test_what_a_gate_refused_is_refused(index, tmp_path):
    adapter(1).save(tmp_path / FILE)
    verdict = tmp_path / VERDICT
    verdict.write_text(json.dumps({"adopted": False, "reasons": ["It loses .03.", "p is .4."]}))
    for named in (tmp_path, tmp_path / FILE):
        with pytest.raises(ConfigError, match=r"not adopted: It loses \.03\. p is \.4\."):
            index.migrate(named)
    assert index.migration().query_adapter is None
    assert index.migrate(tmp_path, despite_gate=True).query_adapter == "number 1"
    verdict.write_text(json.dumps({"adopted": True}))
    adapter(2).save(tmp_path / FILE)
    assert index.migrate(tmp_path).query_adapter == "number 2"
    for odd in ("[]", "{}", '{"adopted": 1}', "{", '{"adopted": true, "reasons": 3}'):
        verdict.write_text(odd)
        with pytest.raises(ConfigError, match=r"verdict\.json"):
            index.migrate(tmp_path)


@pytest.mark.parametrize("keep", [-1, "7", "soon", None, True, float("nan"), "3 weeks"])
def test_odd_times_are_refused(index, keep):
    with pytest.raises(ConfigError, match='such as "7d"'):
        index.migrate(adapter(1), keep=keep)
    assert index.migration().query_adapter is None


def test_times():
    assert [read_period(one) for one in (0, 2.5, "30m", "1.5 d")] == [0, 2.5, 1800, 129_600]


def test_the_longest_time_is_for_ever(index):
    index.migrate(adapter(1), keep=1e300)
    assert index.migration().kept_until.startswith("9999")


def test_optimize_forgets_what_need_not_be_kept(index):
    index.migrate(adapter(1), keep=3600)
    index.optimize()
    assert index.migration().can_roll_back
    index.migrate(adapter(2), keep=0)
    index.optimize()
    assert not index.migration().can_roll_back
    assert len(list((index.path / "adapters").iterdir())) == 1


def test_read_only_and_closed_indexes_are_left_alone(index):
    index.migrate(adapter(1))
    index.migrate(adapter(2))
    with Retriever.open(index.path, read_only=True) as reader:
        for write in (
            lambda: reader.migrate(adapter(3)),
            reader.rollback,
            reader.forget_previous,
        ):
            with pytest.raises(ReadOnlyError):
                write()
        assert reader.migration() == index.migration()
    for call in (lambda: reader.migrate(adapter(3)), reader.rollback, reader.migration):
        with pytest.raises(RetrieverClosedError):
            call()


def test_the_canary_tells_how_many_answers_stay(index):
    eye = QueryAdapter(np.eye(32, dtype=np.float32), weights_of(HashEncoder()), "always")
    assert index.migrate(eye, questions=[*QUESTIONS, QUESTIONS[0]]).overlap == 1
    told = index.migrate(adapter(1), questions=QUESTIONS)
    assert told.asked == 3
    assert 0 < told.overlap < 1
    assert index.migrate(adapter(2)).overlap is None


def test_an_index_of_several_languages_takes_language_out_after_what_was_learned():
    model = BiasedEncoder(bias=2.0)
    fair = QueryAdapter(
        without_languages(("de", "en"), model), weights_of(model), "mixed", {"summary": "fair"}
    )
    model.query_adapter = fair
    german = ("de: Das Wetter wird am Abend wieder besser werden", "de: Wir gehen in die Schule")
    english = ("en: key router reset", "en: The weather is going to be better in the evening")
    learned = adapter(3, model)
    both = QueryAdapter(fair.matrix @ learned.matrix, weights_of(model), "always")
    question = "de: key router reset"
    for texts, expected in (((*german, *english), both), (german, learned)):
        retriever = Retriever.from_texts(texts, model=model)
        wanted = retriever.rank_many([question], query_adapter=expected, mode="late")
        retriever.migrate(learned)
        assert retriever.rank_many([question], mode="late")[0] == [
            (id, pytest.approx(score, rel=1e-5)) for id, score in wanted[0]
        ]
    # One that is itself for several languages takes the place of the model's.
    retriever = Retriever.from_texts([*german, *english], model=model)
    retriever.migrate(adapter(4, model, "mixed", "fairer"))
    assert retriever.plan(question).query_adapter == "fairer"


def test_every_copy_has_it(index, tmp_path):
    index.migrate(adapter(1))
    index.migrate(adapter(2))
    index.backup(tmp_path / "copy")
    with Retriever.restore(tmp_path / "copy", tmp_path / "again") as restored:
        assert answers(restored) == answers(index)
        restored.rollback()
        assert answers(restored) == answers(index, query_adapter=adapter(1))
    index.export(tmp_path / "export")
    with fill(Retriever.open(tmp_path / "other", model="hash")) as other:
        other.migrate(tmp_path / "export")
        assert answers(other) == answers(index)


def test_a_file_that_is_no_commits_is_told_and_swept(index):
    index.migrate(adapter(1))
    orphan = index.path / "adapters" / f"{'0' * 64}.safetensors"
    orphan.write_bytes(b"left")
    (told,) = index.verify()
    assert "left behind by a write that never finished" in told
    with Retriever.open(index.path) as writer:
        writer.delete(["p0"])
    assert not orphan.exists()
    assert index.verify() == []


def altered(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def linked(path):
    aside = path.rename(path.parents[2] / "aside")
    path.symlink_to(aside)


DAMAGES = {
    "altered": (altered, "checksum differs"),
    "missing": (os.unlink, "is missing"),
    "cut": (lambda path: os.truncate(path, 100), "checksum differs"),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "checksum differs"),
    "a link": (linked, "is a link"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_adapter_maps_nothing(index, tmp_path, damage):
    index.migrate(adapter(1))
    index.migrate(adapter(2))
    do, message = DAMAGES[damage]
    former = index.path / "adapters" / _file(index, "former")
    do(former)
    with pytest.raises(IndexCorruptError, match=message):
        index.rollback()
    assert any(message in said for said in index.verify())
    with pytest.raises(IndexCorruptError):
        index.backup(tmp_path / "copy")
    assert answers(index) == answers(index, query_adapter=adapter(2))
    shutil.rmtree(former) if damage == "a folder" else former.unlink(missing_ok=True)
    index.forget_previous()
    do(index.path / "adapters" / _file(index, "query_adapter"))
    with pytest.raises(IndexCorruptError, match=message):
        Retriever.open(index.path)
    assert any(message in said for said in verify_folder(index.path))


def _file(index, setting):
    found = getattr(store_of(index).snapshot().settings, setting)
    return (found if setting == "query_adapter" else found["query_adapter"])[
        "name"
    ] + ".safetensors"


def test_readers_answer_by_what_served_or_by_what_serves(index):
    """Threads of this retriever, and of another that only reads."""
    one, two = adapter(1), adapter(2)
    index.migrate(one)
    index.migrate(two)
    expected = [answers(index, query_adapter=each) for each in (one, two)]
    done = threading.Event()

    def ask(retriever):
        found = []
        while not done.is_set() or not found:
            found.append(answers(retriever))
        return found

    with Retriever.open(index.path, read_only=True) as reader, ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, each) for each in (index, index, reader, reader)]
        try:
            for _ in range(20):
                index.rollback()
        finally:
            done.set()
        found = [one for each in asking for one in each.result()]
        assert all(one in expected for one in found)
        assert answers(reader) == answers(index)


def test_values_that_no_migration_has_are_refused():
    for odd in ({"tier": "head"}, {"encoded": -1}, {"asked": 1}, {"asked": 1, "overlap": 2.0}):
        with pytest.raises(ConfigError):
            Migration(**{"tier": "query", "model": "hash", "query_adapter": None,
                         "generation": 1, **odd})  # fmt: skip
    with pytest.raises(ConfigError):
        MigrationStatus("hash", built=2, passages=1)
