"""MaxSim over bytes never lies further from MaxSim than its margin says."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.index.exact import kernels
from lfm2_colbert_rag.index.exact.compiled import CompiledMaxSim
from lfm2_colbert_rag.index.exact.kernels import blocks
from lfm2_colbert_rag.index.exact.layout import GROUP, LIMIT
from lfm2_colbert_rag.index.exact.plain import PlainMaxSim
from lfm2_colbert_rag.index.exact.quantized import QuantizedQueries, quantize, quantize_queries
from lfm2_colbert_rag.index.exact.windows import Windows

from ..instructions import LACKING, compiled_for
from .made import exact_segment

DIMS = (4, 20, 128)


@st.composite
def matrices(draw, dim: int, most: int) -> np.ndarray:
    """Draw vectors of very different lengths and shapes, as float16 can hold them."""
    rows = draw(st.integers(1, most))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["dense", "one", "equal", "zero", "signs", "heavy"]))
    made = {
        "dense": lambda: chance.standard_normal((rows, dim)),
        "one": lambda: np.eye(dim)[chance.integers(0, dim, rows)] * chance.choice([-1, 1]),
        "equal": lambda: np.repeat(chance.standard_normal((1, dim)), rows, axis=0),
        "zero": lambda: np.zeros((rows, dim)),
        "signs": lambda: chance.choice([-1.0, 1.0], (rows, dim)),
        "heavy": lambda: chance.standard_cauchy((rows, dim)).clip(-50, 50),
    }[kind]()
    return (made * draw(st.sampled_from([1e-6, 0.01, 1.0, 100.0]))).astype(np.float16)


@pytest.mark.parametrize("dim", DIMS)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_the_margin_holds(dim, data):
    stored = [data.draw(matrices(dim, 20)) for _ in range(data.draw(st.integers(1, 5)))]
    queries = [data.draw(matrices(dim, 12)).astype(np.float32) for _ in range(3)]
    windows = Windows.of([exact_segment(stored)], None)
    scores, margins = CompiledMaxSim().estimate(queries, windows)
    truth = [[float((q @ d.astype(np.float64).T).max(1).sum()) for d in stored] for q in queries]
    assert (np.abs(scores - np.array(truth)) <= margins).all()


@pytest.mark.parametrize("dim", DIMS)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_kernels_and_numpy_score_the_same_bits(dim, data):
    stored = [data.draw(matrices(dim, 20)) for _ in range(3)]
    query = data.draw(matrices(dim, 12)).astype(np.float32)
    windows = Windows.of([exact_segment(stored)], None)
    plain, compiled = (way.score(query, windows) for way in (PlainMaxSim(), CompiledMaxSim()))
    assert plain.tobytes() == compiled.tobytes()


@pytest.mark.parametrize("dim", DIMS)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_kernels_and_numpy_quantize_queries_to_the_same_bits(dim, data):
    some = data.draw(st.lists(matrices(dim, 12), min_size=1, max_size=5))
    empty = [np.empty((0, dim), np.float16) for _ in range(data.draw(st.integers(0, 1)))]
    queries = [one.astype(np.float32) for one in [*empty, *some, *empty]]
    plain, compiled = QuantizedQueries.of(queries), quantize_queries(queries)
    for field in fields(QuantizedQueries):
        one, other = getattr(plain, field.name), getattr(compiled, field.name)
        assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes()), field.name


@pytest.mark.parametrize("dim", DIMS)
@given(data=st.data())
@settings(deadline=None)
def test_sums_of_products_fit_sixteen_bits(dim, data):
    asked = QuantizedQueries.of([data.draw(matrices(dim, 12)).astype(np.float32)])
    fours = asked.blocks.astype(np.int64).reshape(len(asked.blocks), -1, GROUP // 2, 8, 2, 2)
    for sign in (1, -1):
        assert np.maximum(sign * fours, 0).sum(axis=(2, 5)).max() <= LIMIT


def test_a_block_holds_no_two_windows():
    stored = [np.ones((length, 4), np.float16) for length in (1, 8, 9, 3)]
    segment = exact_segment(stored).segment
    made = quantize(segment.vectors, segment.offsets)
    assert made.firsts.tolist() == [0, 1, 2, 4, 5]
    assert made.lengths.tolist() == [2.0] * 4


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_seen(odd):
    vectors = np.ones((9, 4), np.float16)
    vectors[8, 3] = odd
    assert quantize(vectors, np.array([0, 4, 9])) is None


@pytest.mark.long
@pytest.mark.parametrize("kind", LACKING)
@pytest.mark.parametrize("dim", [4, 128])
def test_every_processor_finds_the_same(kind, dim, monkeypatch):
    chance = np.random.default_rng(dim)
    stored = [chance.standard_normal((rows, dim)).astype(np.float16) for rows in (1, 7, 8, 30)]
    segment = exact_segment(stored).segment
    made = quantize(segment.vectors, segment.offsets)
    asked = QuantizedQueries.of([chance.standard_normal((n, dim), np.float32) for n in (3, 9)])

    def block(one, b, scales, other, i, starts, best, chunks):
        blocks.keep_best_of_block(one, b, scales, other, i, starts, best, chunks)

    (compiled,) = compiled_for(kind, monkeypatch, block)
    found = np.full((len(asked.starts), 8), -np.inf, np.float32)
    expected = np.zeros((4, 2), np.float32)
    kernels.score_blocks(
        *(asked.blocks, asked.starts, asked.units, asked.ends, made.blocks, made.scales),
        *(made.firsts[:-1], made.firsts[1:], expected, asked.chunks),
    )
    for b in range(made.firsts[3], made.firsts[4]):
        for i in range(len(asked.blocks)):
            compiled(
                *(made.blocks, b, made.scales, asked.blocks, i, asked.starts, found, asked.chunks)
            )
    sums = found.max(axis=1) * asked.units
    np.testing.assert_allclose([sums[:3].sum(), sums[3:12].sum()], expected[3], rtol=1e-5)
