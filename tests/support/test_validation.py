"""Bad input: a named error with its remedy, or a documented result; the index as it was before."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag._support.characters import is_blank, storable
from lfm2_colbert_rag._support.validation import check_ids, check_k, check_passages, check_text
from lfm2_colbert_rag.errors import (
    FilterError,
    InputError,
    LFM2ColBERTError,
    ModelNotFoundError,
)
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenVectors

NAN, DEEP = float("nan"), [[]]
for _ in range(40):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("texts", "ids", "metadata", "message"),
    [
        ("a bare string", None, None, "texts must be a list of strings"),
        (["fine", None], ["a", "b"], None, r"text 1 \(id 'b'\) must be a string, not NoneType"),
        (["one", "two"], ["a"], None, "1 ids for 2 texts"),
        (["one"], "a", None, "ids must be a list of strings"),
        (["one", "two"], ["a", "a"], None, "id 'a' is given twice, for texts 0 and 1"),
        (["one"], [7], None, r"id 0 must be a string, not int \(7\); write str\(id\)"),
        (["one"], [""], None, "id 0 is empty"),
        (["one", "two"], None, [{}], "1 metadata for 2 texts"),
        (["one"], None, {"a": 1}, "one mapping a text"),
        (["one"], ["x"], ["router"], r"metadata of text 0 \(id 'x'\) must be a mapping"),
        (["one"], None, [{"a": 2**64}], "beyond 64 bits"),
        (["one"], None, [{"a": DEEP}], "levels deep"),
    ],
)
def test_add_refuses_and_changes_nothing(retriever, state, texts, ids, metadata, message):
    before = state(retriever)
    with pytest.raises(InputError, match=message) as caught:
        retriever.add(texts, ids=ids, metadata=metadata)
    assert isinstance(caught.value, ValueError)
    assert state(retriever) == before


@pytest.mark.parametrize(
    ("texts", "ids", "metadata", "message"),
    [
        (["fine", ""], ["a", "b"], None, r"text 1 \(id 'b'\) is empty"),
        (["fine", " \n\t\u3000"], ["a", "b"], None, r"text 1 \(id 'b'\) is empty.*Leave it out"),
        (["fine", "bad \ud83d end"], ["a", "b"], None, "lone surrogate.*at character 4"),
        (["one"], ["\udc00"], None, "lone surrogate"),
        (["one"], ["a\0b"], None, "NUL"),
        (["one"], None, [{"d": {1, 2}}], r"'d' is set .*not JSON"),
        (["one"], None, [{"d": date(2024, 1, 5)}], r"'d' is date .*not JSON.*isoformat"),
        (["one"], None, [{"d": (1, 2)}], "not JSON"),
        (["one"], None, [{"d": np.float32(1)}], "not JSON"),
        (["one"], None, [{3: "x"}], "keys must be strings"),
        (["one"], None, [{"a": {"b": [1.0, NAN]}}], "'a', 'b' is nan, which JSON has no word for"),
        (["one"], None, [{"a": float("inf")}], "inf"),
        (["one"], None, [{"a": "\ud800"}], "lone surrogate"),
        (["one"], None, [{"a": "x\0"}], "NUL"),
    ],
)
def test_a_strict_add_refuses_more(retriever, state, texts, ids, metadata, message):
    before = state(retriever)
    with pytest.raises(InputError, match=message):
        retriever.add(texts, ids=ids, metadata=metadata, strict=True)
    assert state(retriever) == before


@pytest.mark.parametrize("query", ["", "  \n", "\u3000"])
def test_an_empty_query_is_refused(retriever, query):
    with pytest.raises(InputError, match="is empty; ask with at least one word"):
        retriever.search(query)
    with pytest.raises(InputError, match="is empty"):
        retriever.rerank(query, ["text"])
    with pytest.raises(InputError, match="is empty"):
        retriever.explain(query, "reset")


@pytest.mark.parametrize("query", [None, 3, b"bytes", ["list"]])
def test_a_query_that_is_no_text_is_refused(retriever, query):
    with pytest.raises(InputError, match="the query must be a string"):
        retriever.search(query)


def test_a_query_with_a_lone_surrogate_is_read_as_what_remains(retriever):
    asked = retriever.search("the router \udcff of the library")
    assert asked == retriever.search("the router \ufffd of the library")


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "5", None])
def test_k_must_be_a_positive_integer(retriever, k):
    with pytest.raises(InputError, match="k must be a positive integer"):
        retriever.search("router", k=k)


def test_k_above_the_corpus_returns_all_of_it(retriever):
    assert len(retriever.search("router", k=10_000)) == len(retriever)


def test_an_empty_corpus_is_fine(folder):
    with Retriever.open(folder, model="hash") as retriever:
        assert retriever.add([]) == []
        assert retriever.search("anything") == []
        assert retriever.search_many(["a", "b"]) == [[], []]
        assert retriever.stats().generation == 0
        assert retriever.stats().bytes_per_vector == 0.0
        assert len(retriever) == 0
    assert Retriever.from_texts([], model="hash").search("x") == []


def test_queries_must_be_a_list(retriever):
    with pytest.raises(InputError, match="use search"):
        retriever.search_many("one string")
    assert retriever.search_many([]) == []


@pytest.mark.parametrize("where", [{"year": {"$near": 1}}, {"$nor": []}, "year", 5])
def test_a_malformed_filter_is_refused_everywhere(retriever, state, where):
    before = state(retriever)
    for use in (
        lambda: retriever.search("router", where=where),
        lambda: retriever.delete(where=where),
        lambda: retriever.delete(where=where, all=True),
    ):
        with pytest.raises(FilterError):
            use()
    assert state(retriever) == before


def test_delete_needs_exactly_one_way_to_choose(retriever, state):
    before = state(retriever)
    with pytest.raises(InputError, match="exactly one"):
        retriever.delete()
    with pytest.raises(InputError, match="exactly one"):
        retriever.delete(["reset"], where={})
    with pytest.raises(InputError, match="ids must be a list"):
        retriever.delete("reset")
    assert state(retriever) == before


def test_unknown_ids(retriever, state):
    before = state(retriever)
    assert retriever.delete(["nobody"]) == 0
    assert state(retriever) == before
    assert [one.id for one in retriever.get(["reset", "nobody", "none"])] == ["reset"]
    with pytest.raises(KeyError):
        retriever.explain("router", "nobody")


@pytest.mark.slow
def test_a_megabyte_of_text_is_kept_whole_and_searched_whole(retriever):
    text = "zebra " + "word " * 200_000 + "giraffe"
    retriever.add([text], ids=["long"])
    assert retriever.get(["long"])[0].text == text
    for word in ("zebra", "giraffe"):
        hit = retriever.search(word, k=1)[0]
        assert (hit.id, hit.relevance) == ("long", pytest.approx(1.0, abs=1e-3))
        assert [text[slice(*match.passage_span)] for match in hit.evidence] == [word]


def test_an_unknown_model_names_the_ways_out(folder, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelNotFoundError, match="nano"):
        Retriever.open(folder, model="nobody/no-such-model")
    with pytest.raises(OSError, match="nano"):
        Retriever.from_texts(["text"], model=str(folder / "missing"))
    assert not folder.exists()


class BrokenEncoder(HashEncoder):
    """Gives vectors that no index may take."""

    def __init__(self, vectors: np.ndarray, ids: int | None = None) -> None:
        super().__init__()
        self.broken = vectors
        self.ids = len(vectors) if ids is None else ids

    def encode_document(self, texts, *, progress=None):
        spans = np.zeros((len(self.broken), 2), np.int32)
        return [TokenVectors(self.broken, np.zeros(self.ids, np.int32), spans) for _ in texts]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.full((2, 32), np.nan, np.float32), "not finite"),
        (np.full((2, 32), 1e9, np.float32), "not finite in float16"),
        (np.ones((2, 16), np.float32), r"shape \(2, 16\).*dim 32"),
        (np.empty((0, 32), np.float32), "no vector"),
    ],
)
def test_vectors_that_cannot_be_searched_are_refused(folder, vectors, message):
    with Retriever.open(folder, model=BrokenEncoder(vectors)) as retriever:
        with pytest.raises(InputError, match=message):
            retriever.add(["text"], ids=["t"])
        assert retriever.stats().generation == 0


def test_vectors_need_an_id_and_a_span_each(folder):
    broken = BrokenEncoder(np.ones((3, 32), np.float32), ids=2)
    with Retriever.open(folder, model=broken) as retriever:
        with pytest.raises(InputError, match=r"gave 3 vectors for 't', but token ids of shape \(2"):
            retriever.add(["text"], ids=["t"])
        assert retriever.stats().generation == 0


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=3),
    st.characters(categories=["Cs"]), st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(anything, max_size=4), st.none() | st.lists(anything, max_size=4), anything)
def test_whatever_is_passed_is_either_stored_whole_or_refused_by_name(texts, ids, metadata):
    with Retriever.from_texts(["the first"], ids=["first"], model="hash") as retriever:
        try:
            added = retriever.add(texts, ids=ids, metadata=metadata)
        except LFM2ColBERTError:
            assert retriever.stats().generation == 1
            return
        kept = [place for place in range(len(texts)) if place not in added.left_out]
        passages = retriever.get([added[place] for place in kept])
        assert [p.text for p in passages] == [storable(texts[place]) for place in kept]
        assert all(is_blank(texts[place]) for place in added.left_out)


def nested(levels: int) -> list[object]:
    inner: list[object] = []
    for _ in range(levels):
        inner = [inner]
    return inner


class Unshowable:
    def __repr__(self) -> str:
        raise OSError("no")


STRANGE = {
    "deep": nested(100_000),
    "huge": 10**5000,
    "unshowable": Unshowable(),
    "long": "x" * 10**6,
}


@pytest.mark.parametrize("name", STRANGE)
def test_no_value_is_too_strange_to_be_named(name):
    """The error is about what was passed, not about showing it."""
    value = STRANGE[name]
    for check in (
        lambda: check_passages(value),
        lambda: check_passages(["a"], metadata=[{"a": {"b": value, "c": Unshowable()}}]),
        lambda: check_passages(["a"], metadata=[{(1, type(value)): value}]),
        lambda: check_ids([Unshowable(), value]),
        lambda: check_k(-value if isinstance(value, int) else value),
        lambda: check_text(Unshowable(), "it"),
    ):
        with pytest.raises(InputError) as caught:
            check()
        assert len(str(caught.value)) < 400
