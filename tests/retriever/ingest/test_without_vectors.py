"""Texts of which the model keeps nothing, or its markers only: a row of dots, a rule, a smiley.

A skiplist takes punctuation out of what a document's vectors stand for. Where markers are left,
such a text is a passage like any other; where nothing is left, it is refused by name.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenVectors

from ...grown import add, always_vote, compress_early, kinds

pytestmark = pytest.mark.long

BLANKS = ["...", "?!", "- - -", "***", "(;"]
IDS = ["dots", "marks", "rule", "stars", "smiley"]


class SkippingEncoder(HashEncoder):
    """Keeps no vector of punctuation in a document, but those of its markers."""

    def __init__(self, markers: int = 0, document_length: int = 512) -> None:
        super().__init__(document_length=document_length)
        self._markers = super().encode_document(["[D] [CLS]"])[0].vectors[:markers]

    def encode_document(self, texts, *, progress=None):
        made = super().encode_document(texts, progress=progress)
        return [self._skip(text, one) for text, one in zip(texts, made, strict=True)]

    def _skip(self, text: str, one: TokenVectors) -> TokenVectors:
        kept = [any(map(str.isalnum, text[start:end])) for start, end in one.spans.tolist()]
        number = len(self._markers)
        return replace(
            one,
            vectors=np.concatenate((self._markers, one.vectors[kept])),
            token_ids=np.concatenate((np.arange(number, dtype=np.int32), one.token_ids[kept])),
            spans=np.concatenate((np.zeros((number, 2), np.int32), one.spans[kept])),
        )


@pytest.fixture(params=["exact", "compressed", "voting"])
def fill(request, folder, monkeypatch):
    """Return a function that makes an index of words, of some kind, with so many markers."""
    compress_early(monkeypatch)
    kind = request.param
    if kind == "voting":
        always_vote(monkeypatch)

    def make(markers: int = 0, **options) -> Retriever:
        index = "exact" if kind == "exact" else "compressed"
        retriever = Retriever.open(folder, model=SkippingEncoder(markers), storage=index, **options)
        add(retriever, 80)
        assert kinds(retriever) == [index]
        return retriever

    return make


def test_a_text_that_leaves_nothing_is_refused_by_name(fill, state):
    nothing = r"no vector for '(dots|s0-1)'; leave that text out"
    stream = [{"id": "new", "text": "new"}, {"id": "dots", "text": "..."}]
    with fill() as retriever:
        before = state(retriever)
        for id in ("dots", "s0-1"):
            with pytest.raises(InputError, match=nothing):
                retriever.add(["new", "..."], ids=["new", id])
        with pytest.raises(InputError, match=nothing):
            retriever.add_stream(stream)
        assert state(retriever) == before
        assert retriever.verify() == []


def test_what_is_left_out_of_a_long_text_is_not_missed(folder, monkeypatch):
    compress_early(monkeypatch)
    text = "the library opens. " + "... " * 60 + "coffee is served."
    with Retriever.open(folder, model=SkippingEncoder(document_length=16)) as retriever:
        retriever.add([text], ids=["long"])
        add(retriever, 80)
        for _ in range(2):
            for words in ("the library opens", "coffee is served"):
                assert retriever.search(words, k=1)[0].id == "long"
            windows = retriever.vectors(["long"])[0]
            assert len(windows) > 1
            assert all(len(one) for one in windows)
            retriever.optimize(reencode=True)
        assert retriever.verify() == []


@pytest.mark.parametrize("markers", [1, 2])
def test_markers_alone_are_a_passage_like_any_other(fill, markers):
    with fill(markers) as retriever:
        assert retriever.add(BLANKS, ids=IDS) == IDS
        retriever.add(BLANKS, ids=[f"again-{id}" for id in IDS])
        _check_whole(retriever, markers, deleted=())
        assert retriever.delete(["dots", "again-rule"]) == 2
        _check_whole(retriever, markers, deleted={"dots", "again-rule"})
        retriever.optimize(forget_after=0)
        _check_whole(retriever, markers, deleted={"dots", "again-rule"})
        retriever.optimize(reencode=True, forget_after=0)
        _check_whole(retriever, markers, deleted={"dots", "again-rule"})
        path = retriever.path
    with Retriever.open(path, model=SkippingEncoder(markers)) as reopened:
        _check_whole(reopened, markers, deleted={"dots", "again-rule"})


def test_a_passage_may_come_to_be_markers_only_and_words_again(fill):
    with fill(1) as retriever:
        retriever.add(["..."], ids=["s0-1"])
        assert len(retriever.vectors(["s0-1"])[0][0]) == 1
        retriever.add(["lemon w1"], ids=["s0-1"])
        assert retriever.search("lemon", k=1)[0].id == "s0-1"
        assert len(retriever) == 80
        retriever.optimize()
        assert retriever.verify() == []


def test_an_index_of_markers_only_lives_and_dies(folder, monkeypatch):
    compress_early(monkeypatch, vectors=8)
    with Retriever.open(folder, model=SkippingEncoder(2), storage="compressed") as retriever:
        retriever.add(BLANKS, ids=IDS)
        assert kinds(retriever) == ["compressed"]
        assert {hit.id for hit in retriever.search("?", k=9)} == set(IDS)
        assert retriever.optimize().recall["recall"] == 1.0
        retriever.delete(IDS)
        retriever.optimize(forget_after=0)
        assert retriever.search("?") == []
        assert retriever.verify() == []


def _check_whole(retriever: Retriever, markers: int, deleted) -> None:
    """Every blank that was not deleted is there, is found and has its markers' vectors."""
    expected = {name for id in IDS for name in (id, f"again-{id}")} - set(deleted)
    assert len(retriever) == 80 + len(expected)
    found = [hit.id for hit in retriever.search("w1 w2", k=200)]
    assert len(found) == len(set(found)) == len(retriever)
    # The markers of all passages are the same, so that these tie, and come by their ids.
    assert [id for id in found if id in expected] == sorted(expected)
    for windows in retriever.vectors(sorted(expected)):
        assert [len(one) for one in windows] == [markers]
    assert not retriever.search("...", k=3) or len(retriever.search("...", k=3)) == 3
    assert retriever.verify() == []
