"""What is answered in numpy, until kernels are compiled, is what the kernels answer."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.index import SearchSettings
from lfm2_colbert_rag.index.compressed import kernels, plain
from lfm2_colbert_rag.index.compressed.probing import find_probes, rotate_query
from lfm2_colbert_rag.index.compressed.scanning import score_positions

from ..made import corpus, questions, segment, voting_index

pytestmark = pytest.mark.long

SHAPES = [(20, 2), *(pytest.param(one, marks=pytest.mark.slow) for one in ((16, 4), (40, 4)))]


@pytest.fixture(scope="module", params=SHAPES, ids=str)
def made(request, tmp_path_factory):
    dim, nbits = request.param
    folder = tmp_path_factory.mktemp("made")
    return segment(folder / "s", corpus(300, dim), nbits, dim), questions(8, dim)


def both(function):
    """Call a function with either."""
    return function(kernels), function(plain)


def test_scores_are_the_same_up_to_the_rounding_of_sums(made):
    stored, queries = made
    positions = np.arange(len(stored.rows))
    for query in queries:
        asked = rotate_query(kernels, stored.codebook, query)
        scores = both(lambda ways, asked=asked: score_positions(ways, stored, asked, positions))
        np.testing.assert_allclose(*scores, rtol=2e-6, atol=1e-6)


def test_a_score_does_not_depend_on_what_is_scored_beside_it(made):
    stored, queries = made
    asked = rotate_query(plain, stored.codebook, queries[0])
    together = score_positions(plain, stored, asked, np.arange(len(stored.rows)))
    alone = [score_positions(plain, stored, asked, np.array([p])) for p in range(40)]
    np.testing.assert_array_equal(together[:40], np.concatenate(alone))


def test_decoded_vectors_and_spans_are_the_same(made):
    stored, _ = made

    def decoded(ways):
        out = np.empty((90, stored.codebook.codec.padded), np.float32)
        ways.decode_many(stored.source, 5, 95, out)
        return out

    def spans(ways):
        out = np.empty((int(stored.lengths[3]), 2), np.int32)
        packed = stored.spans[stored.span_offsets[3] : stored.span_offsets[4]]
        assert ways.decode_spans(packed, int(stored.windows[3, 0]), out)
        return out

    np.testing.assert_allclose(*both(decoded), atol=1e-6)
    np.testing.assert_array_equal(*both(spans))


def test_probes_are_the_same_where_all_groups_are_asked(made):
    stored, queries = made
    asked = rotate_query(kernels, stored.codebook, queries[0])
    one, other = both(lambda ways: find_probes(ways, stored.codebook, asked, 9, 1.0).near)
    np.testing.assert_array_equal(one.found, other.found)
    np.testing.assert_allclose(one.sims, other.sims, rtol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [SearchSettings(groups=1.0), SearchSettings(24, 12, 0.5, 64, 2.0, 2.0)],
    ids=["default", "fast"],
)
def test_rankings_are_the_same(made, settings):
    """All of the best ten with default settings; nine of ten with those that leave much out."""
    stored, queries = made
    shared = []
    for query in queries:
        one, other = both(
            lambda ways, query=query: voting_index(stored, settings=settings, kernels=ways).search(
                [query], 10
            )[0]
        )
        shared.append(len(set(one.rows[:10].tolist()) & set(other.rows[:10].tolist())))
    assert np.mean(shared) >= (10 if settings.nprobe > 100 else 9)
