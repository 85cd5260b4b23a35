"""Fusing legs over candidates of several languages: words decide within them, seldom between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lfm2_colbert_rag import Fusion, Retriever
from lfm2_colbert_rag.retriever.search.fusion import fuse
from lfm2_colbert_rag.retriever.search.language_fusion import Standout, fuse_languages

SIZES = st.integers(1, 12)
NOTHING = Standout(minimum=1.0, enough=2.0)  # words never count between languages


@st.composite
def candidates(draw):
    """Draw late scores, BM25, shares and languages of some candidates."""
    size = draw(SIZES)
    unit = st.floats(0, 1, width=32)
    shares = draw(arrays(np.float32, size, elements=unit))
    bm25 = np.where(
        shares > 0, draw(arrays(np.float32, size, elements=st.floats(0, 32, width=32))), 0
    )
    late = draw(arrays(np.float32, size, elements=st.floats(0, 16, width=32), unique=True))
    languages = draw(arrays(np.int16, size, elements=st.integers(0, 2)))
    return late, bm25.astype(np.float32), shares, languages


@given(candidates())
def test_no_language_gains_or_loses_by_words_that_only_it_can_share(drawn):
    late, bm25, shares, languages = drawn
    fused = fuse_languages(late, bm25, shares, languages, Fusion(), NOTHING)
    for language in np.unique(languages):
        mine = languages == language
        assert sorted(fused[mine]) == sorted(late[mine].astype(np.float64))


@given(candidates())
def test_within_a_language_the_order_is_that_of_the_fusion(drawn):
    late, bm25, shares, languages = drawn
    fused = fuse_languages(late, bm25, shares, languages, Fusion(), NOTHING)
    best = float(bm25.max())
    for language in np.unique(languages):
        mine = np.flatnonzero(languages == language)
        within = fuse(late[mine], bm25[mine], float(shares[mine].max()), Fusion(), best)
        ordered = within[np.argsort(-fused[mine], kind="stable")]
        assert (np.diff(ordered) <= 0).all()


@given(candidates())
def test_without_words_late_interaction_is_alone(drawn):
    late, _, shares, languages = drawn
    nothing = np.zeros(len(late), np.float32)
    fused = fuse_languages(late, nothing, 0 * shares, languages, Fusion())
    assert fused.tolist() == late.astype(np.float64).tolist()


@given(arrays(np.float32, st.integers(0, 30), elements=st.floats(0, 1, width=32)))
def test_words_are_trusted_from_nothing_to_all(shares):
    trust = Standout().trust(shares)
    assert 0 <= trust <= 1
    if len(shares) and shares.max() <= 0.5:
        assert trust == 0
    raised = np.append(shares, [1.0] + [0.0] * 9).astype(np.float32)
    if len(shares) == 0 or shares.max() < 0.5:
        assert Standout().trust(raised) == pytest.approx(1.0)


TEXTS = {
    "de1": "Die Bibliothek öffnet um neun Uhr und schließt am Abend um sechs Uhr.",
    "de2": "Am Abend fahren die Züge nur noch jede Stunde in die Stadt zurück.",
    "de3": "Der Schlüssel liegt am Abend immer unter der Matte vor der Tür.",
    "en1": "The reset key of the router must be held for ten seconds.",
    "en2": "The weather in the mountains will be fine tomorrow morning.",
}


def test_a_mixed_index_says_how_far_words_count_between_its_languages():
    retriever = Retriever.from_texts(TEXTS.values(), ids=list(TEXTS), model="nano", mode="hybrid")
    one = Retriever.from_texts(
        [TEXTS[id] for id in ("de1", "de2", "de3")], model="nano", mode="hybrid"
    )
    question = "Wie lange muss ich am Abend die Taste halten, damit der Router neu startet?"
    assert one.plan(question).fusion.between is None
    plan = retriever.plan(question)
    assert plan.fusion.between == 0
    assert "between" in str(plan)
    assert "between" not in str(one.plan(question))
    assert retriever.search(question)[0].id == "en1"
    # A question that has nearly all words of one passage, and of no other.
    near = "Die Bibliothek schließt um sechs Uhr"
    assert retriever.plan(near).fusion.between > 0.5
    assert retriever.search(near)[0].id == "de1"


def test_where_all_passages_share_a_language_nothing_changes_to_the_last_digit():
    texts = [TEXTS[id] for id in ("de1", "de2", "de3")]
    one = Retriever.from_texts(texts, model="nano", mode="hybrid")
    searcher = one._searcher
    snapshot = one._store.snapshot()
    for question in ("Wann öffnet die Bibliothek?", "the key"):
        (found,) = searcher.legs.candidates(snapshot, searcher.queries(snapshot, [question]), 3)
        plain = fuse(found.distances, found.bm25, found.share, Fusion())
        assert found.scores(Fusion()).tolist() == plain.tolist()
        scores = sorted((hit.score for hit in one.search(question)), reverse=True)
        assert scores == sorted(plain.astype(np.float32).tolist(), reverse=True)
