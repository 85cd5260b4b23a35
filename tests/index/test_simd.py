"""Products of whole numbers are exact, whatever instructions make them."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from lfm2_colbert_rag.index.kernels import simd


@njit
def _dot(a, i, b, j, chunks):
    return simd.dot(a, i, b, j, chunks)


@njit
def _dots(a, i, b, j, out, chunks):
    simd.prefetch(b, j, chunks, chunks)
    simd.dots(a, i, b, j, out, chunks)


@pytest.fixture(params=["this processor's", "any processor's"])
def instructions(request, monkeypatch):
    """Compile once with this processor's instructions, and once as for one that lacks them."""
    if request.param == "this processor's":
        return _dot, _dots
    monkeypatch.setattr(simd, "FEATURE", "+no such feature")
    return njit(_dot.py_func), njit(_dots.py_func)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@pytest.mark.parametrize("width", [16, 48, 128])
def test_products_are_those_of_numpy(instructions, dtype, width):
    dot, dots = instructions
    chance = np.random.default_rng(width)
    limits = np.iinfo(dtype)
    most = min(limits.max, 4_000)
    a = chance.integers(-16_000, 16_000, (3, width)).astype(np.int16)
    b = chance.integers(-most, most, (20, width)).astype(dtype)
    truth = a.astype(np.int64) @ b.T.astype(np.int64)
    chunks = (None,) * (width // 16)
    assert [[dot(a, i, b, j, chunks) for j in range(20)] for i in range(3)] == truth.tolist()
    out = np.empty(8, np.int32)
    for first in (0, 7, 12):
        dots(a, 2, b, first, out, chunks)
        assert out.tolist() == truth[2, first : first + 8].tolist()
