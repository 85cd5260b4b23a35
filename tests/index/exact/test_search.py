"""The exact ranking, by kernels and without, is that of MaxSim over all stored vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import IndexCorruptError, InputError
from lfm2_colbert_rag.index import ExactIndex
from lfm2_colbert_rag.index.exact.compiled import CompiledMaxSim
from lfm2_colbert_rag.index.exact.plain import PlainMaxSim
from lfm2_colbert_rag.index.maxsim import score_window

from .made import exact_segment


class AlwaysEstimating(CompiledMaxSim):
    """Estimates however few vectors there are."""

    few = 0


WAYS = {
    "compiled": AlwaysEstimating,
    "few": CompiledMaxSim,
    "plain": lambda: PlainMaxSim(block_tokens=5),
}
DIM = 16


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]()


@st.composite
def near_ties(draw) -> tuple[list[np.ndarray], list[int], list[np.ndarray]]:
    """Draw windows that hardly differ, some of them equal, of rows of one or several windows."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    first = chance.standard_normal((6, DIM)).astype(np.float16)
    windows = []
    for _ in range(draw(st.integers(1, 40))):
        made = first[: draw(st.integers(1, 6))].copy()
        for _ in range(draw(st.integers(0, 3))):  # by one bit of a float16
            at = chance.integers(0, made.size)
            made.reshape(-1).view(np.uint16)[at] ^= 1
        windows.append(made)
    rows = np.cumsum([draw(st.integers(0, 1)) for _ in windows]).tolist()
    queries = [chance.standard_normal((n, DIM)).astype(np.float32) for n in (1, 5, 9)]
    return windows, rows, queries


@given(made=near_ties(), k=st.integers(1, 12))
@settings(deadline=None, max_examples=60)
def test_near_ties_are_ranked_as_their_scores_are(made, k):
    windows, rows, queries = made
    live = [exact_segment(windows, rows)]
    for make in WAYS.values():
        rankings = ExactIndex(live, way=make()).search(queries, k)
        for query, ranking in zip(queries, rankings, strict=True):
            scores = [float(score_window(query, one)) for one in windows]
            best = {
                row: max(s for s, r in zip(scores, rows, strict=True) if r == row)
                for row in set(rows)
            }
            order = sorted(best, key=lambda row: (-best[row], row))
            least = best[order[min(k, len(order)) - 1]]
            expected = [row for row in order if best[row] >= least]
            assert ranking.rows.tolist() == expected
            assert ranking.scores.tolist() == [best[row] for row in expected]
            for row, place in zip(expected, ranking.windows.tolist(), strict=True):
                mine = [s for s, r in zip(scores, rows, strict=True) if r == row]
                assert place == mine.index(best[row])


def test_many_queries_are_answered_like_one(way):
    chance = np.random.default_rng(3)
    windows = [chance.standard_normal((5, DIM)).astype(np.float16) for _ in range(30)]
    queries = [chance.standard_normal((n % 40, DIM)).astype(np.float32) for n in range(150)]
    index = ExactIndex([exact_segment(windows)], way=way)
    for query, together in zip(queries, index.search(queries, 3), strict=True):
        (alone,) = index.search([query], 3)
        assert alone.rows.tolist() == together.rows.tolist()
        assert alone.scores.tolist() == together.scores.tolist()


def test_several_segments_are_one_index(way):
    chance = np.random.default_rng(4)
    windows = [chance.standard_normal((3, DIM)).astype(np.float16) for _ in range(12)]
    query = chance.standard_normal((4, DIM)).astype(np.float32)
    whole = ExactIndex([exact_segment(windows)], way=way)
    parts = [exact_segment(windows[a : a + 4], range(a, a + 4)) for a in (0, 4, 8)]
    for rows in (None, np.array([1, 5, 6, 11])):
        one, other = (
            i.search([query], 3, rows=rows)[0] for i in (whole, ExactIndex(parts, way=way))
        )
        assert one.rows.tolist() == other.rows.tolist()
        assert one.scores.tolist() == other.scores.tolist()


def test_a_query_of_another_width_is_refused(way):
    index = ExactIndex([exact_segment([np.ones((2, DIM), np.float16)] * 3)], way=way)
    with pytest.raises(InputError, match=r"\(num_tokens, 16\).*\(2, 15\)"):
        index.search([np.ones((2, DIM - 1), np.float32)], 1)


def test_what_is_no_number_is_refused(way):
    odd = np.ones((2, DIM), np.float16)
    odd[1, 1] = np.nan
    index = ExactIndex([exact_segment([np.ones((2, DIM), np.float16), odd])], way=way)
    for k in (1, 2):
        with pytest.raises(IndexCorruptError, match="not finite"):
            index.search([np.ones((1, DIM), np.float32)], k)


def test_without_kernels_numpy_answers(monkeypatch):
    monkeypatch.setenv("LFM2_COLBERT_KERNELS", "never")
    index = ExactIndex([exact_segment([np.full((2, DIM), n, np.float16) for n in range(4)])])
    (ranking,) = index.search([np.ones((1, DIM), np.float32)], 2)
    assert ranking.rows.tolist() == [3, 2]
