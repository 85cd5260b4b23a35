"""A 95 % interval holds the truth in about 95 of 100 experiments, wherever the truth lies."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lfm2_colbert_rag.retriever.maintenance.intervals import share_interval, student_quantile

PLACES, EXPERIMENTS = 10, 1500


def shares(truth: float, alike: float, queries: int) -> np.ndarray:
    """Draw the recall of queries, some of which are harder than others.

    Args:
        truth: the mean recall.
        alike: correlation between two places of one query.
        queries: how many a draw has.

    Returns:
        ``(EXPERIMENTS, queries)`` shares of ten places.
    """
    chance = np.random.default_rng(2024)
    weight = 1 / alike - 1
    each = chance.beta(truth * weight, (1 - truth) * weight, (EXPERIMENTS, queries))
    return chance.binomial(PLACES, each) / PLACES


def coverage(truth: float, alike: float, queries: int) -> float:
    drawn = shares(truth, alike, queries)
    means, spreads = drawn.mean(axis=1), drawn.var(axis=1, ddof=1)
    ends = [
        share_interval(mean, spread, queries, PLACES)
        for mean, spread in zip(means.tolist(), spreads.tolist(), strict=True)
    ]
    return float(np.mean([low <= truth <= high for low, high in ends]))


@pytest.mark.parametrize("queries", [10, 48, 200])
@pytest.mark.parametrize("truth", [0.8, 0.95, 0.98, 0.995])
@pytest.mark.parametrize("alike", [0.03, 0.2])
def test_it_holds_the_truth_as_often_as_it_says(queries, truth, alike):
    assert coverage(truth, alike, queries) >= 0.905


def test_a_normal_interval_would_not():
    """So the experiments can tell a good interval from a bad one."""
    drawn = shares(0.98, 0.2, 48)
    means = drawn.mean(axis=1)
    reach = 1.96 * drawn.std(axis=1, ddof=1) / np.sqrt(48)
    assert np.mean(np.abs(means - 0.98) <= reach) < 0.88


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_it_lies_between_0_and_1_around_the_mean(values, places):
    mean = float(np.mean(values))
    spread = float(np.var(values, ddof=1)) if len(values) > 1 else 0.0
    low, high = share_interval(mean, spread, len(values), places)
    assert 0 <= low <= mean <= high <= 1
    assert low < high


def test_more_queries_make_it_narrower():
    widths = []
    for queries in (1, 2, 5, 20, 100, 1000):
        low, high = share_interval(0.9, 0.01, queries, PLACES)
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 10, 47, 1000])
def test_student_quantiles_are_those_of_scipy(degrees):
    assert student_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees))


@pytest.mark.parametrize("degrees", [3, 4, 10, 47, 1000])
def test_student_quantiles_without_scipy(degrees, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    assert student_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=0.01)
