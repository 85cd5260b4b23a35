"""What is unpacked in the processor's registers is what NumPy unpacks."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.index.compressed.codec import BENDS, Codec
from lfm2_colbert_rag.index.compressed.kernels.unpacking import compare, rebuild, squared_norm
from lfm2_colbert_rag.index.compressed.whole_levels import (
    PARTS,
    SHIFTS,
    UNITS,
    WIDE_UNITS,
    whole_value,
)
from lfm2_colbert_rag.index.jit import OFFSET, TOGETHER

from ..instructions import LACKING, compiled_for

pytestmark = pytest.mark.long

# Two products with bytes of no more than this size fit 16 bits, which the quick way relies on.
SMALL = 63
SHAPES = [(128, 4), (128, 2), (48, 4), (20, 2), (6, 4)]


def _compare(packed, t, query, units, near, slot, step, norm, best, shape):
    compare(packed, t, query, units, near, slot, step, norm, best, shape)


def _rebuild(packed, t, centroids, c, near, far, whole, k, shape):
    rebuild(packed, t, centroids, c, near, far, whole, k, shape)


def _squared_norm(whole, k, shape):
    return squared_norm(whole, k, shape)


@pytest.fixture(params=LACKING)
def instructions(request, monkeypatch):
    return compiled_for(request.param, monkeypatch, _compare, _rebuild, _squared_norm)


@pytest.fixture(params=SHAPES, ids=str)
def stored(request):
    """Return a codec, some levels, and the same packed."""
    dim, nbits = request.param
    codec = Codec(dim, nbits)
    levels = np.random.default_rng(dim).integers(0, codec.levels, (9, codec.padded))
    return codec, levels, codec.pack(levels)


@pytest.mark.parametrize("nbits", [2, 4])
def test_whole_numbers_stand_for_the_levels(nbits):
    values = Codec(8, nbits).values
    wide = [whole_value(level, nbits, wide=True) for level in range(1 << nbits)]
    np.testing.assert_allclose(np.array(wide) * WIDE_UNITS[nbits], values, rtol=1e-6)
    assert max(map(abs, wide)) < 1 << 15
    small = [whole_value(level, nbits, wide=False) for level in range(1 << nbits)]
    assert max(map(abs, small)) <= SMALL
    assert np.abs(np.array(small) * UNITS[nbits] - values).max() <= 0.51 * UNITS[nbits]
    assert UNITS[nbits] == PARTS[nbits] / (2 * BENDS[nbits])


def test_a_vector_is_compared_by_its_levels(instructions, stored):
    compare_one = instructions[0]
    codec, levels, packed = stored
    known = [whole_value(n, codec.nbits, wide=False) for n in range(codec.levels)]
    values, shape, chance = np.array(known)[levels], codec.shape, np.random.default_rng(1)
    query = np.zeros((2 * TOGETHER, 32 * len(shape.chunks)), np.int64)
    query[:, : codec.padded] = chance.integers(-128, 128, (len(query), codec.padded))
    # What stands beyond the end of a row of the query must not count either.
    query[:, codec.padded :] = 77
    units = chance.uniform(0.5, 1, len(query)).astype(np.float32)
    near = chance.standard_normal((3, len(query))).astype(np.float32)
    step, norm = np.float32(0.001), np.float32(0.9)
    best = np.full(len(query), -np.inf, np.float32)
    expected = best.copy()
    for t in range(len(packed)):
        asked = (query + OFFSET).astype(np.uint8)
        compare_one(packed, t, asked, units, near, t % 3, step, norm, best, shape)
        dots = query[:, : codec.padded] @ values[t]
        expected = np.maximum(expected, (near[t % 3] + dots * units * step) * norm)
        np.testing.assert_allclose(best, expected, rtol=1e-4, atol=1e-5)


def test_rebuilt_vectors_are_those_of_numpy(instructions, stored):
    _, rebuild_one, squared = instructions
    codec, levels, packed = stored
    chance, largest = np.random.default_rng(2), 127 if codec.nbits == 4 else 7
    centroids = chance.integers(-largest, largest + 1, (4, codec.padded)).astype(np.int8)
    near, far = np.int16(2_500), np.int16(3_500)
    whole = np.zeros((2, 32 * len(codec.shape.chunks)), np.int16)
    whole[0] = 5
    values = codec.values / WIDE_UNITS[codec.nbits]
    for t in range(len(packed)):
        rebuild_one(packed, t, centroids, t % 4, near, far, whole, 1, codec.shape)
        shifted = centroids[t % 4].astype(float) * (1 << SHIFTS[codec.nbits])
        expected = (shifted * near + values[levels[t]] * far) / (1 << 15)
        assert np.abs(whole[1, : codec.padded] - expected).max() <= 1.01
        assert (whole[0] == 5).all()
        length = float(whole[1].astype(np.int64) @ whole[1])
        assert squared(whole, 1, codec.shape) == pytest.approx(length, rel=1e-6)


def test_factors_that_fill_sixteen_bits_do_not_overflow(instructions):
    _, rebuild_one, _ = instructions
    codec = Codec(32, 4)
    packed = codec.pack(np.array([[15] * 16 + [0] * 16]))
    centroids = np.array([[127] * 16 + [-127] * 16], np.int8)
    whole = np.zeros((1, 32), np.int16)
    near, far = np.int16(20_000), np.int16(12_767)
    rebuild_one(packed, 0, centroids, 0, near, far, whole, 0, codec.shape)
    assert (whole[0, :16] > 30_000).all()
    assert (whole[0, 16:] < -30_000).all()
