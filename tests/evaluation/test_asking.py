"""Laws of asking many questions at once: the same figures, nothing twice, and progress told."""

from __future__ import annotations

import dataclasses

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag._support import progress as bars
from lfm2_colbert_rag.errors import ConfigError, ModelError
from lfm2_colbert_rag.evaluation import (
    Dataset,
    asking,
    evaluate,
    evaluate_family,
    load_dataset,
    load_family,
)
from lfm2_colbert_rag.evaluation.remembering import RememberingEncoder
from lfm2_colbert_rag.evaluation.runs import keep_order
from lfm2_colbert_rag.testing import HashEncoder

from ..grown import compress_early, sentences
from .conftest import QRELS, QUERIES, passages

pytest.importorskip("ir_measures", reason="the extra 'evaluation' is not installed")

MODES = ("late", "hybrid", "lexical")
DEPTH = 10


class Counting(HashEncoder):
    """Remembers what it encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = []

    def encode_query(self, texts):
        self.asked += texts
        return super().encode_query(texts)


def large() -> Dataset:
    """Return queries of one word and of many, some of which are alike, on passages that tie."""
    texts = sentences(40)
    corpus = [*passages(), *(type(passages()[0])(f"s{n}", text) for n, text in enumerate(texts))]
    corpus += [dataclasses.replace(corpus[-1], id=f"again{n}") for n in range(4)]
    queries = {f"q{n}": text for n, text in enumerate([*sentences(5, 5), *QUERIES.values()])}
    qrels = {id: {f"s{number}": 1, "reset": 2} for number, id in enumerate(queries)}
    return Dataset(corpus, queries, qrels, "large")


def without_seconds(value):
    """Return a report without what the clock says."""
    if isinstance(value, dict):
        return {key: without_seconds(one) for key, one in value.items() if key != "seconds"}
    return [without_seconds(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("compressed", [False, True])
def test_in_batches_and_one_by_one_give_the_same_report(monkeypatch, compressed):
    if compressed:
        compress_early(monkeypatch)
    dataset = large()
    with Retriever.from_texts([], model="hash") as retriever:
        retriever.add_stream(dataset.corpus)
        found = []
        for size in (1, 4, 64):
            monkeypatch.setattr(asking, "BATCH", size)
            one = evaluate(dataset, retriever, modes=MODES, worst=1)
            found.append((without_seconds(one.to_dict()), [one.modes[m].run for m in MODES]))
        assert found[0] == found[1] == found[2]
        for mode, run in zip(MODES, found[0][1], strict=True):
            for id, query in dataset.queries.items():
                hits = retriever.search(query, DEPTH, mode=mode)
                assert run[id] == keep_order((hit.id, hit.score) for hit in hits)


def test_folders_of_beir_go_the_same_way(beir, monkeypatch):
    dataset = load_dataset(beir)
    whole = evaluate(dataset, model="hash", modes=MODES)
    monkeypatch.setattr(asking, "BATCH", 1)
    alone = evaluate(dataset, model="hash", modes=MODES)
    assert without_seconds(whole.to_dict()) == without_seconds(alone.to_dict())


def test_a_family_gives_what_its_datasets_give(family_folder):
    """Each language is indexed once and each query encoded once, and that changes nothing."""
    family, encoder = load_family(family_folder), Counting()
    found = evaluate_family(family, model=encoder, modes=MODES)
    assert sorted(encoder.asked) == ["Offen ab wann", "open when", "welche Taste", "which key"]
    for one, dataset in zip(found, family, strict=True):
        alone = evaluate(dataset, model="hash", modes=MODES)
        assert without_seconds(one.to_dict()) == without_seconds(alone.to_dict())
        assert [of.run for of in one.modes.values()] == [of.run for of in alone.modes.values()]


def test_an_option_that_cannot_be_is_refused_before_anything_is_encoded(family_folder):
    encoder = Counting()
    for options in ({"k": 3}, {"modes": ["dense"]}, {"confidence": 2}, {"measures": ["good"]}):
        with pytest.raises(ConfigError):
            evaluate_family(load_family(family_folder), model=encoder, **options)
    assert not encoder.asked


def test_vectors_are_kept_up_to_a_limit():
    room = HashEncoder().encode_query(["one two"])[0].vectors.nbytes
    encoder = Counting()
    remembering = RememberingEncoder(encoder, limit=2 * room)
    texts = ["one two", "three four", "five six"]
    for _ in range(2):
        found = remembering.encode_query([*texts, texts[0]])
        expected = HashEncoder().encode_query([*texts, texts[0]])
        for one, other in zip(found, expected, strict=True):
            assert one.vectors.tolist() == other.vectors.tolist()
    assert encoder.asked == [*texts, texts[2]]


def test_an_encoder_that_forgets_a_query_is_named():
    class Forgetful(HashEncoder):
        def encode_query(self, texts):
            return super().encode_query(texts)[:-1]

    with pytest.raises(ModelError, match=r"'hash' \(Forgetful\)\D*2 results for 3 texts"):
        RememberingEncoder(Forgetful()).encode_query(["one", "two", "three"])


def test_progress_is_shown_or_not(capsys, monkeypatch, retriever, family_folder):
    monkeypatch.setattr(bars, "EVERY", 0.0)
    monkeypatch.setattr(asking, "BATCH", 3)
    dataset = Dataset(None, QUERIES, QRELS, "shop")
    evaluate(dataset, retriever, modes=MODES, progress=True)
    assert capsys.readouterr().err.splitlines() == ["asking shop: 3 of 4", "asking shop: 4 of 4"]
    for quiet in (False, None):  # nobody looks at a terminal here
        evaluate(dataset, retriever, progress=quiet)
    counted = []
    evaluate(dataset, retriever, modes=MODES, progress=counted.append)
    assert counted == [3, 1]
    assert capsys.readouterr().err == ""
    evaluate_family(load_family(family_folder), model="hash", progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert "asking both de→en (2 of 4): 2 of 2" in lines
    assert "indexing: 2 of 2" in lines
