"""How vectors are kept in a few bits: what is packed is unpacked, and little is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.index.compressed.codec import (
    LENGTHS,
    MAX_CENTROIDS,
    STEPS,
    Codec,
    name_lengths,
    pack_codes,
    unpack_codes,
)

from ..made import corpus, segment

pytestmark = pytest.mark.long

# Each compiles kernels of its own; a width of all, and one that fills no register, are enough.
SHAPES = [
    *((6, 2), (20, 4)),
    *(pytest.param(one, marks=pytest.mark.slow) for one in ((6, 4), (20, 2), (128, 4), (8, 2))),
]


@given(data=st.data(), dim=st.integers(1, 40), nbits=st.sampled_from((2, 4)))
def test_levels_come_back_as_packed(data, dim, nbits):
    codec = Codec(dim, nbits)
    assert codec.padded >= dim
    assert codec.width * 8 == codec.padded * nbits
    shape = (data.draw(st.integers(0, 5)), codec.padded)
    levels = data.draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, codec.levels - 1)))
    packed = codec.pack(levels)
    assert packed.shape == (shape[0], codec.width)
    np.testing.assert_array_equal(codec.unpack(packed), levels)


@given(st.lists(st.tuples(st.integers(0, MAX_CENTROIDS - 1), st.integers(0, 31))))
def test_codes_and_steps_share_three_bytes(pairs):
    codes = np.array([code for code, _ in pairs], dtype=np.int64)
    steps = np.array([step for _, step in pairs], dtype=np.int64)
    packed = pack_codes(codes, steps)
    assert packed.shape == (len(pairs), 3)
    for found, expected in zip(unpack_codes(packed), (codes, steps), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("nbits", [0, 1, 3, 8])
def test_other_numbers_of_bits_are_refused(nbits):
    with pytest.raises(ConfigError, match=f"nbits must be 2 or 4, not {nbits}"):
        Codec(8, nbits)


@given(st.floats(0, 8))
def test_a_length_is_kept_within_one_percent_up_to_one_and_two_above(length):
    kept = float(LENGTHS[name_lengths(np.array([[length, 0.0]], dtype=np.float32))[0]])
    margin = 0.0026 if length <= 1 else 0.021 * length
    assert abs(kept - length) <= margin


@pytest.fixture(params=SHAPES, ids=str)
def kept(request, tmp_path):
    """Return a segment, its vectors before rounding, and their centroids."""
    dim, nbits = request.param
    group = corpus(60, dim)
    made = segment(tmp_path / "s", group, nbits, dim)
    vectors = np.concatenate([one.encoded.vectors for _, windows in group for one in windows])
    codes, _ = unpack_codes(made.store.codes)
    book = made.codebook.centroids
    centroids = book.values[codes] * book.scales[codes, None]
    return made, made.codebook.rotate(vectors), centroids


def rounded(made, centroids: np.ndarray) -> np.ndarray:
    """Centroids plus levels times steps, in plain NumPy."""
    codec = made.codebook.codec
    steps = STEPS[unpack_codes(made.store.codes)[1]][:, None]
    return centroids + codec.values[codec.unpack(made.store.packed)] * steps


def test_kernels_decode_what_numpy_decodes(kept):
    made, _, centroids = kept
    vectors = rounded(made, centroids)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(made.decode(0, len(vectors)), vectors, atol=1e-5)
    restored = made.codebook.unrotate(vectors)
    runs = zip(made.offsets[:-1].tolist(), made.offsets[1:].tolist(), strict=True)
    for position, (start, end) in enumerate(runs):
        np.testing.assert_allclose(made.vectors_of(position), restored[start:end], atol=1e-5)


@pytest.mark.parametrize("nbits", [2, 4])
def test_levels_lie_further_apart_away_from_zero(nbits):
    values = Codec(8, nbits).values
    np.testing.assert_array_equal(values, -values[::-1])
    gaps = np.diff(values)[len(values) // 2 :]
    assert (np.diff(gaps) > 0).all()


@pytest.mark.parametrize("nbits", [2, 4])
def test_levels_lose_little_of_a_normal_distribution(nbits):
    """Less than even ones, and hardly more than the best there are: Max, 1960, table 1."""
    drawn = np.random.default_rng(0).standard_normal(20_000)

    def lost(values: np.ndarray) -> float:
        borders = (values[1:] + values[:-1]) / 2
        steps = np.arange(0.15, 1.2, 0.005)
        return min(
            ((values[np.searchsorted(borders, drawn / s)] * s - drawn) ** 2).mean() for s in steps
        )

    values = Codec(8, nbits).values
    assert lost(values) < lost(np.arange(len(values)) - (len(values) - 1) / 2)
    assert lost(values) < 1.05 * {4: 0.009497, 2: 0.1175}[nbits]


def test_every_coordinate_gets_the_nearest_level(kept):
    made, vectors, centroids = kept
    steps = STEPS[unpack_codes(made.store.codes)[1]][:, None]
    values = made.codebook.codec.values
    residuals = vectors - centroids
    chosen = np.abs(rounded(made, centroids) - vectors)
    least = np.abs(values * steps[:, :, None] - residuals[:, :, None]).min(axis=2)
    np.testing.assert_allclose(chosen, least, atol=1e-5)


def test_no_other_step_would_be_much_better(kept):
    made, vectors, centroids = kept
    values = made.codebook.codec.values
    residuals = (vectors - centroids)[:, None, :]
    chosen = ((rounded(made, centroids) - vectors) ** 2).sum(axis=1)
    steps = STEPS[1:, None]
    each = values[np.searchsorted((values[1:] + values[:-1]) / 2, residuals / steps)]
    best = ((each * steps - residuals) ** 2).sum(axis=2).min(axis=1)
    # A few steps around the ideal one are tried; with few coordinates the best may be another.
    margin = 1.02 if vectors.shape[1] > 16 else 1.25
    assert chosen.mean() <= margin * best.mean() + 1e-6


def test_a_vector_gets_the_nearest_centroid_of_its_token(kept):
    made, vectors, centroids = kept
    book = made.codebook.centroids
    tokens = made.tokens_of(0, len(vectors))
    every = book.values * book.scales[:, None]
    for vector, token, chosen in zip(vectors, tokens, centroids, strict=True):
        own = every[book.tokens == token]
        nearest = ((own - vector) ** 2).sum(axis=1).min()
        assert ((chosen - vector) ** 2).sum() <= nearest + 1e-5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.25, 1.0))
def test_pooled_vectors_keep_their_length(tmp_path_factory, seed, scale):
    """But for rounding, like their direction; a mean of unit vectors is shorter than they are."""
    group = corpus(8, 6, seed)
    for _, windows in group:
        for one in windows:
            one.encoded.vectors[:] *= scale
    made = segment(tmp_path_factory.mktemp("s") / "s", group, 4, 6)
    vectors = np.concatenate([one.encoded.vectors for _, windows in group for one in windows])
    found = np.concatenate([made.vectors_of(position) for position in range(len(made.rows))])
    lengths, expected = np.linalg.norm(found, axis=1), np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(lengths, expected, rtol=0.15)
    np.testing.assert_allclose(lengths.mean(), expected.mean(), rtol=0.015)
    cosines = (found * vectors).sum(axis=1) / np.linalg.norm(found, axis=1) / scale
    assert cosines.min() > 0.97
