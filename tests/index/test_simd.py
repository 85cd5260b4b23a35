"""Products of whole numbers are exact, whatever instructions make them."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.index.jit import simd

from .instructions import LACKING, compiled_for

pytestmark = pytest.mark.long


def _dot(a, i, b, j, chunks):
    return simd.dot(a, i, b, j, chunks)


def _similar(a, i, units, b, scales, j, out, chunks):
    simd.prefetch(b, j, chunks)
    return simd.similar(a, i, units, b, scales, j, out, chunks)


def _keep_best(a, i, b, factors, best, chunks):
    simd.keep_best(a, i, b, factors, best, chunks)


def _dots_with(a, i, b, j, out, chunks):
    simd.dots_with(a, i, b, j, out, chunks)


@pytest.fixture(params=LACKING)
def instructions(request, monkeypatch):
    return compiled_for(request.param, monkeypatch, _dot, _dots_with, _similar, _keep_best)


def rows(dtype, width):
    """Return left rows as they are given and as they are meant, and right rows."""
    chance = np.random.default_rng(width)
    if dtype == np.int8:  # to the very ends of what a byte holds
        left = chance.integers(-128, 128, (12, width))
        b = chance.integers(-128, 128, (20, width)).astype(dtype)
        left[0], b[0] = 127, -128
        return (left + simd.OFFSET).astype(np.uint8), left, b
    left = chance.integers(-16_000, 16_000, (12, width))
    return left.astype(np.int16), left, chance.integers(-4_000, 4_000, (20, width)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@pytest.mark.parametrize("width", [32, 96, 128])
def test_products_are_those_of_numpy(instructions, dtype, width):
    dot, dots_with, similar, keep_best = instructions
    a, left, b = rows(dtype, width)
    truth = left.astype(np.int64) @ b.T.astype(np.int64)
    chunks = (None,) * (width // 32)
    assert [[dot(a, i, b, j, chunks) for j in range(20)] for i in range(12)] == truth.tolist()
    out, chance = np.empty(8, np.int32), np.random.default_rng(1)
    units = chance.uniform(0.5, 1, 12).astype(np.float32)
    scales = chance.uniform(0.5, 1, 20).astype(np.float32)
    sims = np.empty(8, np.float32)
    for first in (0, 3, 4):
        dots_with(a, first, b, 7, out, chunks)
        assert out.tolist() == truth[first : first + 8, 7].tolist()
        largest = similar(a, 2, units, b, scales, first, sims, chunks)
        expected = truth[2] * scales * units[2]
        np.testing.assert_allclose(sims, expected[first : first + 8], rtol=1e-5)
        assert largest == sims.max()
    best = np.full((12, 8), -np.inf, np.float32)
    best[1, :4] = np.inf
    keep_best(a, 1, b, scales, best, chunks)
    np.testing.assert_allclose(best[1, 4:], (truth[1] * scales)[4:8], rtol=1e-5)
    assert np.isinf(best[[0, 2]]).all()
    assert np.isinf(best[1, :4]).all()
