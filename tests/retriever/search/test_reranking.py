"""Texts that the index holds, or that were reranked before, are not encoded again."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.encoder.documents import ENCODED
from lfm2_colbert_rag.errors import ConfigError, TooManyTokensError
from lfm2_colbert_rag.testing import HashEncoder

from ...inside import store_of
from ...windows import reads_what_is_removed

QUERY = "When does the library open?"
TEXTS = {
    "a": "The library opens at nine.",
    "b": "Hold the reset key for ten seconds.",
    "c": "Die Bibliothek öffnet um neun. 𝒳 🏛️",
    "long": "Sentence number one is here. " * 40,
}


class Counting(HashEncoder):
    """Remembers which texts it was given."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.encoded: list[str] = []

    def encode_document(self, texts, *, progress=None):
        self.encoded += texts
        return super().encode_document(texts, progress=progress)


def asked(index, texts):
    return [(hit.id, hit.score) for hit in index.rerank(QUERY, texts)]


@pytest.fixture(autouse=True)
def _forgetful():
    ENCODED.renew_after_fork()


@pytest.fixture
def encoder():
    return Counting(document_length=64)


@pytest.fixture(params=[{"storage": "exact"}, {"storage": "compressed"}], ids=["exact", "4 bits"])
def index(request, encoder, tmp_path):
    with Retriever.open(tmp_path / "index", model=encoder, **request.param) as opened:
        opened.add(list(TEXTS.values()), ids=list(TEXTS))
        opened.optimize()
        asked(opened, [TEXTS["a"]])  # what the question scores by chance is found out
        encoder.encoded.clear()
        yield opened


def test_what_the_index_holds_is_read_from_it(index, encoder):
    hits = index.rerank(QUERY, list(TEXTS.values()))
    assert encoder.encoded == []
    found = {hit.text: hit for hit in index.search(QUERY, k=9, mode="late")}
    assert {hit.text for hit in hits} == found.keys()
    for hit in hits:
        same = found[hit.text]
        assert hit.score == pytest.approx(same.score, rel=1e-5)
        assert hit.relevance == pytest.approx(same.relevance, abs=1e-5)
        assert (hit.window, hit.evidence) == (same.window, same.evidence)


def test_it_is_the_score_that_encoding_gives(index, encoder):
    stored = dict(asked(index, list(TEXTS.values())))
    with Retriever.from_texts([], model=encoder) as empty:
        fresh = dict(asked(empty, list(TEXTS.values())))
    least = 1e-3 if index.stats().storage == "exact" else 0.1
    np.testing.assert_allclose(
        [stored[id] for id in sorted(stored)], [fresh[id] for id in sorted(fresh)], atol=least
    )


def test_others_are_encoded_once(index, encoder):
    texts = ["A text of somebody else's.", TEXTS["a"], "Another one.", "Another one."]
    first = asked(index, texts)
    assert sorted(encoder.encoded) == ["A text of somebody else's.", "Another one."]
    assert asked(index, texts) == first
    assert len(encoder.encoded) == 2
    assert asked(index, ["Another one."])[0][1] == dict(first)["2"] == dict(first)["3"]
    assert len(encoder.encoded) == 2


def test_what_is_no_longer_there_is_not_read(index, encoder):
    index.delete(["a"])
    index.add(["Something else."], ids=["b"])
    encoder.encoded.clear()
    asked(index, [TEXTS["a"], TEXTS["b"], "Something else."])
    assert sorted(encoder.encoded) == sorted([TEXTS["a"], TEXTS["b"]])


def test_pooled_vectors_are_not_compared_with_others(encoder, tmp_path):
    pytest.importorskip("scipy")
    with Retriever.open(tmp_path / "pooled", model=encoder, pool_factor=2) as index:
        index.add(list(TEXTS.values()))
        index.search(QUERY, mode="late")
        encoder.encoded.clear()
        asked(index, [TEXTS["a"]])
    assert encoder.encoded == [TEXTS["a"]]


