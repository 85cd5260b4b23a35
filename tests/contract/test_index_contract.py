"""The laws of every index, on whatever it is given; a new index joins by one line in INDEXES.

The truth is MaxSim over the vectors that the index itself gives back; that they are close to those
that were stored is a law of its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import PassageNotFoundError
from lfm2_colbert_rag.index import Index

from ..windows import reads_what_is_removed
from .kinds import INDEXES, Kind, encode


@pytest.fixture(params=sorted(INDEXES))
def kind(request) -> Kind:
    return INDEXES[request.param]


def oracle(query: np.ndarray, index: Index, rows: set[int]) -> dict[int, list[float]]:
    """MaxSim of the windows that the index gives back, in plain Python floats, by row."""
    return {
        row: [
            float(sum(max(float(q @ d) for d in window.encoded.vectors) for q in query))
            for window in index.segments.windows(row)
        ]
        for row in rows
    }


windows_of_a_passage = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 5)), min_size=1, max_size=4
)
corpora = st.lists(st.lists(windows_of_a_passage, min_size=1, max_size=5), min_size=1, max_size=4)


@reads_what_is_removed
@settings(max_examples=settings.default.max_examples * 3 // 2, deadline=None)
@given(data=st.data(), shape=corpora, k=st.integers(1, 12), query_seed=st.integers(0, 9))
def test_agrees_with_a_dictionary(data, shape, k, query_seed):
    kind = INDEXES[data.draw(st.sampled_from(sorted(INDEXES)))]
    rows = iter(range(1, 1000))
    groups = [[(next(rows), [encode(*one) for one in windows]) for windows in g] for g in shape]
    stored = {row for group in groups for row, _ in group}
    dead = data.draw(st.sets(st.sampled_from(sorted(stored))))
    chosen = data.draw(st.none() | st.sets(st.sampled_from(sorted(stored))))
    query = encode(100 + query_seed, 3).encoded.vectors
    with tempfile.TemporaryDirectory() as folder:
        index = kind.build(Path(folder), groups, dead)
        allowed = None if chosen is None else np.array(sorted(chosen), dtype=np.int64)
        ranking = index.search([query], k, rows=allowed)[0]
        assert len(index) == len(stored) - len(dead)
        live = stored - dead if chosen is None else (stored - dead) & chosen
        expected = oracle(query, index, live)
    assert len(ranking) >= min(k, len(live))
    assert len(set(ranking.rows.tolist())) == len(ranking)
    assert set(ranking.rows.tolist()) <= set(live)
    found = zip(
        ranking.rows.tolist(), ranking.scores.tolist(), ranking.windows.tolist(), strict=True
    )
    for row, score, window in found:
        assert score == pytest.approx(max(expected[row]), abs=2e-4)
        assert score == pytest.approx(expected[row][window], abs=2e-4)
    assert sorted(ranking.scores.tolist(), reverse=True) == ranking.scores.tolist()
    if kind.complete:
        floor = sorted(map(max, expected.values()), reverse=True)[:k][-1:]
        missed = live - set(ranking.rows.tolist())
        assert all(max(expected[row]) <= floor[0] + 1e-4 for row in missed)


def test_an_empty_index_finds_nothing(kind):
    index = kind.make([])
    assert len(index) == 0
    assert [len(r) for r in index.search([encode(1, 2).encoded.vectors] * 2, 5)] == [0, 0]


def test_no_query_no_ranking(kind, tmp_path):
    assert kind.build(tmp_path, [[(1, [encode(1, 2)])]]).search([], 5) == []


def test_equal_passages_get_equal_scores_wherever_they_lie(kind, tmp_path):
    """Also where one of them is but a window of a longer passage."""
    twin = encode(7, 5)
    groups = [
        [(1, [encode(1, 3)]), (2, [twin]), (3, [encode(2, 4)])],
        [(4, [encode(3, 1)]), (5, [encode(4, 2), twin, twin])],
        [(6, [twin])],
    ]
    index = kind.build(tmp_path, groups)
    ranking = index.search([twin.encoded.vectors], 3)[0]
    windows = dict(zip(ranking.rows.tolist(), ranking.windows.tolist(), strict=True))
    scores = dict(zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True))
    assert windows == {2: 0, 5: 1, 6: 0}
    # Kept in another way, the same passage is another passage.
    alike = [{2, 5, 6}] if kind.every == 1 else [{2, 6}, {5}]
    assert all(len({scores[row] for row in rows}) == 1 for rows in alike)
    assert set(index.search([twin.encoded.vectors], 1)[0].rows.tolist()) in alike


def test_many_windows_of_one_passage_take_no_place_from_others(kind, tmp_path):
    query = encode(7, 5)
    groups = [[(1, [query] * 50), (2, [encode(1, 2)]), (3, [encode(2, 2)])]]
    index = kind.build(tmp_path, groups)
    assert sorted(index.search([query.encoded.vectors], 3)[0].rows.tolist()) == [1, 2, 3]
    assert index.search([query.encoded.vectors], 1)[0].rows.tolist() == [1]


def many(count):
    return [
        (i, [encode(i + j, 1 + (i + j) % 4) for j in range(1 + i % 3)]) for i in range(1, count)
    ]


def test_a_smaller_k_gives_the_beginning_of_a_larger(kind, tmp_path):
    index = kind.build(tmp_path, [many(40)])
    query = encode(99, 4).encoded.vectors
    everything = index.search([query], 39)[0].rows.tolist()
    for k in (1, 5, 20):
        assert index.search([query], k)[0].rows.tolist()[:k] == everything[:k]


def test_many_queries_at_once_give_what_each_gives_alone(kind, tmp_path):
    index = kind.build(tmp_path, [many(30)])
    queries = [encode(50 + i, 1 + i).encoded.vectors for i in range(4)]
    together = index.search(queries, 7)
    for query, ranking in zip(queries, together, strict=True):
        alone = index.search([query], 7)[0]
        assert ranking.rows.tolist() == alone.rows.tolist()
        assert ranking.scores.tolist() == alone.scores.tolist()


def test_rows_that_do_not_exist_are_no_error(kind, tmp_path):
    index = kind.build(tmp_path, [[(4, [encode(1, 2)])]])
    wanted = np.array([1, 4, 9], dtype=np.int64)
    query = encode(2, 2).encoded.vectors
    assert index.search([query], 3, rows=wanted)[0].rows.tolist() == [4]


def test_windows_come_back_as_stored(kind, tmp_path):
    stored = [encode(3, 4), encode(5, 2, start=3)]
    index = kind.build(tmp_path, [[(8, [encode(1, 2)]), (9, stored)]], dead=[8])
    for place, (window, one) in enumerate(zip(index.segments.windows(9), stored, strict=True)):
        assert window.span == one.span == index.segments.window(9, place).span
        assert window.encoded.vectors.dtype == np.float32
        for name in ("token_ids", "spans"):
            found, expected = getattr(window.encoded, name), getattr(one.encoded, name)
            np.testing.assert_array_equal(found, expected)
        errors = np.linalg.norm(window.encoded.vectors - one.encoded.vectors, axis=1)
        assert errors.max() <= kind.tolerance
    for gone in (8, 10):
        with pytest.raises(PassageNotFoundError):
            index.segments.windows(gone)
        with pytest.raises(PassageNotFoundError):
            index.segments.window(gone, 0)
