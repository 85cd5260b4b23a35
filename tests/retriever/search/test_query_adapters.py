"""Questions that go through a map: where, and that nothing else of a search notices."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from lfm2_colbert_rag import QueryAdapter, Retriever
from lfm2_colbert_rag.encoder.query_adapter import weights_of
from lfm2_colbert_rag.errors import ConfigError, ModelFormatError
from lfm2_colbert_rag.testing import HashEncoder

from ...encoder.biased import BiasedEncoder, without_languages
from ...inside import store_of

GERMAN = ("de: Das Wetter wird am Abend wieder besser werden", "de: Wir gehen heute in die Schule")
ENGLISH = ("en: key router reset", "en: The weather is going to be better in the evening")
ASKED = "de: key router reset"
LANGUAGES = ("de", "en")


@pytest.fixture
def encoder():
    """Return a model that prefers its own language, and knows how to do without."""
    plain = BiasedEncoder(bias=2.0)
    matrix = without_languages(LANGUAGES, plain)
    plain.query_adapter = QueryAdapter(matrix, weights_of(plain), "mixed", {"summary": "fair"})
    return plain


def mixed(encoder, **options):
    return Retriever.from_texts([*GERMAN, *ENGLISH], ids=["d1", "d2", "e1", "e2"], model=encoder,
                                **options)  # fmt: skip


def scores(hits):
    return [(hit.id, hit.score) for hit in hits]


def test_the_models_own_is_used_where_an_index_holds_several_languages(encoder):
    retriever = mixed(encoder)
    late: dict[str, Any] = {"mode": "late"}
    assert retriever.search(ASKED, query_adapter="none", **late)[0].id.startswith("d")
    for found in (retriever.search(ASKED, **late), retriever.search_many([ASKED], **late)[0]):
        assert found[0].id == "e1"
    assert retriever.rank_many([ASKED], **late)[0][0][0] == "e1"
    assert retriever.search(ASKED, 2, diversity=0.1, **late)[0].id == "e1"


@pytest.mark.parametrize("mode", ["late", "hybrid"])
def test_nothing_changes_where_all_passages_are_in_one_language(encoder, mode):
    texts = [*GERMAN, "de: Der Schlüssel liegt unter der Matte vor der Tür"]
    one = Retriever.from_texts(texts, model=encoder)
    found = one.search(ASKED, mode=mode)
    assert scores(found) == scores(one.search(ASKED, mode=mode, query_adapter="none"))
    assert one.plan(ASKED).query_adapter is None
    always = QueryAdapter(encoder.query_adapter.matrix, weights_of(encoder), "always")
    assert scores(one.search(ASKED, query_adapter=always)) != scores(one.search(ASKED))


def test_a_search_may_do_without_or_with_another(encoder, tmp_path):
    other = QueryAdapter(np.eye(32, dtype=np.float32)[::-1].copy(), weights_of(encoder), "always")
    other.save(tmp_path / "other.safetensors")
    retriever = mixed(encoder, query_adapter="none")
    assert retriever.plan(ASKED).query_adapter is None
    for named in (other, tmp_path / "other.safetensors", str(tmp_path / "other.safetensors")):
        assert scores(retriever.search(ASKED, query_adapter=named)) == scores(
            mixed(encoder, query_adapter=named).search(ASKED)
        )
    assert "fair" in str(retriever.plan(ASKED, query_adapter="auto"))
    assert retriever.plan(ASKED, query_adapter="auto").to_dict()["query_adapter"] == "fair"


@pytest.mark.parametrize("mode", ["late", "hybrid", "lexical"])
def test_evidence_is_of_the_vectors_that_were_asked_with(encoder, mode):
    retriever = mixed(encoder)
    hit = next(one for one in retriever.search(ASKED, mode=mode) if one.id == "e1")
    words = {ASKED[slice(*match.query_span)]: match.strength for match in hit.evidence}
    expected = encoder.query_adapter.apply(encoder.encode_query([ASKED])[0]).vectors
    (passage,) = encoder.encode_document([ENGLISH[0]])
    best = (expected @ passage.vectors.T).max(axis=1)
    assert sorted(words.values()) == pytest.approx(sorted(best.tolist()), abs=2e-3)
    shown = {match.strength for match in retriever.explain(ASKED, "e1").matches}
    assert sorted(shown) == pytest.approx(sorted(set(words.values())), abs=1e-6)


def test_a_reranker_sees_whether_its_candidates_are_in_several_languages(encoder):
    retriever = Retriever.from_texts([], model=encoder)
    assert retriever.rerank(ASKED, [*GERMAN, *ENGLISH])[0].text == ENGLISH[0]
    assert retriever.rerank(ASKED, [*GERMAN, *ENGLISH], query_adapter="none")[0].text in GERMAN
    plain = retriever.rerank(ASKED, GERMAN, query_adapter="none")
    assert scores(retriever.rerank(ASKED, GERMAN)) == scores(plain)


def test_a_search_for_words_alone_loads_no_model(folder):
    with Retriever.open(folder, model="nano") as retriever:
        retriever.add(["the key of the house", "Der Schlüssel liegt auf dem Tisch"])
    with Retriever.open(folder) as retriever:
        assert retriever.search("key", mode="lexical")
        assert not retriever._encoders.of(store_of(retriever).settings).loaded


def test_a_copy_in_another_process_asks_in_the_same_way(folder, tmp_path):
    encoder = HashEncoder()
    turned = QueryAdapter(np.eye(32, dtype=np.float32)[::-1].copy(), weights_of(encoder), "always")
    turned.save(tmp_path / "turned.safetensors")
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(["one key", "two locks"])
    for chosen in (turned, tmp_path / "turned.safetensors", "none"):
        with (
            Retriever.open(folder, query_adapter=chosen) as retriever,
            pickle.loads(pickle.dumps(retriever)) as again,
        ):
            assert scores(again.search("key")) == scores(retriever.search("key"))


def test_what_names_no_adapter_is_refused_and_searches_go_on(retriever, tmp_path):
    (tmp_path / "odd").write_bytes(b"odd")
    elsewhere = QueryAdapter(np.eye(32, dtype=np.float32), "another model", "always")
    for named, error, message in (
        (tmp_path / "gone", ConfigError, "no query adapter at.*gone.*lfm2-colbert align"),
        (tmp_path / "odd", ModelFormatError, "odd"),
        (elsewhere, ConfigError, "another model than 'hash'"),
        (7, ConfigError, "must be"),
        ("", ConfigError, "must be"),
    ):
        for ask in (retriever.search, retriever.plan):
            with pytest.raises(error, match=message):
                ask("router", query_adapter=named)
    with pytest.raises(ConfigError, match="must be"):
        Retriever.from_texts(["a"], model="hash", query_adapter=7)
    assert retriever.search("router")
