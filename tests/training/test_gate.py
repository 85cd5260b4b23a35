"""The gate: what helps is adopted; chance, forgetting and what nobody judged are not."""

from __future__ import annotations

import json
import logging
import os
import stat
from types import SimpleNamespace

import numpy as np
import pytest

from lfm2_colbert_rag import AlignedTexts, QueryAdapter, Retriever, load_encoder
from lfm2_colbert_rag.encoder.query_adapter import weights_of
from lfm2_colbert_rag.errors import ConfigError, InputError, ModelNotFoundError
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.training import Work, adapt, judge, mine, purge
from tests.training.noisy import (
    FORGETS,
    ID,
    LEARNS,
    QUESTION,
    TEXT,
    fill,
    labels,
    name,
    passage,
    question,
    shuffled,
)

SEEDS = int(os.environ.get("LFM2_COLBERT_SHUFFLES", "0"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return what one run left behind: an index, a work folder, a model that was adopted."""
    home = tmp_path_factory.mktemp("ran")
    heard: list[str] = []
    handler = logging.Handler(0)
    handler.emit = lambda record: heard.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    before = os.umask(0)
    with fill(Retriever.open(home / "index", model="hash")) as index:
        try:
            verdict = adapt(index, labels(), settings=LEARNS)
        finally:
            os.umask(before)
            logging.getLogger().removeHandler(handler)
        yield SimpleNamespace(
            home=home,
            index=index,
            verdict=verdict,
            work=Work.open(home / "index.work"),
            model=home / "index.work.model",
            heard=heard,
        )


@pytest.fixture
def noisy():
    with Retriever.from_texts([], model="hash") as index:
        yield fill(index)


def plain(index: Retriever) -> QueryAdapter:
    """Return an adapter that changes nothing."""
    encoder = index.encoder
    return QueryAdapter(np.eye(encoder.dim, dtype=np.float32), weights_of(encoder), "always")


def test_what_helps_is_adopted(ran):
    verdict = ran.verdict
    assert (verdict.adopted, verdict.reasons) == (True, ())
    assert verdict.folder == ran.model
    test = verdict.figure("test")
    assert test.questions > 190
    assert "in 5 parts" in verdict.notes[0]
    assert test.gain > 0.2
    assert test.corrected < 0.05
    assert verdict.figure("test", "hybrid").gain > 0
    assert verdict.facts["models_judged"] == 1
    assert verdict.drift[0] < 1
    assert verdict.drift[1] == pytest.approx(1)


def test_the_index_stays_as_it_is(ran):
    adapter = ran.model / "query_adapter.safetensors"
    asked = [question for question, _ in labels()]
    ids = [id for _, id in labels()]
    plain, adapted = (
        sum(hits[0][0] == id for id, hits in zip(ids, found, strict=True))
        for found in (
            ran.index.rank_many(asked, 1, mode="late"),
            ran.index.rank_many(asked, 1, mode="late", query_adapter=adapter),
        )
    )
    assert plain < 80 < 120 < adapted
    assert ran.index.stats().generation == 1


def test_the_verdict_is_with_the_model_and_in_the_work_folder(ran):
    written = [json.loads((at / "verdict.json").read_text()) for at in (ran.model, ran.work.folder)]
    assert written[0] == written[1] == ran.verdict.to_dict()
    assert written[0]["adopted"] is True
    assert written[0]["figures"][0]["gain"] > 0.2


def test_nothing_private_is_written_but_into_the_work_folder(ran):
    """Not into the model's folder, its card, the verdict, the log or the cache."""
    words = [word.encode() for word in (TEXT, QUESTION, ID)]
    places = {ran.index.path, ran.work.folder}
    seen = 0
    for path in ran.home.rglob("*"):
        if path.is_file() and not places & set(path.parents):
            seen += 1
            assert not [word for word in words if word in path.read_bytes()], path
            assert str(ran.home).encode() not in path.read_bytes(), path
    assert seen >= 3
    told = json.dumps(ran.verdict.to_dict()) + "\n".join(ran.heard)
    assert not [word for word in (TEXT, QUESTION, ID) if word in told]


@pytest.mark.skipif(os.name == "nt", reason="rights are other ones there")
def test_everything_is_its_owners_alone(ran):
    for home in (ran.work.folder, ran.model):
        for path in [home, *home.rglob("*")]:
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_the_report_shows_what_changed(ran):
    shown = (ran.work.folder / "report" / "report.html").read_text("utf-8")
    assert "present model" in shown
    assert "new model" in shown
    assert "questions that got better, as they were answered before" in shown
    assert question(0).split()[0] in shown


@pytest.mark.slow
def test_it_goes_on_where_it_was(ran):
    """Nothing is mined or trained again, and the same model counts once."""
    adapter = ran.model / "query_adapter.safetensors"
    before = adapter.stat().st_mtime_ns
    again = adapt(ran.index, labels(), settings=LEARNS)
    assert adapter.stat().st_mtime_ns == before
    assert again.figures == ran.verdict.figures
    assert again.facts["models_judged"] == 1
    with pytest.raises(ConfigError, match="holds other labels, or was made with another seed"):
        adapt(ran.index, labels(100), settings=LEARNS)
    with pytest.raises(ConfigError, match="exists and is not empty"):
        adapt(ran.index, labels(), settings=FORGETS)


def test_what_forgets_is_refused(noisy, tmp_path):
    found = adapt(noisy, labels(), into=tmp_path / "work", settings=FORGETS)
    assert found.figure("test").gain > 0.2
    assert not found.adopted
    assert ["guard" in reason for reason in found.reasons] == [True]
    assert "within a language" in found.reasons[0]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))]
)
def test_shuffled_labels_are_refused(noisy, tmp_path, seed):
    found = adapt(noisy, shuffled(seed), into=tmp_path / "work", settings=LEARNS, seed=seed)
    assert not found.adopted
    assert json.loads((tmp_path / "work.model" / "verdict.json").read_text())["adopted"] is False


