"""Relevance: a score beside what the same question scores by chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.encoder.background import encode_background
from lfm2_colbert_rag.retriever.search.chance import FEW, MANY, Chances
from lfm2_colbert_rag.retriever.search.relevance import (
    MIN_WINDOWS,
    WINDOWS,
    Baseline,
    relevance,
    sample_windows,
)
from lfm2_colbert_rag.testing import HashEncoder

from ...inside import segments_of, store_of

TEXTS = [f"Device {n} has the colour {n % 7} and stands in room {n % 11}." for n in range(80)]


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
    values = [hit.relevance for hit in filled.search("Which device stands in room 3?", k=80)]
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
    with Retriever.from_texts(TEXTS, model="hash") as retriever:
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
    filled.delete([hit.id for hit in filled.search("Device", k=80)[MIN_WINDOWS:]])
    assert len(sample_windows(segments_of(filled))) == MIN_WINDOWS


def test_it_is_taken_anew_only_when_the_index_has_changed_much(filled):
    chances, store = Chances(lambda: encode_background(HashEncoder())), store_of(filled)
    first = chances.of(store.snapshot())
    filled.add(["One more device."])
    assert chances.of(store.snapshot()) is first
    filled.add([f"{text} Again." for text in TEXTS])
    assert chances.of(store.snapshot()) is not first


def test_a_compressed_index_has_one_too():
    with Retriever.from_texts(TEXTS, model="hash", storage="compressed") as retriever:
        values = [hit.relevance for hit in retriever.search("Device 17 room 6", k=20)]
    assert values[0] > 0.3 > values[-1]
