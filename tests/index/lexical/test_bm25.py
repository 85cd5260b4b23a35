"""BM25 against its own formula, written once more in plain Python."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.index.lexical import bm25
from lfm2_colbert_rag.index.lexical.analyser import analyse, is_wordlike, weigh
from lfm2_colbert_rag.index.lexical.bm25 import (
    K1_STRETCHES,
    K1_WORDS,
    B,
    Bm25,
    ReadLists,
    weights_of,
)
from lfm2_colbert_rag.index.lexical.inversion import invert_texts
from lfm2_colbert_rag.index.lexical.postings import LENGTHS

words = st.sampled_from([f"w{number}" for number in range(12)])
texts = st.lists(words, min_size=1, max_size=8).map(" ".join)
corpora = st.lists(texts, min_size=1, max_size=25)


def plain_bm25(corpus: dict[int, str], query: str) -> dict[int, float]:
    """Score a corpus by the textbook."""
    bags = {row: Counter(analyse(text)) for row, text in corpus.items()}
    mean = sum(sum(bag.values()) for bag in bags.values()) / len(bags)
    scores = {}
    for row, bag in bags.items():
        length = sum(bag.values()) / mean
        score = 0.0
        for term, times in weigh(query).items():
            holding = [other[term] for other in bags.values() if term in other]
            n, all_n = len(holding), len(bags)
            idf = math.log(1 + (all_n - n + 0.5) / (n + 0.5))
            idf *= (idf / math.log(1 + (all_n + 0.5) / 0.5)) ** 0.25
            idf *= math.sqrt((sum(holding) + 5) / (n + 5))
            tf, k1 = bag[term], K1_WORDS if is_wordlike(term) else K1_STRETCHES
            score += times * idf * tf * (k1 + 1) / (tf + k1 * (1 - B + B * length))
        if score > 0:
            scores[row] = score
    return scores


def lists(corpus: dict[int, str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    postings = invert_texts(list(corpus.values())).at(np.array(list(corpus)))
    return {term: (rows, counts) for term, rows, counts in postings}


def always(postings: dict[str, tuple[np.ndarray, np.ndarray]]) -> ReadLists:
    return lambda _: postings


@given(corpora, texts, st.integers(1, 30), st.data())
def test_scores_are_those_of_the_formula(given_texts, query, k, data):
    corpus = {7 + 3 * place: text for place, text in enumerate(given_texts)}
    dead = data.draw(st.sets(st.sampled_from(sorted(corpus)), max_size=len(corpus) - 1))
    live = {row: text for row, text in corpus.items() if row not in dead}
    postings = lists(corpus)  # those of dead passages are still there
    index = Bm25(np.array(sorted(live)), postings[LENGTHS])
    found = index.search(always(postings), weigh(query), k)
    truth = plain_bm25(live, query)
    assert len(found) >= min(k, len(truth))
    assert (np.diff(found.scores) <= 0).all()
    for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
        assert score == pytest.approx(truth[row], rel=1e-4)
    best = sorted(truth.values(), reverse=True)[: len(found)]
    assert found.scores.tolist() == pytest.approx(best, rel=1e-4)
    assert max(truth.values(), default=0.0) <= found.ideal * (1 + 1e-5)


@given(corpora, texts)
def test_shares_are_those_of_the_terms_and_do_not_know_how_rare_they_are(given_texts, query):
    corpus, terms = dict(enumerate(given_texts, 1)), weigh(query)
    rows = np.array(sorted(corpus, reverse=True))
    postings = lists(corpus)
    index = Bm25(rows[::-1], postings[LENGTHS])
    scores, shares = index.of(index.score(always(postings), terms), rows)
    assert ((scores > 0) == (shares > 0)).all()
    for row, share in zip(rows.tolist(), shares.tolist(), strict=True):
        held = set(analyse(corpus[row]))
        counted = sum(times for term, times in terms.items() if term in held)
        assert share == pytest.approx(counted / sum(terms.values()))
        assert share <= 1


@given(corpora, texts)
def test_lists_are_read_some_at_a_time_and_scores_are_the_same(given_texts, query):
    corpus, terms = dict(enumerate(given_texts, 1)), weigh(query)
    postings, asked = lists(corpus), []
    index = Bm25(np.array(sorted(corpus)), postings[LENGTHS])

    def read(some: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        asked.append(list(some))
        return {term: postings[term] for term in some if term in postings}

    whole = index.score(always(postings), terms)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bm25, "_TOGETHER", 3)
        found = index.score(read, terms)
    assert [term for some in asked for term in some] == sorted(terms)
    assert max(map(len, asked)) <= 3
    assert found.scores.tolist() == whole.scores.tolist()
    assert found.shares.tolist() == whole.shares.tolist()
    assert found.ideal == whole.ideal


@given(corpora, texts, st.data())
def test_a_filter_changes_no_score(given_texts, query, data):
    corpus = dict(enumerate(given_texts, 1))
    allowed = np.array(sorted(data.draw(st.sets(st.sampled_from(sorted(corpus))))), dtype=np.int64)
    postings, terms = lists(corpus), weigh(query)
    index = Bm25(np.array(sorted(corpus)), postings[LENGTHS])
    everything = index.search(always(postings), terms, 100)
    some = index.search(always(postings), terms, 100, allowed)
    scores = dict(zip(everything.rows.tolist(), everything.scores.tolist(), strict=True))
    assert dict(zip(some.rows.tolist(), some.scores.tolist(), strict=True)) == {
        row: score for row, score in scores.items() if row in set(allowed.tolist())
    }


@given(corpora, corpora, texts, st.data())
def test_a_later_generation_is_made_of_the_former_and_what_came_since(first, added, query, data):
    corpus = dict(enumerate([*first, *added], 1))
    postings, terms = lists(corpus), weigh(query)
    before = data.draw(st.sets(st.sampled_from(range(1, len(first) + 1))))
    after = before - data.draw(st.sets(st.sampled_from(range(1, len(first) + 1))))
    after |= set(range(len(first) + 1, len(corpus) + 1))
    former = Bm25(np.array(sorted(before), np.int64), postings[LENGTHS])
    new = postings[LENGTHS][0] > former.last
    live = np.array(sorted(after))
    later = former.later(live, (postings[LENGTHS][0][new], postings[LENGTHS][1][new]))
    found, anew = (
        one.search(always(postings), terms, 9) for one in (later, Bm25(live, postings[LENGTHS]))
    )
    assert found.rows.tolist() == anew.rows.tolist()
    assert found.scores.tolist() == anew.scores.tolist()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 40))
def test_rarer_terms_weigh_more(passages, holding, fewer):
    holding = min(holding, passages)
    rarer = max(0, holding - fewer)
    rare, common = weights_of(passages, [rarer, holding], [rarer, holding])
    assert rare >= common > 0


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 9))
def test_terms_that_gather_weigh_more(often, more):
    total = sum(often)
    gathered, evenly = weights_of(50, [len(often)] * 2, [total + more, total])
    assert gathered > evenly


def test_rows_far_apart_are_found_without_a_table():
    corpus = {5: "fox", 900_000_000: "fox dog"}
    postings = lists(corpus)
    found = Bm25(np.array([5, 900_000_000]), postings[LENGTHS]).search(
        always(postings), {"_fox_": 1}, 5
    )
    assert found.rows.tolist() == [5, 900_000_000]


def test_an_empty_index_finds_nothing():
    none = np.empty(0, dtype=np.int64)
    assert len(Bm25(none, (none, none)).search(always({}), {"_fox_": 1}, 5)) == 0
