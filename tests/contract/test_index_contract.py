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
from lfm2_colbert_rag.index.segment import SegmentWriter, open_exact_segment
from lfm2_colbert_rag.types import TokenVectors, Window

INDEXES = {"exact": ExactIndex, "exact-tiny-blocks": lambda s: ExactIndex(s, block_tokens=3)}
DIM = 6


@pytest.fixture(params=sorted(INDEXES))
def make_index(request):
    return INDEXES[request.param]


def encode(seed: int, length: int, start: int = 0) -> Window:
    vectors = np.random.default_rng(seed).standard_normal((length, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float16).astype(np.float32)
    spans = np.stack((np.arange(length), np.arange(length) + 1), axis=1).astype(np.int32) + start
    encoded = TokenVectors(vectors, np.arange(length, dtype=np.int32) + seed, spans)
    return Window((start, start + length), encoded)


def write(folder: Path, name: str, passages):
    """Write a segment of consecutive (row, windows) pairs and open it."""
    writer = SegmentWriter(folder / name, DIM, durable=False)
    first = passages[0][0]
    for row, windows in passages:
        for window in windows:
            writer.append(row - first, window)
    return open_exact_segment(folder, writer.finish(name, first))


def build(make_index, folder: Path, groups, dead=()):
    """Write one segment a group of (row, windows) pairs and open them as an index."""
    return make_index(
        [
            LiveSegment(write(folder, f"s{number}", group)).without(
                np.array(sorted(dead), dtype=np.int64)
            )
            for number, group in enumerate(groups)
        ]
    )


def oracle(query, passages):
    """The best MaxSim of a passage's windows, in plain Python floats, by row."""
    return {
        row: [
            float(sum(max(float(q @ d) for d in window.encoded.vectors) for q in query))
            for window in windows
        ]
        for row, windows in passages.items()
    }


windows_of_a_passage = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 5)), min_size=1, max_size=4
)
corpora = st.lists(st.lists(windows_of_a_passage, min_size=1, max_size=5), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shape=corpora, k=st.integers(1, 12), query_seed=st.integers(0, 9))
def test_agrees_with_a_dictionary(data, shape, k, query_seed):
    make_index = INDEXES[data.draw(st.sampled_from(sorted(INDEXES)))]
    rows = iter(range(1, 1000))
    groups = [[(next(rows), [encode(*one) for one in windows]) for windows in g] for g in shape]
    passages = dict(pair for group in groups for pair in group)
    dead = data.draw(st.sets(st.sampled_from(sorted(passages))))
    chosen = data.draw(st.none() | st.sets(st.sampled_from(sorted(passages))))
    query = encode(100 + query_seed, 3).encoded.vectors
    with tempfile.TemporaryDirectory() as folder:
        index = build(make_index, Path(folder), groups, dead)
        allowed = None if chosen is None else np.array(sorted(chosen), dtype=np.int64)
        ranking = index.search([query], k, rows=allowed)[0]
        assert len(index) == len(passages) - len(dead)
        live = {
            row: windows
            for row, windows in passages.items()
            if row not in dead and (chosen is None or row in chosen)
        }
        expected = oracle(query, live)
        assert len(ranking) >= min(k, len(live))
        assert len(set(ranking.rows.tolist())) == len(ranking)
        assert set(ranking.rows.tolist()) <= set(live)
        found = zip(
            ranking.rows.tolist(), ranking.scores.tolist(), ranking.windows.tolist(), strict=True
        )
        for row, score, window in found:
            assert score == pytest.approx(max(expected[row]), abs=1e-5)
            assert score == pytest.approx(expected[row][window], abs=1e-5)
        floor = sorted(map(max, expected.values()), reverse=True)[:k][-1:]
        missed = set(live) - set(ranking.rows.tolist())
        assert all(max(expected[row]) <= floor[0] + 1e-5 for row in missed)
        assert sorted(ranking.scores.tolist(), reverse=True) == ranking.scores.tolist()


