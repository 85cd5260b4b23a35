"""MaxSim against three lines of plain Python, and the laws it obeys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import maxsim, maxsim_pairwise
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.index.maxsim import blocks

seeds = st.integers(0, 2**32 - 1)
sizes = st.lists(st.integers(1, 6), min_size=1, max_size=6)


def matrices(seed: int, lengths: list[int], dim: int = 5) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.standard_normal((n, dim)).astype(np.float32) for n in lengths]


def plain_maxsim(query: np.ndarray, document: np.ndarray) -> float:
    return sum(
        max(sum(float(a) * float(b) for a, b in zip(q, d, strict=True)) for d in document)
        for q in query
    )


def test_value_worked_out_by_hand():
    query = np.array([[1, 0], [0, 1]], dtype=np.float32)
    document = np.array([[0.5, 0.25], [-1, 0.75]], dtype=np.float32)
    assert maxsim([query], [document])[0, 0] == np.float32(0.5 + 0.75)


@given(seeds, sizes, sizes)
def test_equals_the_plain_loop(seed, queries, documents):
    q, d = matrices(seed, queries), matrices(seed + 1, documents)
    expected = [[plain_maxsim(one, other) for other in d] for one in q]
    np.testing.assert_allclose(maxsim(q, d), expected, rtol=1e-5, atol=1e-5)


@given(seeds, sizes, sizes, st.integers(1, 50))
def test_the_block_budget_never_changes_the_scores(seed, queries, documents, block):
    q, d = matrices(seed, queries), matrices(seed + 1, documents)
    np.testing.assert_allclose(maxsim(q, d, block=block), maxsim(q, d), rtol=1e-5, atol=1e-5)


@given(seeds, st.integers(2, 8))
def test_the_order_of_a_documents_tokens_does_not_matter(seed, length):
    (query,), (document,) = matrices(seed, [3]), matrices(seed + 1, [length])
    np.testing.assert_allclose(
        maxsim([query], [document]), maxsim([query], [document[::-1]]), rtol=1e-6
    )


@given(seeds, st.integers(1, 8))
def test_another_document_token_never_lowers_the_score(seed, length):
    (query,), (document,) = matrices(seed, [3]), matrices(seed + 1, [length + 1])
    shorter, longer = maxsim([query], [document[:-1], document])[0]
    assert longer >= shorter - 1e-5


@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_the_score_adds_up_over_query_tokens(seed, first, second):
    (query,), (document,) = matrices(seed, [first + second]), matrices(seed + 1, [4])
    parts = maxsim([query[:first], query[first:]], [document])[:, 0]
    np.testing.assert_allclose(maxsim([query], [document])[0, 0], parts.sum(), rtol=1e-4, atol=1e-5)


def test_negative_similarities_are_not_beaten_by_anything_absent():
    query = np.array([[1.0, 0.0]], dtype=np.float32)
    short = np.array([[-0.5, 0.0]], dtype=np.float32)
    long = np.array([[-0.75, 0.0]] * 9, dtype=np.float32)
    assert maxsim([query], [short, long])[0].tolist() == [-0.5, -0.75]


def test_a_document_without_vectors_scores_minus_infinity():
    empty = np.empty((0, 2), dtype=np.float32)
    one = np.ones((1, 2), dtype=np.float32)
    assert maxsim([one], [empty, one])[0].tolist() == [-np.inf, 2.0]


def test_nothing_in_nothing_out():
    one = np.ones((1, 2), dtype=np.float32)
    assert maxsim([], [one]).shape == (0, 1)
    assert maxsim([one], []).shape == (1, 0)


def test_scores_are_float32_and_near_values_stay_apart():
    query = np.ones((32, 128), dtype=np.float32) / np.sqrt(np.float32(128))
    documents = [query[:1] * np.float32(30.618 / 32), query[:1] * np.float32(30.670 / 32)]
    scores = maxsim([query], documents)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores[0], [30.618, 30.670], atol=1e-4)


def test_half_precision_documents_are_summed_in_float32():
    query = np.full((64, 4), 0.5, dtype=np.float32)
    document = np.full((2, 4), 0.5, dtype=np.float16)
    assert maxsim([query], [document])[0, 0] == 64.0


def test_pairwise_is_the_diagonal():
    q, d = matrices(1, [2, 3, 1]), matrices(2, [4, 1, 2])
    np.testing.assert_allclose(maxsim_pairwise(q, d), np.diag(maxsim(q, d)), rtol=1e-6)


def test_pairwise_needs_pairs():
    with pytest.raises(InputError, match="2 queries but 1 documents"):
        maxsim_pairwise(matrices(1, [1, 1]), matrices(1, [1]))


def test_other_widths_are_named():
    with pytest.raises(InputError, match=r"dims \[4, 5\]"):
        maxsim(matrices(1, [2], 5), matrices(1, [2], 4))


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 20))
def test_blocks_cover_everything_once_within_the_budget(lengths, budget):
    array = np.array(lengths, dtype=np.int64)
    parts = blocks(array, budget)
    assert [n for part in parts for n in lengths[part]] == lengths
    assert all(array[part].sum() <= budget or len(array[part]) == 1 for part in parts)
