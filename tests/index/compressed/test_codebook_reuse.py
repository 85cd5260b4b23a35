"""A new codebook keeps the centroids that still serve, so that nothing is rounded twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lfm2_colbert_rag.index.compressed import codebook_reuse as renewal
from lfm2_colbert_rag.index.compressed.clustering import train_codebook
from lfm2_colbert_rag.index.compressed.codebook import Centroids, Codebook
from lfm2_colbert_rag.index.compressed.codebook_reuse import Known
from lfm2_colbert_rag.index.compressed.codec import Codec

from ...contract.kinds import codebook_for, write
from ..made import corpus, segment

DIM = 32


def vectors_of(made) -> np.ndarray:
    return np.concatenate([made.vectors_of(position) for position in range(len(made.rows))])


def originals(group) -> np.ndarray:
    return np.concatenate([one.encoded.vectors for _, windows in group for one in windows])


def tokens_of(group) -> np.ndarray:
    return np.concatenate([one.encoded.token_ids for _, windows in group for one in windows])


def decompressed(made, group):
    """Return the same passages with the vectors that a segment gives back."""
    positions = iter(range(len(made.rows)))
    return [
        (
            row,
            [
                replace(one, encoded=replace(one.encoded, vectors=made.vectors_of(next(positions))))
                for one in windows
            ],
        )
        for row, windows in group
    ]


def renewed(group, known: Known | None, nbits: int, vectors=None) -> Codebook:
    given = originals(group) if vectors is None else vectors
    return train_codebook(
        "new", given.astype(np.float16), tokens_of(group), Codec(DIM, nbits), known=known
    )


def knows(made) -> Known:
    return Known(made.codebook, made.extra)


def error(vectors: np.ndarray, group) -> float:
    return float(np.mean((vectors - originals(group)) ** 2))


@pytest.mark.parametrize("nbits", [2, 4])
def test_what_is_compressed_twice_loses_as_if_it_were_once(tmp_path, nbits):
    group = corpus(800, DIM)
    once = segment(tmp_path / "once", group, nbits, DIM)
    back = decompressed(once, group)
    kept = write(tmp_path / "kept", back, renewed(back, knows(once), nbits), DIM)
    worn = write(tmp_path / "worn", back, renewed(back, None, nbits), DIM)
    first = vectors_of(once)
    kept_loss, worn_loss = (np.mean((vectors_of(one) - first) ** 2) for one in (kept, worn))
    assert kept_loss < 0.02 * error(first, group)
    assert kept_loss < worn_loss / 2


def test_tokens_that_moved_get_others(tmp_path):
    group = corpus(400, DIM)
    made = segment(tmp_path / "s", group, 4, DIM)
    moved = tokens_of(group) < 10
    vectors = originals(group).copy()
    vectors[moved] = -vectors[moved]
    book = renewed(group, knows(made), 4, vectors)
    for token in range(60):
        before, after = (
            {row.tobytes() for row in one.values[one.tokens == token]}
            for one in (made.codebook.centroids, book.centroids)
        )
        assert (before == after) == (token >= 10)


def test_tokens_that_became_frequent_get_more(tmp_path):
    few, many = corpus(100, DIM), corpus(6000, DIM, seed=1)
    made = segment(tmp_path / "s", few, 4, DIM)
    book = renewed(many, knows(made), 4)
    assert len(book) == len(renewed(many, None, 4)) > 2 * len(made.codebook)


def test_centroids_of_segments_are_kept_until_a_token_has_too_many(tmp_path):
    group = corpus(100, DIM, tokens=90)
    book = codebook_for([corpus(60, DIM, tokens=60)], 4, DIM)
    made = write(tmp_path / "s", group, book, DIM)
    assert len(made.extra)
    new = renewed(group, knows(made), 4)
    kept = {row.tobytes() for row in made.extra.values}
    assert kept <= {row.tobytes() for row in new.centroids.values}
    many = Centroids.joined([made.extra] * (renewal.MAX_SPARE + 1))
    again = renewed(group, Known(book, many), 4)
    assert len(again) == len(np.unique(tokens_of(group)))


@pytest.mark.parametrize("what", ["norms", "rotation", "room"])
def test_what_does_not_suit_is_not_kept(tmp_path, monkeypatch, what):
    group = corpus(200, DIM)
    made = segment(tmp_path / "s", group, 4, DIM)
    book = made.codebook
    if what == "norms":
        book = replace(book, info=replace(book.info, keeps_norms=True))
    elif what == "rotation":
        book = replace(book, rotation=-book.rotation)
    else:
        monkeypatch.setattr(renewal, "MAX_CENTROIDS", 10)
    vectors = originals(group)[::-1]
    new, fresh = (renewed(group, known, 4, vectors) for known in (Known(book, made.extra), None))
    np.testing.assert_array_equal(new.centroids.values, fresh.centroids.values)


def test_vectors_of_unknown_token_get_new_centroids(tmp_path):
    group = [
        (row, [replace(one, encoded=replace(one.encoded, token_ids=one.encoded.token_ids * 0 - 1))])
        for row, (one, *_) in corpus(300, DIM)
    ]
    made = segment(tmp_path / "s", group, 4, DIM)
    new, fresh = (renewed(group, known, 4) for known in (knows(made), None))
    np.testing.assert_array_equal(new.centroids.values, fresh.centroids.values)
