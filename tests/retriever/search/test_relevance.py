"""Relevance: a score beside what the same question scores by chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.encoder.background import encode_background
from lfm2_colbert_rag.retriever.search.chance import FEW, MANY, Chances, chance_of
from lfm2_colbert_rag.retriever.search.relevance import (
    MIN_WINDOWS,
    WINDOWS,
    Baseline,
    BaselineSample,
    relevance,
    sample_windows,
)
from lfm2_colbert_rag.testing import HashEncoder

from ...inside import segments_of, store_of

TEXTS = [f"Device {n} has the colour {n % 7} and stands in room {n % 11}." for n in range(160)]


@pytest.fixture
def filled(folder):
    with Retriever.open(folder, model="hash") as opened:
        opened.add(TEXTS)
        yield opened


@given(
    st.floats(-50, 50),
    st.floats(-50, 50),
    st.floats(-50, 50),
    st.floats(1e-3, 20),
)
def test_it_lies_in_0_to_1_and_never_falls_as_the_score_rises(one, other, mean, spread):
    baseline = Baseline(mean, spread)
    low, high = (relevance(score, 20, baseline) for score in sorted((one, other)))
    assert 0.0 <= low <= high <= 1.0


def test_hits_are_ordered_by_relevance_too(filled):
    found = filled.search("Which device stands in room 3?", k=160, mode="late")
    values = [hit.relevance for hit in found]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.3 > values[-1]


def test_search_rerank_and_explain_say_the_same(filled):
    question = "Which device stands in room 3?"
    found = {hit.id: hit for hit in filled.search(question, k=20)}
    candidates = [Passage(hit.id, hit.text) for hit in found.values()]
    for hit in filled.rerank(question, candidates):
        assert hit.relevance == pytest.approx(found[hit.id].relevance, abs=0.01)
    best = next(iter(found.values()))
    assert filled.explain(question, best.id).relevance == best.relevance


def test_a_question_that_nothing_answers_is_told_from_one_that_something_does():
    with Retriever.from_texts(TEXTS[:20], model="hash") as retriever:
        nothing = retriever.search("Warum blinken hier alle Lampen?", k=1)[0]
        something = retriever.search("Device 17 colour 3", k=1)[0]
    assert nothing.relevance < something.relevance


def test_the_sample_does_not_depend_on_how_the_index_came_about(filled, tmp_path):
    with Retriever.open(tmp_path / "grown", model="hash") as grown:
        grown.add(TEXTS[:50])
        grown.add(TEXTS[50:])
        one, other = (sample_windows(segments_of(r)) for r in (filled, grown))
    assert len(one) == len(other) == WINDOWS
    for window, same in zip(one, other, strict=True):
        np.testing.assert_array_equal(window, same)


def test_deleted_passages_are_not_part_of_it(filled):
    filled.delete([hit.id for hit in filled.search("Device", k=160)[MIN_WINDOWS:]])
    assert len(sample_windows(segments_of(filled))) == MIN_WINDOWS


def test_it_is_taken_anew_only_when_the_index_has_changed_much(filled):
    chances, store = Chances(lambda snapshot: encode_background(HashEncoder())), store_of(filled)
    first = chances.of(store.snapshot())
    filled.add(["One more device."])
    assert chances.of(store.snapshot()) is first
    filled.add([f"{text} Again." for text in TEXTS])
    assert chances.of(store.snapshot()) is not first


@given(st.sets(st.integers(0, 7), min_size=2), st.sets(st.integers(0, 7), min_size=2))
def test_a_spread_is_the_same_whatever_of_it_was_known(before, after):
    random = np.random.default_rng(3)
    windows = [random.standard_normal((3 + n, 8), np.float32) for n in range(7)]
    windows.append(windows[0])
    known = BaselineSample.of([windows[n] for n in before])
    assert known.asked is None
    asked = known.spread > 0
    sample = [windows[n] for n in after]
    grown, anew = BaselineSample.of(sample, known), BaselineSample.of(sample)
    assert asked
    assert grown.asked is known.pairs
    assert grown.spread == pytest.approx(anew.spread, rel=1e-5)


def test_questions_find_it_ready_after_a_commit(filled):
    """However much was added: what windows of the index score one another was asked before."""
    for add in (TEXTS, [f"{text} Again." for text in TEXTS]):
        filled.add(add)
        chance = filled._searcher._chances.of(filled._store.snapshot())
        assert chance.own is not None
        assert chance.own.asked is chance.own.pairs


def test_a_compressed_index_has_one_too():
    with Retriever.from_texts(TEXTS, model="hash", storage="compressed") as retriever:
        values = [hit.relevance for hit in retriever.search("Device 17 room 6", k=50)]
    assert values[0] > 0.3 > values[-1]


SHOPS = [
    f"{what} {when} in the {where}."
    for what in ("The train stops", "A bird sings", "The shop closes", "Rain falls")
    for when in ("at noon", "early", "on Monday")
    for where in ("valley", "town", "forest")
]


def passing(found) -> set[str]:
    return {hit.text for hit in found if hit.relevance >= 0.5}


@pytest.mark.parametrize("model", ["hash", "nano"])
def test_a_threshold_means_the_same_in_indexes_of_all_sizes_and_in_a_reranker(model):
    """From one passage to a hundred, and without any: what answers passes, the rest does not."""
    # "hash" knows words, not meanings: of this question the texts have two of three.
    question = {"hash": "The shop closes", "nano": "The shop"}[model]
    more = [f"Box {number} holds {number * 7 % 13} green apples." for number in range(64)]
    with Retriever.from_texts([], model=model) as retriever:
        assert passing(retriever.rerank(question, SHOPS)) == {
            text for text in SHOPS if "shop" in text
        }
        for start, end in ((0, 1), (1, 5), (5, 20), (20, 31), (31, 33), (33, 36), (36, 100)):
            retriever.add([*SHOPS, *more][start:end])
            expected = {text for text in SHOPS[:end] if "shop" in text}
            assert passing(retriever.search(question, k=end)) == expected
            assert passing(retriever.rerank(question, SHOPS[:end])) == expected


def test_no_passage_that_is_added_makes_a_jump():
    """Also where all are alike, and what they score by chance is far from the background."""
    encoder = HashEncoder()
    query = encoder.encode_query(["Device 3 has the colour 3"])[0].vectors
    windows = [one.vectors for one in encoder.encode_document(TEXTS)]
    chances = [
        chance_of(windows[: min(number, WINDOWS)], number, lambda: encode_background(encoder))
        for number in range(1, len(TEXTS))
    ]
    values = [relevance(4.5, len(query), one.baseline(query)) for one in chances]
    assert np.abs(np.diff(values)).max() < 0.05
    assert values[0] - values[-1] > 0.2
    assert (chances[FEW - 1].share, chances[MANY - 1].share) == (0, 1)


def test_the_share_of_an_index_follows_its_size(filled):
    chances, store = Chances(lambda snapshot: encode_background(HashEncoder())), store_of(filled)
    assert chances.of(store.snapshot()).share == 1
    ids = [passage.id for passage in filled.passages()]
    for kept in (127, 90, 60, 31, 5):
        filled.delete(ids[kept:])
        chance = chances.of(store.snapshot())
        assert chance.share == max(0, (kept - FEW) / (MANY - FEW))
        assert chance.pieces is not None
    filled.delete(ids)
    assert chances.of(store.snapshot()).baseline(np.ones((1, 32), np.float32)) is None
