"""What slips through all checks may be answered wrongly, but kernels stay within their arrays."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.index import SearchSettings
from lfm2_colbert_rag.index.compressed import kernels
from lfm2_colbert_rag.index.compressed import plain as numpy_kernels
from lfm2_colbert_rag.index.compressed.buffers import BufferPool
from lfm2_colbert_rag.index.compressed.probing import find_probes, rotate_query
from lfm2_colbert_rag.index.compressed.voting import count_votes

from ..made import corpus, questions, segment, voting_index

DIM = 16
ODD = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-38, 0.0]
SETTINGS = SearchSettings(nprobe=8, near=4, groups=0.5, candidates=20, margin=1.0, final_margin=1.0)


@pytest.fixture(params=[kernels, numpy_kernels], ids=["compiled", "numpy"])
def ways(request):
    """Return the kernels that are used."""
    return request.param


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return segment(tmp_path_factory.mktemp("made") / "s", corpus(200, DIM), 4, DIM)


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("place", [(0, 0), (slice(None), 3), (2, slice(None)), slice(None)])
def test_places_made_of_numbers_that_are_none_stay_within_their_arrays(ways, made, value, place):
    (query,) = questions(1, DIM)
    query[place] = value
    with np.errstate(all="ignore"):
        probes = find_probes(ways, made.codebook, rotate_query(ways, made.codebook, query), 8, 0.5)
        near = probes.near
        for row, found in zip(near.ids, near.found, strict=True):
            assert 0 <= found <= near.ids.shape[1]
            assert ((row[:found] >= 0) & (row[:found] < len(made.codebook))).all()
        votes = count_votes(ways, made, None, probes, 20, BufferPool())
        assert ((votes.positions >= 0) & (votes.positions < len(made.rows))).all()
        ranking = voting_index(made, settings=SETTINGS, kernels=ways).search([query], 5)[0]
    assert np.isin(ranking.rows, made.rows).all()


@pytest.mark.parametrize("size", [0, 1, 3, 40])
def test_spans_that_end_too_early_or_too_late(ways, size):
    chance = np.random.default_rng(size)
    for _ in range(200):
        packed = chance.integers(0, 256, size).astype(np.uint8)
        out = np.zeros((int(chance.integers(0, 30)), 2), np.int32)
        used = ways.decode_spans(packed, 0, out)
        assert used in (True, False)
        if not size:
            assert used == (not len(out))
    full = np.full(size, 255, np.uint8)
    assert not ways.decode_spans(full, 0, np.zeros((5, 2), np.int32))
