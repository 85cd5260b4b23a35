"""What is unpacked in the processor's registers is what NumPy unpacks."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.index.compressed.codec import BENDS, Codec
from lfm2_colbert_rag.index.compressed.kernels.levels import (
    PARTS,
    UNITS,
    WIDE_UNITS,
    whole_value,
)
from lfm2_colbert_rag.index.compressed.kernels.simd import OFFSET, SMALL, TOGETHER
from lfm2_colbert_rag.index.compressed.kernels.unpacking import (
    SHIFTS,
    compare,
    energy_of,
    rebuild,
)

from .instructions import LACKING, compiled_for

SHAPES = [(128, 4), (128, 2), (48, 4), (20, 2), (6, 4)]


def _compare(packed, t, bent, query, units, near, slot, step, norm, best, lanes, planes, chunks):
    compare(packed, t, bent, query, units, near, slot, step, norm, best, lanes, planes, chunks)


def _rebuild(packed, t, centroids, c, near, far, bent, lanes, planes, whole, k):
    rebuild(packed, t, centroids, c, near, far, bent, lanes, planes, whole, k)


def _energy(whole, k, chunks):
    return energy_of(whole, k, chunks)


@pytest.fixture(params=LACKING)
def instructions(request, monkeypatch):
    return compiled_for(request.param, monkeypatch, _compare, _rebuild, _energy)


def tuples(codec: Codec) -> tuple[tuple[None, ...], ...]:
    return (None,) * codec.width, (None,) * codec.planes


def chunks_of(codec: Codec) -> tuple[None, ...]:
    return (None,) * -(-codec.padded // 32)


@pytest.fixture(params=SHAPES, ids=str)
def stored(request):
    """Return a codec, some levels, and the same packed."""
    dim, nbits = request.param
    codec = Codec(dim, nbits)
    levels = np.random.default_rng(dim).integers(0, codec.levels, (9, codec.padded))
    return codec, levels, codec.pack(levels)


@pytest.mark.parametrize("nbits", [2, 4])
@pytest.mark.parametrize("bent", [False, True])
def test_whole_numbers_stand_for_the_levels(nbits, bent):
    values = Codec(8, nbits, bent).values
    wide = [whole_value(level, nbits, bent, wide=True) for level in range(1 << nbits)]
    np.testing.assert_allclose(np.array(wide) * WIDE_UNITS[nbits][not bent], values, rtol=1e-6)
    assert max(map(abs, wide)) < 1 << 15
    small = [whole_value(level, nbits, bent, wide=False) for level in range(1 << nbits)]
    assert max(map(abs, small)) <= SMALL
    assert np.abs(np.array(small) * UNITS[nbits] - values).max() <= 0.51 * UNITS[nbits]
    assert UNITS[nbits] == PARTS[nbits] / (2 * BENDS[nbits])


@pytest.mark.parametrize("bent", [0, 1])
def test_a_vector_is_compared_by_its_levels(instructions, stored, bent):
    compare_one = instructions[0]
    codec, levels, packed = stored
    known = [whole_value(n, codec.nbits, bool(bent), wide=False) for n in range(codec.levels)]
    values, chunks, chance = np.array(known)[levels], chunks_of(codec), np.random.default_rng(1)
    query = np.zeros((2 * TOGETHER, 32 * len(chunks)), np.int64)
    query[:, : codec.padded] = chance.integers(-128, 128, (len(query), codec.padded))
    # What stands beyond the end of a row of the query must not count either.
    query[:, codec.padded :] = 77
    units = chance.uniform(0.5, 1, len(query)).astype(np.float32)
    near = chance.standard_normal((3, len(query))).astype(np.float32)
    step, norm = np.float32(0.001), np.float32(0.9)
    best = np.full(len(query), -np.inf, np.float32)
    expected = best.copy()
    for t in range(len(packed)):
        compare_one(
            packed, t, bent, (query + OFFSET).astype(np.uint8), units, near, t % 3, step, norm,
            best, *tuples(codec), chunks,
        )  # fmt: skip
        dots = query[:, : codec.padded] @ values[t]
        expected = np.maximum(expected, (near[t % 3] + dots * units * step) * norm)
        np.testing.assert_allclose(best, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bent", [False, True])
def test_rebuilt_vectors_are_those_of_numpy(instructions, stored, bent):
    _, rebuild_one, energy = instructions
    codec, levels, packed = stored
    chance, largest = np.random.default_rng(2), 127 if codec.nbits == 4 else 7
    centroids = chance.integers(-largest, largest + 1, (4, codec.padded)).astype(np.int8)
    near, far = np.int16(2_500), np.int16(3_500)
    chunks = chunks_of(codec)
    whole = np.zeros((2, 32 * len(chunks)), np.int16)
    whole[0] = 5
    values = Codec(codec.dim, codec.nbits, bent).values / WIDE_UNITS[codec.nbits][not bent]
    for t in range(len(packed)):
        rebuild_one(packed, t, centroids, t % 4, near, far, int(bent), *tuples(codec), whole, 1)
        shifted = centroids[t % 4].astype(float) * (1 << SHIFTS[codec.nbits])
        expected = (shifted * near + values[levels[t]] * far) / (1 << 15)
        assert np.abs(whole[1, : codec.padded] - expected).max() <= 1.01
        assert (whole[0] == 5).all()
        length = float(whole[1].astype(np.int64) @ whole[1])
        assert energy(whole, 1, chunks) == pytest.approx(length, rel=1e-6)


def test_factors_that_fill_sixteen_bits_do_not_overflow(instructions):
    _, rebuild_one, _ = instructions
    codec = Codec(32, 4)
    packed = codec.pack(np.array([[15] * 16 + [0] * 16]))
    centroids = np.array([[127] * 16 + [-127] * 16], np.int8)
    whole = np.zeros((1, 32), np.int16)
    near, far = np.int16(20_000), np.int16(12_767)
    rebuild_one(packed, 0, centroids, 0, near, far, 1, *tuples(codec), whole, 0)
    assert (whole[0, :16] > 30_000).all()
    assert (whole[0, 16:] < -30_000).all()
