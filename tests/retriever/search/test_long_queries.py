"""Questions that are longer than the model reads at once."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.index.base import Ranking
from lfm2_colbert_rag.retriever.search import questions
from lfm2_colbert_rag.retriever.search.late import Query, best_windows
from lfm2_colbert_rag.retriever.search.questions import (
    MOST_TOKENS,
    MOST_WINDOWS,
    read_questions,
)
from lfm2_colbert_rag.retriever.search.relevance import Baseline
from lfm2_colbert_rag.testing import HashEncoder

from ...grown import always_vote, compress_early, sentences

ROOM = 9
ENCODER = HashEncoder(document_length=ROOM, query_length=ROOM)
TALK = "Good day to you all out there. We had such a lovely summer by the sea this year. "
QUESTION = "Where is the reset key of the router?"
LOG = questions.__name__
MODES = ["late", "hybrid", "lexical"]


def long(question: str = QUESTION) -> str:
    return TALK * 2 + question + " " + TALK


@pytest.fixture(params=["exact", "scanned", "voted"])
def shelves(request, folder, monkeypatch):
    """Return an index of each way to search that holds the answer, and what talks like the mail."""
    if request.param != "exact":
        compress_early(monkeypatch)
    if request.param == "voted":
        always_vote(monkeypatch)
    encoder = HashEncoder(document_length=ROOM, query_length=ROOM)
    with Retriever.open(folder, model=encoder) as opened:
        texts = ["The reset key of the router", "A good summer by the sea", *sentences(150)]
        ids = [str(number) for number in range(len(texts))]
        opened.add(texts, ids=ids, metadata=[{"odd": n % 2} for n in range(len(texts))])
        yield opened


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("question", [long(), TALK * 9 + QUESTION, QUESTION + " " + TALK * 9])
def test_what_is_asked_is_found_wherever_it_stands(shelves, mode, question):
    hits = shelves.search(question, k=8, mode=mode, where={"odd": 0})
    assert hits[0].id == "0"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits == shelves.search_many(["other", question], k=8, mode=mode, where={"odd": 0})[1]
    if mode != "lexical":
        assert hits[0].relevance > 0.9 > hits[-1].relevance


@pytest.mark.parametrize("mode", MODES)
def test_rankings_are_those_of_the_hits(shelves, mode):
    """Ids and scores alone are those of a search, and so is a question that is alone."""
    asked = [long(), "summer by the sea", QUESTION, "w4 w9", ""]
    found = shelves.rank_many(asked, 7, mode=mode, where={"odd": 0})
    hits = shelves.search_many(asked, 7, mode=mode, where={"odd": 0})
    assert found == [[(hit.id, hit.score) for hit in one] for one in hits]
    assert [shelves.rank_many([one], 7, mode=mode, where={"odd": 0})[0] for one in asked] == found
    assert all(found)


@pytest.mark.parametrize("mode", MODES)
def test_evidence_lies_in_the_whole_question(shelves, mode):
    question = long()
    hit = next(hit for hit in shelves.search(question, k=9, mode=mode) if hit.id == "0")
    words = {tuple(one["words"]) for one in hit.quote_evidence(question)}
    assert {("reset", "reset"), ("router", "router")} <= words
    for match in hit.evidence:
        assert question[slice(*match.query_span)].strip()


def test_search_rerank_and_explain_say_the_same(shelves):
    question = long()
    hit = shelves.search(question, k=1, mode="late")[0]
    explanation = shelves.explain(question, hit.id)
    assert (explanation.score, explanation.relevance) == (hit.score, hit.relevance)
    assert explanation.matches == hit.evidence
    start, end = explanation.query_window
    assert "reset key" in question[start:end]
    assert TALK not in str(explanation)
    best = shelves.rerank(question, ["Something else", hit.text])[0]
    assert (best.id, best.relevance) == ("1", pytest.approx(hit.relevance, abs=0.02))


def test_the_plan_and_one_line_of_the_log_say_so(shelves, caplog):
    with caplog.at_level(logging.INFO, LOG):
        plan = shelves.plan(long())
    assert plan.asked > 1 == shelves.plan(QUESTION).asked
    assert "windows of the query" in str(plan)
    assert "windows of the query" not in str(shelves.plan(QUESTION))
    (line,) = (one.getMessage() for one in caplog.records if one.name == LOG)
    assert f"longer than the {ROOM} tokens" in line


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 12), st.integers(1, 6))
def test_the_best_k_of_all_windows_are_among_the_best_k_of_each(seed, windows, passages, k):
    chance = np.random.default_rng(seed)
    scores = chance.integers(0, 9, (windows, passages)).astype(np.float32)
    encoded = ENCODER.encode_query(["a b c"])[0]
    query = [
        Query("a b c", encoded, Baseline(float(mean), float(std)))
        for mean, std in zip(
            chance.normal(size=windows), chance.uniform(0.5, 2, windows), strict=True
        )
    ]
    rows = np.arange(passages)
    rankings = [Ranking.ordered(rows, one, rows * 0).cut(k) for one in scores]
    found = best_windows(query, rankings, k)
    whole = np.array(
        [one.deviations(row) for one, row in zip(query, scores, strict=True)], np.float32
    )
    best = whole.max(axis=0)
    assert len(found.ranking) >= min(k, passages)
    np.testing.assert_array_equal(found.ranking.scores, best[found.ranking.rows])
    np.testing.assert_array_equal(found.asked, whole.argmax(axis=0)[found.ranking.rows])
    assert set(rows[best > np.sort(best)[-min(k, passages)]]) <= set(found.ranking.rows)


@given(st.text(st.sampled_from("ab. \n"), max_size=200))
def test_every_word_is_read_once_and_each_window_whole(text):
    (read,) = read_questions(ENCODER, [text], ENCODER.dim)
    pieces = [text[slice(*window.span)] for window in read.windows]
    assert read.unread == 0
    assert all(len(spans) <= ROOM for spans in ENCODER.token_spans(pieces))
    seen = {text[slice(*span)] for window in read.windows for span in window.encoded.spans}
    assert seen == {text[slice(*span)] for span in ENCODER.token_spans([text])[0]}
    assert len({piece.strip() for piece in pieces}) == len(pieces)


def test_windows_are_short_whatever_the_model_reads_at_once():
    """All of a question is compared with all of an index: a larger model is to cost no more."""
    words = [f"n{number}" for number in range(1000)]
    encoder = HashEncoder(query_length=512)
    (read,) = read_questions(encoder, [" ".join(words)], encoder.dim)
    lengths = [len(window.encoded) for window in read.windows]
    assert max(lengths) == MOST_TOKENS
    assert sum(lengths) == len(words)
    (whole,) = read_questions(encoder, [" ".join(words[:512])], encoder.dim)
    assert [len(window.encoded) for window in whole.windows] == [512]


def test_a_short_question_is_asked_as_it_is():
    (read,) = read_questions(ENCODER, [QUESTION[:-1]], ENCODER.dim)
    (window,) = read.windows
    expected = ENCODER.encode_query([QUESTION[:-1]])[0]
    assert window.span == (0, len(QUESTION) - 1)
    np.testing.assert_array_equal(window.encoded.vectors, expected.vectors)


@pytest.mark.parametrize("size", [20_000, pytest.param(150_000, marks=pytest.mark.slow)])
def test_a_question_of_up_to_a_megabyte_is_read_at_both_ends(shelves, caplog, size):
    words = " ".join(f"n{number}" for number in range(size))
    question = f"{QUESTION} {words} Is the summer by the sea a good one? Or what?"
    with caplog.at_level(logging.WARNING, LOG):
        hits = shelves.search(question, k=2)
    assert {hit.id for hit in hits} == {"0", "1"}
    (line,) = (one.getMessage() for one in caplog.records)
    plan = shelves.plan(question)
    assert plan.asked == MOST_WINDOWS
    assert f"{plan.unread:,} characters" in line
    assert f"{plan.unread:,} characters" in str(plan)
    assert 6 * size - 15_000 < plan.unread < len(question)


def test_nano_reads_a_mail_to_its_end():
    texts = ["Hold the reset key of the router.", "I hope you are well, hello."]
    talk = "Hello, I hope you are well. " * 12
    with Retriever.from_texts(texts, ids=["key", "hello"], model="nano") as retriever:
        asked = retriever.search(talk + "How do I reset the router?")
        assert {hit.id: hit.score for hit in asked} != {
            hit.id: hit.score for hit in retriever.search(talk)
        }
        other = retriever.search("How do I reset the router?")
        found = {hit.id: hit.relevance for hit in asked}
        assert found["key"] == pytest.approx(other[0].relevance, abs=0.1)
