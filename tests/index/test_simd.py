"""Products of whole numbers are exact, whatever instructions make them."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.index.kernels import simd

from .instructions import LACKING, compiled_for


def _dot(a, i, b, j, chunks):
    return simd.dot(a, i, b, j, chunks)


def _dots(a, i, b, j, out, chunks):
    simd.prefetch(b, j, chunks)
    simd.dots(a, i, b, j, out, chunks)


def _dots_with(a, i, b, j, out, chunks):
    simd.dots_with(a, i, b, j, out, chunks)


@pytest.fixture(params=LACKING)
def instructions(request, monkeypatch):
    return compiled_for(request.param, monkeypatch, _dot, _dots, _dots_with)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@pytest.mark.parametrize("width", [32, 96, 128])
def test_products_are_those_of_numpy(instructions, dtype, width):
    dot, dots, dots_with = instructions
    chance = np.random.default_rng(width)
    if dtype == np.int8:  # to the very ends of what a byte holds
        left = chance.integers(-128, 128, (12, width))
        a = (left + simd.OFFSET).astype(np.uint8)
        b = chance.integers(-128, 128, (20, width)).astype(dtype)
        a[0], left[0], b[0] = 255, 127, -128
    else:
        left = chance.integers(-16_000, 16_000, (12, width))
        a = left.astype(np.int16)
        b = chance.integers(-4_000, 4_000, (20, width)).astype(dtype)
    truth = left.astype(np.int64) @ b.T.astype(np.int64)
    chunks = (None,) * (width // 32)
    assert [[dot(a, i, b, j, chunks) for j in range(20)] for i in range(12)] == truth.tolist()
    out = np.empty(8, np.int32)
    for first in (0, 7, 12):
        dots(a, 2, b, first, out, chunks)
        assert out.tolist() == truth[2, first : first + 8].tolist()
        dots_with(a, 3, b, first, out, chunks)
        assert out.tolist() == truth[3:11, first].tolist()