def test_an_empty_index_finds_nothing(make_index):
    index = make_index([])
    assert len(index) == 0
    assert [len(r) for r in index.search([encode(1, 2).encoded.vectors] * 2, 5)] == [0, 0]


def test_no_query_no_ranking(make_index, tmp_path):
    assert build(make_index, tmp_path, [[(1, [encode(1, 2)])]]).search([], 5) == []


def test_equal_passages_get_equal_scores_wherever_they_lie(make_index, tmp_path):
    """Also where one of them is but a window of a longer passage."""
    twin = encode(7, 5)
    groups = [
        [(1, [encode(1, 3)]), (2, [twin]), (3, [encode(2, 4)])],
        [(4, [encode(3, 1)]), (5, [encode(4, 2), twin, twin])],
        [(6, [twin])],
    ]
    ranking = build(make_index, tmp_path, groups).search([twin.encoded.vectors], 1)[0]
    assert ranking.rows.tolist() == [2, 5, 6]
    assert ranking.windows.tolist() == [0, 1, 0]
    assert len(set(ranking.scores.tolist())) == 1


def test_many_windows_of_one_passage_take_no_place_from_others(make_index, tmp_path):
    query = encode(7, 5)
    groups = [[(1, [query] * 50), (2, [encode(1, 2)]), (3, [encode(2, 2)])]]
    index = build(make_index, tmp_path, groups)
    assert sorted(index.search([query.encoded.vectors], 3)[0].rows.tolist()) == [1, 2, 3]
    assert index.search([query.encoded.vectors], 1)[0].rows.tolist() == [1]


def many(count):
    return [
        (i, [encode(i + j, 1 + (i + j) % 4) for j in range(1 + i % 3)]) for i in range(1, count)
    ]


def test_a_smaller_k_gives_the_beginning_of_a_larger(make_index, tmp_path):
    index = build(make_index, tmp_path, [many(40)])
    query = encode(99, 4).encoded.vectors
    everything = index.search([query], 39)[0].rows.tolist()
    for k in (1, 5, 20):
        assert index.search([query], k)[0].rows.tolist()[:k] == everything[:k]


def test_many_queries_at_once_give_what_each_gives_alone(make_index, tmp_path):
    index = build(make_index, tmp_path, [many(30)])
    queries = [encode(50 + i, 1 + i).encoded.vectors for i in range(4)]
    together = index.search(queries, 7)
    for query, ranking in zip(queries, together, strict=True):
        alone = index.search([query], 7)[0]
        assert ranking.rows.tolist() == alone.rows.tolist()
        assert ranking.scores.tolist() == alone.scores.tolist()


def test_rows_that_do_not_exist_are_no_error(make_index, tmp_path):
    index = build(make_index, tmp_path, [[(4, [encode(1, 2)])]])
    wanted = np.array([1, 4, 9], dtype=np.int64)
    query = encode(2, 2).encoded.vectors
    assert index.search([query], 3, rows=wanted)[0].rows.tolist() == [4]


def test_windows_come_back_as_stored(make_index, tmp_path):
    stored = [encode(3, 4), encode(5, 2, start=3)]
    index = build(make_index, tmp_path, [[(8, [encode(1, 2)]), (9, stored)]], dead=[8])
    for place, (window, one) in enumerate(zip(index.windows(9), stored, strict=True)):
        assert window.span == one.span == index.window_span(9, place)
        assert index.window(9, place).span == one.span
        assert window.encoded.vectors.dtype == np.float32
        for name in ("vectors", "token_ids", "spans"):
            found, expected = getattr(window.encoded, name), getattr(one.encoded, name)
            np.testing.assert_array_equal(found, expected)
    for gone in (8, 10):
        with pytest.raises(PassageNotFoundError):
            index.windows(gone)
        with pytest.raises(PassageNotFoundError):
            index.window(gone, 0)