@pytest.mark.skipif(not SEEDS, reason="LFM2_COLBERT_SHUFFLES says how many")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_shuffled_labels_are_refused_with_a_real_model(tmp_path, seed):
    texts = AlignedTexts.bundled()
    pairs = [
        (asked, f"{language} {number}")
        for language in texts.languages
        for number, asked in enumerate(texts.questions[language])
    ]
    told = {
        f"{lang} {n}": one for lang in texts.languages for n, one in enumerate(texts.passages[lang])
    }
    ids = [id for _, id in pairs]
    np.random.default_rng(seed).shuffle(ids)
    wrong = [(asked, id) for (asked, _), id in zip(pairs, ids, strict=True)]
    with Retriever.from_texts(list(told.values()), ids=list(told), model="nano") as index:
        assert not adapt(index, wrong, into=tmp_path / "work", seed=seed).adopted


@pytest.mark.slow
def test_every_model_that_is_judged_counts(noisy, tmp_path):
    work = mine(noisy, labels(), into=tmp_path / "work", method="layers")
    first = judge(work, noisy, plain(noisy))
    assert first.figure("test").corrected == 1
    assert first.figure("test, unseen passages").questions == 40
    assert first.figure("test, seen passages") is None
    assert "No gain is proven" in first.reasons[0]
    turned = np.eye(32, dtype=np.float32)
    turned[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    second = judge(work, noisy, QueryAdapter(turned, weights_of(noisy.encoder), "always"))
    assert second.facts["models_judged"] == 2
    assert set(work.judged()) == {first.model, second.model}


@pytest.mark.slow
def test_another_model_is_tried_in_an_index_of_its_own(noisy, tmp_path):
    """A model that reads two words of a passage loses, among all passages or some of them."""
    work = mine(noisy, labels(), into=tmp_path / "work", method="layers")
    short = HashEncoder(document_length=1)
    found = judge(work, noisy, short)
    assert found.kind == "model"
    assert found.drift is None
    assert any("lose with late search" in reason for reason in found.reasons)
    assert found.facts["passages"] == 200
    assert len(noisy) == 200


@pytest.mark.slow
def test_of_a_large_index_both_models_search_the_same_part(noisy, tmp_path, monkeypatch):
    monkeypatch.setattr("lfm2_colbert_rag.training.candidates.SAMPLE", 60)
    work = mine(noisy, labels(60), into=tmp_path / "work", method="layers")
    found = judge(work, noisy, HashEncoder(document_length=9), report=False)
    assert 60 <= found.facts["passages"] < 200
    assert "Both models searched among" in found.notes[0]


@pytest.mark.slow
def test_without_judged_questions_nothing_is_proven(noisy, tmp_path):
    work = mine(noisy, into=tmp_path / "work", own=lambda text: [" ".join(text.split()[2:5])])
    assert work.pseudo
    found = judge(work, noisy, plain(noisy))
    assert found.reasons == ("No labelled question judges it, so that nothing is proven.",)
    assert [one.name for one in found.figures] == ["across languages", "within a language"]


@pytest.mark.slow
def test_few_judged_questions_prove_nothing(noisy, tmp_path):
    work = mine(noisy, labels(60), into=tmp_path / "work", method="layers")
    found = judge(work, noisy, plain(noisy), report=False)
    assert "judged questions prove nothing; label so many" in found.reasons[0]
    assert found.figure("test").questions < 20


@pytest.mark.slow
def test_few_labels_judge_out_of_fold(noisy, tmp_path):
    """All train and all judge, each by an adapter that knows neither it nor its passage."""
    found = adapt(noisy, labels(60), into=tmp_path / "work", settings=LEARNS)
    work = Work.open(tmp_path / "work")
    assert work.manifest["counts"] == {"train": found.figure("test").questions, "dev": 0, "test": 0}
    assert "in 5 parts" in found.notes[0]
    assert found.figure("test").gain > 0.1
    assert found.adopted
    with pytest.raises(ConfigError, match="judges the query adapter alone that was trained in it"):
        judge(work, noisy, plain(noisy))
    for n in range(30):
        noisy.delete([name(n)])
    later = judge(work, noisy, found.folder, report=False)
    assert later.figure("test").questions < found.figure("test").questions


@pytest.mark.slow
def test_shuffled_few_labels_are_refused(noisy, tmp_path):
    """Nothing of the question that is asked was learned: out of fold, chance gains nothing."""
    for seed in range(3):
        into = tmp_path / str(seed)
        assert not adapt(noisy, shuffled(seed)[:80], into=into, settings=LEARNS, seed=seed).adopted


@pytest.mark.slow
def test_one_passage_with_all_questions_is_divided_by_question_and_said(noisy, tmp_path):
    pairs = [(f"word{n} thing{n} of{n} all{n}", name(0)) for n in range(60)]
    work = mine(noisy, pairs, into=tmp_path / "work", method="layers")
    found = judge(work, noisy, plain(noisy))
    assert "100% of the questions hang together by their passages" in found.notes[0]
    assert found.figure("test, seen passages").questions == 12


@pytest.mark.slow
def test_questions_that_quote_their_passage_prove_nothing(noisy, tmp_path):
    pairs = [(" ".join(passage(n).split()[:6]), name(n)) for n in range(150)]
    work = mine(noisy, pairs, into=tmp_path / "work", method="layers")
    found = judge(work, noisy, plain(noisy))
    assert any("quote their passage word for word" in reason for reason in found.reasons)


@pytest.mark.slow
def test_the_users_own_guard_is_asked(noisy, tmp_path):
    """What trains looks past words that are everything in the guard."""
    guard = tmp_path / "guard"
    guard.mkdir()
    lines = {
        "corpus.jsonl": [{"id": str(n), "text": f"zz{n % 4} only{n % 4}"} for n in range(4)],
        "queries.jsonl": [{"id": str(n), "text": f"zz{n % 4}"} for n in range(4)],
        "qrels.jsonl": [{"query": str(n), "doc": str(n)} for n in range(4)],
    }
    for file, rows in lines.items():
        (guard / file).write_text("\n".join(map(json.dumps, rows)))
    work = mine(noisy, labels(), into=tmp_path / "work", guard=guard, method="layers")
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.standard_normal((32, 32)))[0].astype(np.float32)
    found = judge(work, noisy, QueryAdapter(turned, weights_of(noisy.encoder), "always"))
    own = found.figure("own guard")
    assert (own.questions, own.before) == (4, 1.0)
    assert own.after < 1
    assert any("'own guard' falls" in reason for reason in found.reasons)


