"""Indexes pushed into an engine and pulled out of it: nothing is encoded, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.cluster.centroids import (
    centroids_of,
    pack_codebook,
    probes_of,
    unpack_codebook,
)
from lfm2_colbert_rag.errors import IndexCorruptError, IndexMismatchError
from lfm2_colbert_rag.retriever.remote_maintaining import WORTH, codebook_of
from lfm2_colbert_rag.retriever.remote_moving import pull, push
from lfm2_colbert_rag.types import TokenVectors

from ..conftest import fill
from .engines import make_backend, opened
from .test_retriever import LONG

DIM = 16


def test_there_and_back(backend, tmp_path):
    with Retriever.open(tmp_path / "one", model="hash") as local:
        fill(local).add([LONG], ids=["long"])
        wanted = local.search("reset key", 3)
        vectors = local.vectors(["long"])[0]
    assert push(tmp_path / "one", backend) == 6
    remote = opened(backend, None)
    assert [hit.id for hit in remote.search("reset key", 3)] == [hit.id for hit in wanted]
    assert push(tmp_path / "one", backend) == 6
    assert len(remote) == 6
    assert pull(backend, tmp_path / "two") == 6
    with Retriever.open(tmp_path / "two") as local:
        for one, other in zip(local.vectors(["long"])[0], vectors, strict=True):
            np.testing.assert_array_equal(one, other)
        found = local.search("reset key", 3)
        assert [(hit.id, hit.evidence) for hit in found] == [(h.id, h.evidence) for h in wanted]


def test_another_models_index_takes_nothing(backend, tmp_path):
    opened(backend, "hash:1").add(["a text"])
    with Retriever.open(tmp_path / "one", model="hash") as local:
        fill(local)
    with pytest.raises(IndexMismatchError):
        push(tmp_path / "one", backend)


def test_candidates_find_what_exact_search_finds(backend, tmp_path):
    """More windows than are compared anyway: means and centroids bring them."""
    count = WORTH + 500
    with Retriever.open(tmp_path / "one", model="hash") as local:
        local.add([f"machine {n} of hall {n % 37}" for n in range(count)])
    push(tmp_path / "one", backend)
    remote = opened(backend, "hash")
    assert remote._home.settings.codebook is not None
    assert remote.plan("machine 7", mode="late").method == "candidates"
    recall = remote.measure_recall([f"machine {n} of hall {n % 37}" for n in range(0, count, 100)])
    assert recall.recall >= 0.97


def test_optimize_makes_what_candidates_are_found_by(backend):
    remote = opened(backend)
    remote.add([f"machine {n} of hall {n % 37}" for n in range(WORTH + 100)])
    assert remote.stats().optimize_due is not None
    assert remote.optimize().optimize_due is None
    point = backend.get([next(iter(_keys(backend)))], ("cent",))[0]
    assert len(point.vectors.cent.ids)
    assert opened(make_backend(backend._connection._client), None).plan("hall 3").scored


def _keys(backend):
    from lfm2_colbert_rag.cluster.plan import ALL

    return [one.key for one in backend.scroll(ALL, 3)]


def _windows(count: int) -> list[TokenVectors]:
    random = np.random.default_rng(3)
    made = []
    for _ in range(count):
        vectors = random.standard_normal((20, DIM)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        tokens = random.integers(0, 40, 20).astype(np.int32)
        made.append(TokenVectors(vectors, tokens, np.zeros((20, 2), np.int32)))
    return made


def test_a_codebook_comes_back_as_it_was():
    windows = _windows(300)
    book = codebook_of(windows, DIM)
    again = unpack_codebook(pack_codebook(book), DIM, "here")
    for one, other in zip(
        centroids_of(book, windows[:20]), centroids_of(again, windows[:20]), strict=True
    ):
        np.testing.assert_array_equal(one.ids, other.ids)
    with pytest.raises(IndexCorruptError, match="here"):
        unpack_codebook(pack_codebook(book)[:-40], DIM, "here")


def test_a_token_has_the_nearest_of_its_own_centroids():
    windows = _windows(300)
    book = codebook_of(windows, DIM)
    means, tokens = book.centroids.means, book.centroids.tokens
    for window, found in zip(windows[:20], centroids_of(book, windows[:20]), strict=True):
        rotated = book.rotate(window.vectors)
        wanted = set()
        for vector, token in zip(rotated, window.token_ids.tolist(), strict=True):
            own = np.flatnonzero(tokens == token)
            wanted.add(int(own[np.argmin(((means[own] - vector) ** 2).sum(axis=1))]))
        assert set(found.ids.tolist()) == wanted
        assert (found.weights == 1).all()


def test_unknown_tokens_have_a_centroid_too():
    windows = _windows(300)
    book = codebook_of(windows, DIM)
    strange = TokenVectors(
        windows[0].vectors, np.full(20, 10_000, np.int32), np.zeros((20, 2), np.int32)
    )
    (found,) = centroids_of(book, [strange])
    assert len(found.ids)
    assert found.ids.max() < len(book)


def test_a_question_probes_near_centroids():
    windows = _windows(300)
    book = codebook_of(windows, DIM)
    found = probes_of(book, windows[0].vectors, 4)
    assert (found.weights > 0).all()
    assert len(found.ids) <= 80
    assert (np.diff(found.ids) > 0).all()
