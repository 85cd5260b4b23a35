"""Choosing passages that do not repeat one another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Hit, Retriever
from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.retriever.search.diversity import diversify, similarity

from ...grown import sentences


def unit(*rows: list[float]) -> np.ndarray:
    matrix = np.array(rows, dtype=np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


EAST, NORTH = unit([1, 0]), unit([0, 1])


def test_similarity_is_symmetric_and_one_for_equals():
    passages = [EAST, NORTH, unit([1, 0], [0, 1]), unit([1, 1], [1, 0.2], [-1, 0])]
    alike = similarity(passages)
    np.testing.assert_allclose(alike, alike.T)
    np.testing.assert_allclose(np.diag(alike), 1, atol=1e-6)
    assert alike[0, 1] == 0
    assert alike[0, 2] == pytest.approx((1 + 0.5) / 2)


def test_lengths_of_pooled_vectors_do_not_matter():
    np.testing.assert_allclose(similarity([EAST * 0.3, EAST]), 1, atol=1e-6)


def test_relevance_alone_is_the_ranking():
    assert diversify([0.9, 0.8, 0.5], [EAST, EAST, NORTH], 3, 0.0) == [0, 1, 2]


def test_diversity_alone_starts_with_the_best():
    assert diversify([0.2, 0.9, 0.1], [EAST, EAST, NORTH], 3, 1.0) == [1, 2, 0]


def test_equals_keep_their_order():
    assert diversify([0.5] * 4, [EAST] * 4, 4, 0.5) == [0, 1, 2, 3]


def test_all_vectors_of_a_passage_count():
    passages = [EAST, np.concatenate((EAST, NORTH)), EAST]
    assert diversify([0.9, 0.8, 0.8], passages, 2, 0.9) == [0, 1]


def test_no_more_than_there_are():
    assert diversify([0.5], [EAST], 3, 0.5) == [0]
    assert diversify([], [], 3, 0.5) == []


@given(
    st.lists(st.integers(0, 64).map(lambda n: n / 64), min_size=1, max_size=8),
    st.integers(1, 9),
    st.integers(0, 8).map(lambda n: n / 8),
    st.integers(0, 10_000),
)
def test_every_choice_has_the_greatest_gain(relevance, k, diversity, seed):
    """The law of Carbonell and Goldstein, choice by choice."""
    chance = np.random.default_rng(seed)
    passages = [unit(*chance.standard_normal((2, 4)).tolist()) for _ in relevance]
    alike, chosen = similarity(passages), diversify(relevance, passages, k, diversity)
    assert len(chosen) == len(set(chosen)) == min(k, len(relevance))
    assert relevance[chosen[0]] == max(relevance)
    for number in range(1, len(chosen)):
        before, left = chosen[:number], set(range(len(relevance))) - set(chosen[:number])
        repeats = {i: alike[i, before].max() for i in left}
        gain = {i: (1 - diversity) * relevance[i] - diversity * repeats[i] for i in left}
        assert gain[chosen[number]] >= max(gain.values()) - 1e-6


def ids(hits: list[Hit]) -> list[str]:
    return [hit.id for hit in hits]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Texts of which some are nearly equal."""
    texts = sentences(30, words=[f"w{number}" for number in range(20)])
    texts += [f"{text} again" for text in texts[:10]]
    with Retriever.open(tmp_path_factory.mktemp("diverse") / "an.index", model="hash") as opened:
        opened.add(texts, ids=[f"t{n}" for n in range(40)], metadata=[{"n": n} for n in range(40)])
        yield opened


QUERY = "w1 w2 w3 w4"


@pytest.mark.parametrize("mode", ["late", "hybrid", "lexical"])
@pytest.mark.parametrize("diversity", [0, 0.3, 1.0])
def test_search_chooses_among_its_best_by_the_law(filled, mode, diversity):
    best = filled.search(QUERY, 20, mode=mode)
    matrices = [np.concatenate(windows) for windows in filled.vectors(ids(best))]
    # A hybrid search is not ordered by relevance, which knows of one leg only; the rank counts.
    relevance = sorted((hit.relevance for hit in best), reverse=True)
    law = diversify(relevance, matrices, 5, diversity)
    found = filled.search(QUERY, 5, mode=mode, diversity=diversity)
    assert found == [best[place] for place in law]


@pytest.mark.parametrize("mode", ["late", "hybrid", "lexical"])
def test_no_diversity_is_the_plain_ranking(filled, mode):
    for k, options in ((1, {}), (7, {}), (60, {}), (5, {"where": {"n": {"$lt": 9}}})):
        plain = filled.search(QUERY, k, mode=mode, **options)
        assert filled.search(QUERY, k, mode=mode, diversity=0, **options) == plain


def test_more_diversity_repeats_less(filled):
    def repeats(diversity: float) -> float:
        found = filled.search(QUERY, 6, diversity=diversity)
        alike = similarity([np.concatenate(one) for one in filled.vectors(ids(found))])
        return float(alike.sum() - len(alike))

    assert repeats(0) > repeats(1)


def test_it_chooses_among_as_many_as_are_fetched(filled):
    best = filled.search(QUERY, 8)
    chosen = filled.search(QUERY, 8, diversity=1.0, fetch_k=8)
    assert sorted(ids(chosen)) == sorted(ids(best))
    assert ids(chosen) != ids(best)
    assert len(filled.search(QUERY, 8, diversity=1.0, fetch_k=3)) == 8


def test_of_nothing_nothing_is_chosen(filled):
    assert filled.search(QUERY, diversity=0.5, where={"n": -1}) == []
    with Retriever.from_texts([], model="hash") as empty:
        assert empty.search(QUERY, diversity=0.5) == []


@pytest.mark.parametrize("diversity", [-0.1, 1.1, True, "half", float("nan")])
def test_a_senseless_diversity_is_refused(filled, diversity):
    with pytest.raises(ConfigError, match="diversity must"):
        filled.search(QUERY, diversity=diversity)


@pytest.mark.parametrize("fetch_k", [0, -1, 1.5, True])
def test_a_senseless_number_to_fetch_is_refused(filled, fetch_k):
    with pytest.raises(InputError):
        filled.search(QUERY, diversity=0.5, fetch_k=fetch_k)
