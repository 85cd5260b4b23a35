"""What the quick ways of scoring say is what the slow one says, up to what they leave out."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.index.compressed import kernels
from lfm2_colbert_rag.index.compressed import plain as numpy_kernels
from lfm2_colbert_rag.index.compressed.buffers import BufferPool
from lfm2_colbert_rag.index.compressed.codec import unpack_codes
from lfm2_colbert_rag.index.compressed.nearness import near_centroids
from lfm2_colbert_rag.index.compressed.probing import find_probes, rotate_query
from lfm2_colbert_rag.index.compressed.scanning import refine_positions, score_positions

from ..made import corpus, questions, segment

pytestmark = pytest.mark.long


@pytest.fixture(params=[kernels, numpy_kernels], ids=["compiled", "numpy"])
def ways(request):
    """Return the kernels that are used."""
    return request.param


@pytest.fixture(params=[(16, 4), (20, 2), (128, 4), (40, 4)], ids=str)
def made(request, ways, tmp_path):
    dim, nbits = request.param
    segment_made = segment(tmp_path / "s", corpus(60, dim), nbits, dim)
    return segment_made, rotate_query(ways, segment_made.codebook, questions(1, dim)[0])


def decoded(made, position: int) -> np.ndarray:
    """Return a window's vectors as the codec gives them, before their length is put right."""
    segment_made, _ = made
    return segment_made.decode(
        int(segment_made.offsets[position]), int(segment_made.offsets[position + 1])
    )


def by_hand(made, position: int) -> float:
    """MaxSim of a window over its decompressed vectors."""
    _, query = made
    return float((query @ decoded(made, position).T).max(axis=1).sum())


def test_scores_are_maxsim_of_the_decompressed_vectors(ways, made):
    segment_made, query = made
    positions = np.arange(len(segment_made.rows))
    scores = score_positions(ways, segment_made, query, positions)
    expected = [by_hand(made, position) for position in positions.tolist()]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


def refined(ways, made, near: int):
    """Return the probes of a query, what they say of all windows, and the centroids' codes."""
    segment_made, query = made
    probes = find_probes(ways, segment_made.codebook, query, near, 1.0)
    probes = probes.with_extra(ways, segment_made.extra, len(segment_made.codebook))
    positions = np.arange(len(segment_made.rows))
    with near_centroids(ways, segment_made, probes, BufferPool()) as marked:
        scores = refine_positions(ways, segment_made, marked, positions)
    return probes, scores


def test_refined_scores_are_maxsim_where_every_centroid_is_near(ways, made):
    """Only the rounded lengths are left out."""
    segment_made, query = made
    _, scores = refined(ways, made, 10_000)
    expected = np.array([by_hand(made, position) for position in range(len(scores))])
    spread = 0.02 if segment_made.codebook.codec.nbits == 4 else 0.12
    errors = np.abs(scores - expected) / len(query)
    assert errors.mean() < spread
    assert errors.max() < 3 * spread


def test_refined_scores_assume_the_floor_where_no_centroid_is_near(ways, made):
    segment_made, _ = made
    probes, scores = refined(ways, made, 2)
    near = {
        code for ids, n in zip(probes.near.ids, probes.near.found, strict=True) for code in ids[:n]
    }
    codes, _ = unpack_codes(segment_made.store.codes)
    offsets = segment_made.offsets
    far = [
        window
        for window in range(len(scores))
        if near.isdisjoint(codes[offsets[window] : offsets[window + 1]].tolist())
    ]
    assert far
    np.testing.assert_allclose(scores[far], probes.floors.sum(), rtol=1e-5)


def test_marks_are_cleared(ways, made):
    segment_made, query = made
    probes = find_probes(ways, segment_made.codebook, query, 5, 1.0)
    with near_centroids(ways, segment_made, probes, BufferPool()) as marked:
        slots, sims = marked.slots, marked.sims
        codes = np.flatnonzero(slots)
        wanted = {
            code
            for row, count in enumerate(probes.near.found.tolist())
            for code in probes.near.ids[row, :count].tolist()
        }
        assert set(codes.tolist()) == wanted
        assert sorted(slots[codes].tolist()) == list(range(1, len(wanted) + 1))
        book = segment_made.codebook.centroids
        truth = query @ (book.values[codes] * book.scales[codes, None]).T
        np.testing.assert_allclose(sims[slots[codes], : len(query)].T, truth, atol=0.02)
    assert not slots.any()