def test_a_tenant_is_lent_nothing_of_another(index, encoder):
    acme, beta = index.view(tenant="acme"), index.view(tenant="beta")
    acme.add(["What only acme knows."], ids=["1"])
    encoder.encoded.clear()
    assert asked(acme, ["What only acme knows."])
    assert encoder.encoded == []
    for view, often in ((beta, 1), (beta, 1), (index, 1)):  # the whole index holds it
        asked(view, ["What only acme knows."])
        assert len(encoder.encoded) == often
    for number, view in enumerate((acme, acme, beta, beta, index, index)):
        asked(view, ["A text of nobody's."])
        assert len(encoder.encoded) == 2 + number // 2


def test_another_model_encodes_it_anew(encoder, tmp_path):
    other = Counting(document_length=64, salt=7)
    for model in (encoder, other):
        with Retriever.from_texts([], model=model) as index:
            asked(index, ["A text."])
            asked(index, ["A text."])
    assert encoder.encoded.count("A text.") == other.encoded.count("A text.") == 1


def test_tokens_beyond_the_budget_are_refused_before_they_are_encoded(index, encoder):
    texts = ["one two three four five", "six seven eight"]
    with pytest.raises(TooManyTokensError, match="8 tokens that must be encoded, and 7 are"):
        index.rerank(QUERY, texts, max_tokens=7)
    assert encoder.encoded == []
    assert len(index.rerank(QUERY, texts, max_tokens=8)) == 2
    assert len(index.rerank(QUERY, [*texts, *TEXTS.values()], max_tokens=1)) == 6
    for odd in (0, -1, 1.5, "9"):
        with pytest.raises(ConfigError, match="max_tokens"):
            index.rerank(QUERY, texts, max_tokens=odd)


def test_blank_texts_come_last_and_cost_nothing(index, encoder):
    hits = index.rerank(QUERY, ["", TEXTS["b"], " \n"], max_tokens=1)
    assert [hit.id for hit in hits] == ["1", "0", "2"]
    assert [hit.relevance for hit in hits[1:]] == [0.0, 0.0]


def test_ids_and_metadata_are_the_callers(index):
    given = Passage("mine", TEXTS["a"], {"page": 3})
    (hit,) = index.rerank(QUERY, [given])
    assert (hit.id, hit.text, hit.metadata) == ("mine", TEXTS["a"], {"page": 3})


WRITTEN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@reads_what_is_removed
@settings(max_examples=60)
@given(st.lists(WRITTEN.filter(str.strip), min_size=1, max_size=6), st.lists(WRITTEN, max_size=4))
def test_texts_are_found_as_they_are(texts, others):
    with (
        tempfile.TemporaryDirectory() as folder,
        Retriever.open(f"{folder}/index", model="hash") as index,
    ):
        index.add(texts)
        store = store_of(index)
        found = store.catalog.rows_by_text([*texts, *others], store.snapshot().generation)
        rows = store.catalog.passages([row for _, row in found])
        assert all(rows[row].text == text for text, row in found)
        kept = {one.text for one in index.passages()}
        assert {text for text, _ in found} == kept & {*texts, *others}


def test_windows_of_several_rows_are_those_of_each(index):
    segments = store_of(index).snapshot().segments
    rows = segments.rows.tolist()
    together = segments.windows_of(reversed(rows))
    assert list(together) == rows[::-1]
    for row, found in together.items():
        for one, same in zip(found, segments.windows(row), strict=True):
            assert one.span == same.span
            np.testing.assert_array_equal(one.encoded.token_ids, same.encoded.token_ids)
            np.testing.assert_array_equal(one.encoded.spans, same.encoded.spans)
            np.testing.assert_allclose(one.encoded.vectors, same.encoded.vectors, atol=1e-6)
    assert segments.windows_of([]) == {}
