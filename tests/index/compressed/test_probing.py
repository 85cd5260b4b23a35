"""Near centroids and the votes of their lists are what plain Python says that they are."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.index.compressed import kernels
from lfm2_colbert_rag.index.compressed import plain as numpy_kernels
from lfm2_colbert_rag.index.compressed import segment as compressed_segment
from lfm2_colbert_rag.index.compressed.buffers import BufferPool
from lfm2_colbert_rag.index.compressed.codebook import Centroids
from lfm2_colbert_rag.index.compressed.codec import unpack_codes
from lfm2_colbert_rag.index.compressed.probing import find_probes, rotate_query
from lfm2_colbert_rag.index.compressed.voting import count_votes

from ..made import corpus, questions, segment

# Queries are compared in whole numbers, a 127th of the largest coordinate apart.
ROUNDING = 6e-3


@pytest.fixture(params=[kernels, numpy_kernels], ids=["compiled", "numpy"])
def ways(request):
    """Return the kernels that are used."""
    return request.param


@pytest.fixture(params=[(6, 4), (20, 2)], ids=str)
def made(request, ways, tmp_path, monkeypatch):
    """Return a segment of several blocks, and a query for it."""
    monkeypatch.setattr(compressed_segment, "BLOCK_WINDOWS", 32)
    dim, nbits = request.param
    segment_made = segment(tmp_path / "s", corpus(150, dim), nbits, dim)
    assert len(segment_made.lists) > 3
    query = rotate_query(ways, segment_made.codebook, questions(1, dim)[0])[:5]
    return segment_made, np.ascontiguousarray(query)


def similarities(made, query: np.ndarray) -> np.ndarray:
    book = made.codebook.centroids
    return query @ (book.values * book.scales[:, None]).T


@pytest.mark.parametrize("nprobe", [1, 7, 10_000])
def test_all_groups_give_exactly_the_nearest_centroids(ways, made, nprobe):
    segment_made, query = made
    probes = find_probes(ways, segment_made.codebook, query, nprobe, 1.0)
    truth = similarities(*made)
    wanted = min(nprobe, truth.shape[1])
    assert probes.near.found.tolist() == [wanted] * len(query)
    for row, (ids, sims) in enumerate(zip(probes.near.ids, probes.near.sims, strict=True)):
        assert len(set(ids.tolist())) == wanted
        np.testing.assert_allclose(sims, truth[row, ids], atol=ROUNDING)
        np.testing.assert_allclose(sims, np.sort(truth[row])[::-1][:wanted], atol=ROUNDING)
        assert (np.diff(sims) <= 0).all()


def test_few_groups_give_fewer_centroids_but_true_ones(ways, made):
    segment_made, query = made
    probes = find_probes(ways, segment_made.codebook, query, 10_000, 0.01)
    truth = similarities(*made)
    assert (probes.near.found < truth.shape[1]).all()
    for row, found in enumerate(probes.near.found.tolist()):
        chosen = probes.near.ids[row, :found]
        np.testing.assert_allclose(probes.near.sims[row, :found], truth[row, chosen], atol=ROUNDING)


@pytest.mark.parametrize("nprobe", [3, 10_000])
def test_a_segments_own_centroids_compete_with_the_codebooks(ways, made, nprobe):
    segment_made, query = made
    known = len(segment_made.codebook)
    chance = np.random.default_rng(5)
    means = chance.standard_normal((9, query.shape[1])).astype(np.float32)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    extra = Centroids.rounded(means, np.arange(9, dtype=np.int32), 4)
    probes = find_probes(ways, segment_made.codebook, query, nprobe, 1.0).with_extra(
        ways, extra, known
    )
    both = np.concatenate((similarities(*made), query @ extra.means.T), axis=1)
    for row, found in enumerate(probes.near.found.tolist()):
        ids, sims = probes.near.ids[row, :found], probes.near.sims[row, :found]
        assert len(set(ids.tolist())) == found
        np.testing.assert_allclose(sims, both[row, ids], atol=ROUNDING)
        np.testing.assert_allclose(sims, np.sort(both[row])[::-1][:found], atol=ROUNDING)


def plain_votes(made, probes) -> dict[int, float]:
    """What a window's votes are by definition: the best of its centroids for each query vector."""
    codes, _ = unpack_codes(made.store.codes)
    ids, sims, counts = probes.near
    votes = {}
    for window in range(len(made.rows)):
        held = set(codes[made.offsets[window] : made.offsets[window + 1]].tolist())
        votes[window] = 0.0
        for row, found in enumerate(counts.tolist()):
            near = dict(zip(ids[row, :found].tolist(), sims[row, :found], strict=True))
            floor = sims[row, found - 1]
            votes[window] += max([float(near[code] - floor) for code in held & set(near)] + [0.0])
    return {window: total for window, total in votes.items() if total > 0}


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("limited", [False, True])
def test_votes_are_those_of_a_plain_implementation(ways, made, monkeypatch, threads, limited):
    monkeypatch.setenv("LFM2_COLBERT_THREADS", str(threads))
    segment_made, query = made
    allowed = np.random.default_rng(0).random(len(segment_made.rows)) < 0.3 if limited else None
    probes = find_probes(ways, segment_made.codebook, query, 12, 1.0)
    expected = plain_votes(segment_made, probes)
    if allowed is not None:
        expected = {window: votes for window, votes in expected.items() if allowed[window]}
    pool = BufferPool()
    for _ in range(2):  # what was borrowed is given back clean
        votes = count_votes(ways, segment_made, allowed, probes, 10_000, pool)
        found = dict(zip(votes.positions.tolist(), votes.estimates.tolist(), strict=True))
        assert found.keys() == expected.keys()
        base = float(probes.floors.sum())
        assert found == pytest.approx({w: base + v for w, v in expected.items()}, abs=1e-3)


def test_no_better_window_is_left_out_than_those_that_are_given(ways, made):
    segment_made, query = made
    probes = find_probes(ways, segment_made.codebook, query, 30, 1.0)
    expected = plain_votes(segment_made, probes)
    votes = count_votes(ways, segment_made, None, probes, 5, BufferPool())
    found = set(votes.positions.tolist())
    lists = segment_made.lists
    for one in lists:  # each block gives its own
        block = {w: v for w, v in expected.items() if one.first <= w < one.first + one.size}
        best = sorted(block, key=lambda w: -block[w])[:5]
        floor = min(block[w] for w in best)
        clearly = {w for w, v in block.items() if v > floor + 0.05}
        assert clearly <= found


def test_the_best_are_kept_where_many_have_fewest_votes():
    """However many tie below them, and wherever they lie."""
    votes = np.full(1000, 0.1, np.float32)
    votes[990:] = 0.9
    windows, gains = np.empty(30, np.int64), np.empty(30, np.float32)
    count = kernels.select(votes, 15, np.float32(1.0), windows, gains)
    assert count == 30
    assert set(range(990, 1000)) <= set(windows.tolist())
    assert sorted(gains.tolist())[-10:] == pytest.approx([0.9] * 10)
    assert not votes.any()
