"""What is unpacked in the processor's registers is what NumPy unpacks."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from lfm2_colbert_rag.index.codec import BENDS, Codec
from lfm2_colbert_rag.index.kernels.unpacking import FULL, level_dots, rebuild

SHAPES = [(128, 4), (128, 2), (48, 4), (20, 2), (6, 4)]


@njit
def _level_dots(packed, t, bent, query, rows, first, last, out, lanes, planes, chunks):
    level_dots(packed, t, bent, query, rows, first, last, out, lanes, planes, chunks)


@njit
def _rebuild(packed, t, centroids, c, scale, step, bend, lanes, planes, whole, k):
    return rebuild(packed, t, centroids, c, scale, step, bend, lanes, planes, whole, k)


def tuples(codec: Codec) -> tuple[tuple[None, ...], ...]:
    return (None,) * codec.width, (None,) * codec.planes


@pytest.fixture(params=SHAPES, ids=str)
def stored(request):
    """Return a codec, some levels, and the same packed."""
    dim, nbits = request.param
    codec = Codec(dim, nbits)
    levels = np.random.default_rng(dim).integers(0, codec.levels, (9, codec.padded))
    return codec, levels, codec.pack(levels)


@pytest.mark.parametrize("bent", [0, 1])
def test_products_with_levels_are_exact(stored, bent):
    codec, levels, packed = stored
    bend = BENDS[codec.nbits]
    places = 2 * levels - (codec.levels - 1)
    values = places * (bend + bent * places**2)
    chunks = (None,) * -(-codec.padded // 16)
    query = np.zeros((5, 16 * len(chunks)), np.int16)
    query[:, : codec.padded] = np.random.default_rng(1).integers(-1500, 1500, (5, codec.padded))
    # What stands beyond the end of a row of the query must not count either.
    query[:, codec.padded :] = 77
    rows = np.array([4, 0, 3, 1], np.int32)
    out = np.full(3, -1, np.int32)
    for t in range(len(packed)):
        _level_dots(packed, t, bent, query, rows, 1, 4, out, *tuples(codec), chunks)
        expected = query[rows[1:], : codec.padded].astype(np.int64) @ values[t]
        assert out.tolist() == expected.tolist()


@pytest.mark.parametrize("bent", [False, True])
def test_rebuilt_vectors_are_those_of_numpy_at_unit_length(stored, bent):
    codec, levels, packed = stored
    chance = np.random.default_rng(2)
    centroids = chance.integers(-127, 128, (4, codec.padded)).astype(np.int8)
    scale, step = np.float32(0.002), np.float32(0.05)
    bend = np.float32(bent / BENDS[codec.nbits])
    whole = np.full((2, codec.padded), 5, np.int16)
    values = Codec(codec.dim, codec.nbits, bent).values
    for t in range(len(packed)):
        length = _rebuild(
            packed, t, centroids, t % 4, scale, step, bend, *tuples(codec), whole, 1
        )  # fmt: skip
        expected = centroids[t % 4] * scale + values[levels[t]] * step
        assert length == pytest.approx(np.linalg.norm(expected), rel=1e-5)
        exact = expected / np.linalg.norm(expected) * FULL
        assert np.abs(whole[1] - exact).max() <= 0.51
        assert (whole[0] == 5).all()


def test_a_vector_without_length_becomes_zeros():
    codec = Codec(8, 4)
    whole = np.ones((1, 8), np.int16)
    nothing = np.float32(0)
    length = _rebuild(
        np.zeros((1, 4), np.uint8), 0, np.zeros((1, 8), np.int8), 0, nothing, nothing, nothing,
        *tuples(codec), whole, 0,
    )  # fmt: skip
    assert 0 < length < 1e-6
    assert not whole.any()
