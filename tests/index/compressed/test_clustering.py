"""A codebook knows every token that it was made of, and segments tell tokens from their codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.index.compressed.clustering import (
    MAX_SPLITS,
    SMALLEST_SPLIT,
    choose_counts,
    train_codebook,
)
from lfm2_colbert_rag.index.compressed.codebook import Codebook, open_codebook
from lfm2_colbert_rag.index.compressed.codec import Codec

from ...contract.kinds import codebook_for, write
from ..made import corpus, segment

SHAPES = [(6, 4), (20, 2), (128, 4)]


def with_tokens(group, change):
    """Return the same passages with other vocabulary ids."""
    return [
        (
            row,
            [
                replace(one, encoded=replace(one.encoded, token_ids=change(one.encoded.token_ids)))
                for one in windows
            ],
        )
        for row, windows in group
    ]


def token_ids(group) -> np.ndarray:
    return np.concatenate([one.encoded.token_ids for _, windows in group for one in windows])


def all_token_ids(made) -> np.ndarray:
    return np.concatenate([made.token_ids_of(position) for position in range(len(made.rows))])


@pytest.mark.parametrize(("dim", "nbits"), SHAPES)
def test_every_token_has_centroids_and_codes_decode_to_it(tmp_path, dim, nbits):
    group = corpus(80, dim)
    made = segment(tmp_path / "s", group, nbits, dim)
    assert set(made.codebook.centroids.tokens.tolist()) == set(token_ids(group).tolist())
    assert len(made.extra) == 0
    np.testing.assert_array_equal(all_token_ids(made), token_ids(group))
    assert made.check() == []


@pytest.mark.parametrize(("dim", "nbits"), SHAPES)
def test_tokens_that_the_codebook_lacks_get_centroids_of_the_segment(tmp_path, dim, nbits):
    codebook = codebook_for([corpus(40, dim)], nbits, dim)
    group = with_tokens(corpus(40, dim, seed=1), lambda ids: np.where(ids % 3, ids, ids + 1000))
    made = write(tmp_path / "s", group, codebook, dim)
    new = set(token_ids(group).tolist()) - set(codebook.centroids.tokens.tolist())
    assert len(new) > 15
    assert sorted(made.extra.tokens.tolist()) == sorted(new)
    np.testing.assert_array_equal(all_token_ids(made), token_ids(group))
    assert made.check() == []


@pytest.mark.parametrize("known", [True, False])
def test_unknown_tokens_come_back_as_unknown(tmp_path, known):
    """Also where the codebook never saw such a vector."""
    unknown = with_tokens(corpus(40, 6), lambda ids: np.full_like(ids, -1))
    codebook = codebook_for([unknown if known else corpus(40, 6)], 4)
    made = write(tmp_path / "s", unknown, codebook)
    assert set(all_token_ids(made).tolist()) == {-1}
    assert made.check() == []
    for position, one in enumerate(one for _, windows in unknown for one in windows):
        errors = np.linalg.norm(made.vectors_of(position) - one.encoded.vectors, axis=1)
        assert errors.max() < 0.5


@given(st.lists(st.integers(1, 10**8), max_size=50))
def test_large_tokens_are_split_and_small_ones_are_not(sizes):
    counts = choose_counts(np.array(sizes, dtype=np.int64))
    assert len(counts) == len(sizes)
    for size, count in zip(sizes, counts.tolist(), strict=True):
        assert 1 <= count <= min(size, MAX_SPLITS)
        assert size >= SMALLEST_SPLIT or count == 1


def test_groups_hold_each_centroid_once():
    chance = np.random.default_rng(0)
    vectors = chance.standard_normal((4000, 6)).astype(np.float32)
    tokens = chance.integers(0, 12, 4000).astype(np.int32)
    book = train_codebook("b", vectors, tokens, Codec(6, 4))
    assert len(book) > 20
    assert book.groups.bounds[0] == 0
    assert book.groups.bounds[-1] == len(book)
    assert (np.diff(book.groups.bounds) >= 0).all()
    assert len(book.groups.directions) == len(book.groups.bounds) - 1


def test_the_same_vectors_make_the_same_codebook():
    first, second = (codebook_for([corpus(30, 6)], 4) for _ in range(2))
    for key, array in first.lists().items():
        np.testing.assert_array_equal(array, second.lists()[key])


@pytest.mark.parametrize(("dim", "nbits"), [(6, 4), (20, 2)])
def test_a_codebook_comes_back_from_the_disk(tmp_path, dim, nbits):
    made = codebook_for([corpus(40, dim)], nbits, dim)
    info = made.write(tmp_path / made.info.name, durable=False)
    opened: Codebook = open_codebook(tmp_path, info, dim)
    for key, array in made.lists().items():
        np.testing.assert_array_equal(opened.lists()[key], array)
    vectors = np.random.default_rng(0).standard_normal((5, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(opened.unrotate(opened.rotate(vectors)), vectors, atol=1e-5)