def test_models_that_do_not_fit_are_errors(ran, tmp_path):
    other = HashEncoder(dim=16)
    adapter = QueryAdapter(np.eye(16, dtype=np.float32), weights_of(other), "always")
    with pytest.raises(ConfigError, match="was made for another model"):
        judge(ran.work, ran.index, adapter)
    with pytest.raises(ModelNotFoundError, match="there is no model at"):
        judge(ran.work, ran.index, tmp_path / "gone")
    with (
        Retriever.from_texts([passage(0)], ids=[name(0)], model=other) as index,
        pytest.raises(ConfigError, match="was made with the model 'hash'"),
    ):
        judge(ran.work, index, adapter)
    with (
        Retriever.from_texts(["Another text"], ids=[name(0)], model="hash") as index,
        pytest.raises(ConfigError, match=r"was made of the index .* and not of"),
    ):
        judge(ran.work, index, ran.model)


def test_an_index_in_memory_needs_a_folder(noisy):
    with pytest.raises(ConfigError, match="name the work folder with into="):
        adapt(noisy, labels())


def test_a_work_folder_is_purged_and_nothing_else(noisy, tmp_path):
    work = mine(noisy, labels(60), into=tmp_path / "work")
    (tmp_path / "beside").write_text("stays")
    assert purge(work.folder) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["beside"]
    for odd in (tmp_path, tmp_path / "gone"):
        with pytest.raises(ConfigError, match="is no work folder"):
            purge(odd)
    assert [path.name for path in tmp_path.iterdir()] == ["beside"]


@pytest.mark.slow
def test_the_graphs_of_a_trained_model_are_purged_from_the_cache(noisy, tmp_path):
    """Its weights may hold the texts that it was trained on."""
    from lfm2_colbert_rag._support.cache_folder import cache_folder
    from lfm2_colbert_rag.encoder.hub import resolve_model

    load_encoder("nano", dtype="float32").encode_query(["a key"])
    graphs = cache_folder() / "onnx"
    before = {path.name for path in graphs.iterdir() if path.is_dir()}
    assert any(one.startswith("float32") for one in before)
    work = mine(noisy, labels(60), into=tmp_path / "work")
    work.write("trained.json", {"folder": str(resolve_model("nano")), "settings": {}})
    purge(work.folder)
    assert not any(path.name.startswith("float32") for path in graphs.iterdir())


def test_damaged_work_is_no_verdict(ran, tmp_path):
    with pytest.raises(InputError, match=r"test\.jsonl is missing"):
        judge(_without_test(ran.work, tmp_path), ran.index, ran.model)


def _without_test(work: Work, home) -> Work:
    import shutil

    copy = home / "work"
    shutil.copytree(work.folder, copy)
    (copy / "test.jsonl").unlink()
    return Work.open(copy)
