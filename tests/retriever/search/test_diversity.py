"""Choosing passages that do not repeat one another."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.retriever.search.diversity import likeness, most_diverse


def unit(*rows: list[float]) -> np.ndarray:
    matrix = np.array(rows, dtype=np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


EAST, NORTH = unit([1, 0]), unit([0, 1])


def test_likeness_is_symmetric_and_one_for_equals():
    passages = [EAST, NORTH, unit([1, 0], [0, 1]), unit([1, 1], [1, 0.2], [-1, 0])]
    alike = likeness(passages)
    np.testing.assert_allclose(alike, alike.T)
    np.testing.assert_allclose(np.diag(alike), 1, atol=1e-6)
    assert alike[0, 1] == 0
    assert alike[0, 2] == pytest.approx((1 + 0.5) / 2)


def test_lengths_of_pooled_vectors_do_not_matter():
    np.testing.assert_allclose(likeness([EAST * 0.3, EAST]), 1, atol=1e-6)


def test_relevance_alone_is_the_ranking():
    windows = [[EAST], [EAST], [NORTH]]
    assert most_diverse([0.9, 0.8, 0.5], windows, 3, 1.0) == [0, 1, 2]


def test_diversity_alone_starts_with_the_best():
    windows = [[EAST], [EAST], [NORTH]]
    assert most_diverse([0.2, 0.9, 0.1], windows, 3, 0.0) == [1, 2, 0]


def test_equals_keep_their_order():
    assert most_diverse([0.5] * 4, [[EAST]] * 4, 4, 0.5) == [0, 1, 2, 3]


def test_all_windows_of_a_passage_count():
    windows = [[EAST], [EAST, NORTH], [EAST]]
    assert most_diverse([0.9, 0.8, 0.8], windows, 2, 0.1) == [0, 1]


def test_no_more_than_there_are():
    assert most_diverse([0.5], [[EAST]], 3, 0.5) == [0]
    assert most_diverse([], [], 3, 0.5) == []


def test_unusable_options():
    with pytest.raises(InputError, match="k must be"):
        most_diverse([0.5], [[EAST]], 0, 0.5)
    with pytest.raises(ConfigError, match="trade-off"):
        most_diverse([0.5], [[EAST]], 1, 1.1)
