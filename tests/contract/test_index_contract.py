"""The laws of every index, on whatever it is given; a new index joins by one line in INDEXES."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import PassageNotFoundError
from lfm2_colbert_rag.index import ExactIndex, LiveSegment
from lfm2_colbert_rag.index.segment import open_segment, write_segment
from lfm2_colbert_rag.types import TokenVectors

INDEXES = {"exact": ExactIndex, "exact-tiny-blocks": lambda s: ExactIndex(s, block_tokens=3)}
DIM = 6


@pytest.fixture(params=sorted(INDEXES))
def make_index(request):
    return INDEXES[request.param]


def encode(seed: int, length: int) -> TokenVectors:
    vectors = np.random.default_rng(seed).standard_normal((length, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float16).astype(np.float32)
    return TokenVectors(vectors, np.arange(length, dtype=np.int32), np.zeros((length, 2), np.int32))


def build(make_index, folder: Path, groups, dead=()):
    """Write one segment a group of (row, passage) pairs and open them as an index."""
    segments = []
    for number, group in enumerate(groups):
        info = write_segment(
            folder,
            f"s{number}",
            [row for row, _ in group],
            [one for _, one in group],
            durable=False,
        )
        live = LiveSegment(open_segment(folder, info))
        segments.append(live.without(np.array(sorted(dead), dtype=np.int64)))
    return make_index(segments)


def oracle(query, passages):
    """MaxSim in plain Python floats, by row."""
    return {
        row: float(sum(max(float(q @ d) for d in one.vectors) for q in query))
        for row, one in passages.items()
    }


corpora = st.lists(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), min_size=1, max_size=6),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shape=corpora, k=st.integers(1, 12), query_seed=st.integers(0, 9))
def test_agrees_with_a_dictionary(data, shape, k, query_seed):
    make_index = INDEXES[data.draw(st.sampled_from(sorted(INDEXES)))]
    rows = iter(range(1, 1000))
    groups = [[(next(rows), encode(seed, length)) for seed, length in g] for g in shape]
    passages = dict(pair for group in groups for pair in group)
    dead = data.draw(st.sets(st.sampled_from(sorted(passages))))
    chosen = data.draw(st.none() | st.sets(st.sampled_from(sorted(passages))))
    query = encode(100 + query_seed, 3).vectors
    with tempfile.TemporaryDirectory() as folder:
        index = build(make_index, Path(folder), groups, dead)
        allowed = None if chosen is None else np.array(sorted(chosen), dtype=np.int64)
        ranking = index.search([query], k, rows=allowed)[0]
        assert len(index) == len(passages) - len(dead)
        live = {
            row: one
            for row, one in passages.items()
            if row not in dead and (chosen is None or row in chosen)
        }
        expected = oracle(query, live)
        assert len(ranking) >= min(k, len(live))
        assert set(ranking.rows.tolist()) <= set(live)
        for row, score in zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True):
            assert score == pytest.approx(expected[row], abs=1e-5)
        floor = sorted(expected.values(), reverse=True)[:k][-1:]
        missed = set(live) - set(ranking.rows.tolist())
        assert all(expected[row] <= floor[0] + 1e-5 for row in missed)
        assert sorted(ranking.scores.tolist(), reverse=True) == ranking.scores.tolist()


def test_an_empty_index_finds_nothing(make_index):
    index = make_index([])
    assert len(index) == 0
    assert [len(r) for r in index.search([encode(1, 2).vectors] * 2, 5)] == [0, 0]


def test_no_query_no_ranking(make_index, tmp_path):
    assert build(make_index, tmp_path, [[(1, encode(1, 2))]]).search([], 5) == []


def test_equal_passages_get_equal_scores_wherever_they_lie(make_index, tmp_path):
    twin = encode(7, 5)
    groups = [
        [(1, encode(1, 3)), (2, twin), (3, encode(2, 4))],
        [(4, encode(3, 1)), (5, twin)],
        [(6, twin)],
    ]
    ranking = build(make_index, tmp_path, groups).search([twin.vectors], 1)[0]
    assert ranking.rows.tolist() == [2, 5, 6]
    assert len(set(ranking.scores.tolist())) == 1


def test_a_smaller_k_gives_the_beginning_of_a_larger(make_index, tmp_path):
    groups = [[(i, encode(i, 1 + i % 4)) for i in range(1, 40)]]
    index = build(make_index, tmp_path, groups)
    query = encode(99, 4).vectors
    everything = index.search([query], 39)[0].rows.tolist()
    for k in (1, 5, 20):
        assert index.search([query], k)[0].rows.tolist()[:k] == everything[:k]


def test_many_queries_at_once_give_what_each_gives_alone(make_index, tmp_path):
    index = build(make_index, tmp_path, [[(i, encode(i, 1 + i % 4)) for i in range(1, 30)]])
    queries = [encode(50 + i, 1 + i).vectors for i in range(4)]
    together = index.search(queries, 7)
    for query, ranking in zip(queries, together, strict=True):
        alone = index.search([query], 7)[0]
        assert ranking.rows.tolist() == alone.rows.tolist()
        assert ranking.scores.tolist() == alone.scores.tolist()


def test_rows_that_do_not_exist_are_no_error(make_index, tmp_path):
    index = build(make_index, tmp_path, [[(4, encode(1, 2))]])
    wanted = np.array([1, 4, 9], dtype=np.int64)
    assert index.search([encode(2, 2).vectors], 3, rows=wanted)[0].rows.tolist() == [4]


def test_vectors_come_back_as_stored(make_index, tmp_path):
    one = encode(3, 4)
    index = build(make_index, tmp_path, [[(8, encode(1, 2)), (9, one)]], dead=[8])
    assert index.vectors(9).dtype == np.float32
    np.testing.assert_array_equal(index.vectors(9), one.vectors)
    np.testing.assert_array_equal(index.token_ids(9), one.token_ids)
    for gone in (8, 10):
        with pytest.raises(PassageNotFoundError):
            index.vectors(gone)
