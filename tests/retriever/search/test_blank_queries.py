"""Blank questions: with a filter they ask for what matches it, without one they are refused."""

from __future__ import annotations

import asyncio

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, FilterError, InputError

from ...grown import add, compress_early

ENGLISH = {"lang": "en"}
BLANKS = ["", " ", "\t\n", "\u3000", "\ufeff\u200b"]
WAYS = [
    {}, {"mode": "late"}, {"mode": "hybrid"}, {"mode": "lexical"}, {"diversity": 0.5},
    {"diversity": 0.0, "fetch_k": 7, "mode": "hybrid"},
]  # fmt: skip
each = [(blank, options) for blank in BLANKS for options in WAYS]


def ids(hits) -> list[str]:
    return [hit.id for hit in hits]


def test_a_filter_alone_gives_what_matches_in_the_order_in_which_it_was_added(retriever):
    for blank, options in each:
        hits = retriever.search(blank, where=ENGLISH, **options)
        assert ids(hits) == ["reset", "library"]
        for hit in hits:
            assert (hit.score, hit.relevance, hit.window, hit.evidence) == (0.0, 0.0, None, ())
            assert hit.metadata["lang"] == "en"
            assert not hit.legs
    assert hits == asyncio.run(retriever.asearch(" ", where=ENGLISH))


def test_at_most_k_come_and_a_replaced_passage_comes_last(retriever):
    for options in WAYS:
        assert ids(retriever.search(" ", 2, where={}, **options)) == ["reset", "reinicio"]
    retriever.add(["Hold the other key."], ids=["reset"], metadata=[ENGLISH])
    for options in WAYS:
        assert ids(retriever.search(" ", where=ENGLISH, **options)) == ["library", "reset"]
        assert retriever.search(" ", where={"lang": "xx"}, **options) == []


def test_blanks_among_other_questions_get_their_own_hits(retriever):
    asked = ["", "the reset key", " "]
    first, second, third = retriever.search_many(asked, where=ENGLISH)
    assert first == third == retriever.search("", where=ENGLISH)
    assert second == retriever.search(asked[1], where=ENGLISH)
    first[0].metadata["lang"] = "changed"
    assert third[0].metadata["lang"] == "en"


def test_a_filter_alone_needs_neither_a_model_nor_terms(folder, monkeypatch):
    with Retriever.open(folder, model="hash", lexical=False) as retriever:
        retriever.add(["one", "two"], metadata=[{"n": 1}, {"n": 2}])

        def never(*_: object) -> None:
            raise AssertionError("the encoder was asked")

        monkeypatch.setattr(type(retriever.encoder), "encode_query", never)
        for mode in ("late", "hybrid", "lexical"):
            hits = retriever.search("", where={"n": {"$gt": 1}}, mode=mode)
            assert [hit.text for hit in hits] == ["two"]


def test_a_compressed_index_answers_alike(folder, monkeypatch):
    compress_early(monkeypatch)
    with Retriever.open(folder, model="hash") as retriever:
        added = [*add(retriever, 80), *add(retriever, 80, 1)]
        assert ids(retriever.search(" ", 100, where={"seed": 1})) == added[80:]
        assert ids(retriever.search(" ", 3, where={})) == added[:3]


def test_without_a_filter_a_blank_question_is_refused(retriever):
    message = "is empty; ask with at least one word, or with a filter"
    for blank, options in each:
        with pytest.raises(InputError, match=message):
            retriever.search(blank, **options)
        with pytest.raises(InputError, match=message):
            retriever.search_many(["the key", blank])


def test_what_else_is_wrong_is_still_said(retriever):
    with pytest.raises(FilterError):
        retriever.search(" ", where={"$what": 1})
    with pytest.raises(InputError, match="k must be"):
        retriever.search(" ", 0, where={})
    with pytest.raises(ConfigError, match="mode"):
        retriever.search(" ", where={}, mode="semantic")
    with pytest.raises(ConfigError, match="diversity"):
        retriever.search(" ", where={}, diversity=2)
    with pytest.raises(InputError, match="is empty"):
        retriever.explain(" ", "reset")


def test_its_plan_says_that_nothing_was_asked(retriever):
    plan = retriever.plan(" ", where=ENGLISH)
    assert (plan.method, plan.windows, plan.scored) == ("filter", 2, 0)
    assert "in the order in which it was added" in str(plan)
