"""Passages with vectors made elsewhere."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexLockedError, InputError
from lfm2_colbert_rag.storage.exchange.given_vectors import UNKNOWN_TOKEN, given_windows
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import Passage, TokenVectors, Window

from ...conftest import CORPUS, METADATA
from ...inside import store_of

pytestmark = pytest.mark.long

DIM = 32


def matrices(texts) -> list[np.ndarray]:
    return [one.vectors for one in HashEncoder().encode_document(list(texts))]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_they_are_found_as_if_they_had_been_encoded_here(retriever, tmp_path, dtype):
    given = (one.astype(dtype) for one in matrices(CORPUS.values()))
    with Retriever.open(tmp_path / "given", model="hash") as other:
        ids = other.add_vectors(
            given, list(CORPUS.values()), ids=list(CORPUS), metadata=list(METADATA.values())
        )
        assert ids == list(CORPUS)
        assert other.search("router reset", k=9) == retriever.search("router reset", k=9)
        assert other.stats().generation == 1
        assert other.verify() == []
        hit = other.search("router reset", k=1, where={"lang": "en"})[0]
        assert (hit.evidence, hit.window) == ((), None)
        other.explain("router reset", hit.id)


def test_what_is_unknown_is_marked(retriever):
    retriever.add_vectors(matrices(["one two"]), ["one two"], ids=["x"])
    snapshot = store_of(retriever).snapshot()
    rows = store_of(retriever).catalog.rows_by_id(["x"], snapshot.generation)
    (window,) = snapshot.segments.windows(rows["x"])
    assert window.encoded.token_ids.tolist() == [UNKNOWN_TOKEN] * 2
    assert window.encoded.spans.tolist() == [[0, 0], [0, 0]]
    assert window.span == (0, 7)


def test_token_ids_and_windows_are_kept(retriever):
    (first, second) = HashEncoder().encode_document(["one two", "three"])
    windows = [Window((0, 7), first), Window((8, 13), second)]
    retriever.add_vectors([windows], ["one two three"], ids=["w"])
    retriever.add_vectors([first.vectors], ["one two"], ids=["t"], token_ids=[[7, 8]])
    snapshot = store_of(retriever).snapshot()
    rows = store_of(retriever).catalog.rows_by_id(["w", "t"], snapshot.generation)
    assert [one.span for one in snapshot.segments.windows(rows["w"])] == [(0, 7), (8, 13)]
    (window,) = snapshot.segments.windows(rows["t"])
    assert window.encoded.token_ids.tolist() == [7, 8]
    hit = retriever.search("three", k=1)[0]
    assert (hit.id, hit.excerpt, len(hit.evidence)) == ("w", "three", 1)


def test_passages_with_the_same_id_are_replaced(retriever):
    retriever.add_vectors(matrices(["zebra"]), ["zebra"], ids=["reset"])
    assert len(retriever) == len(CORPUS)
    assert retriever.search("zebra", k=1)[0].id == "reset"
    retriever.add(["zebra"], ids=["reset"], metadata=[{"new": 1}])  # the vectors are kept
    assert retriever.search("zebra", k=1)[0].metadata == {"new": 1}


def test_no_more_than_one_matrix_is_held(folder):
    living: list[weakref.ref[np.ndarray]] = []

    def produce():
        for _ in range(8):
            gc.collect()
            assert sum(ref() is not None for ref in living) <= 2
            matrix = np.ones((3, DIM), dtype=np.float32)
            living.append(weakref.ref(matrix))
            yield matrix
            del matrix

    with Retriever.open(folder, model="hash") as retriever:
        told: list[int] = []
        retriever.add_vectors(produce(), list("abcdefgh"), progress=told.append)
        assert sum(told) == len(retriever) == 8


def test_nothing_is_nothing(retriever, state):
    before = state(retriever)
    assert retriever.add_vectors([], []) == []
    assert state(retriever) == before


GOOD = np.ones((2, DIM), dtype=np.float32)


def with_value(value: float) -> np.ndarray:
    changed = GOOD.copy()
    changed[1, 3] = value
    return changed


BAD_VECTORS = {
    "another width": ([GOOD, np.ones((2, 16), np.float32)], r"'b' have shape \(2, 16\).*dim 32"),
    "nan": ([GOOD, with_value(np.nan)], "'b' are not finite"),
    "infinity": ([GOOD, with_value(-np.inf)], "'b' are not finite"),
    "beyond float16": ([GOOD, with_value(1e6)], "'b' are not finite in float16"),
    "beyond float32": ([GOOD, with_value(0).astype(np.float64) * 1e300], "'b' are not finite"),
    "empty": ([GOOD, np.ones((0, DIM), np.float32)], "no vector for 'b'"),
    "one vector": ([GOOD, np.ones(DIM, np.float32)], r"'b' must be a matrix .* shape \(32,\)"),
    "three axes": ([GOOD, GOOD[None]], "'b' must be a matrix"),
    "whole numbers": ([GOOD, GOOD.astype(int)], "'b' must be a matrix of floats"),
    "words": ([GOOD, [["a"] * DIM]], "'b' must be a matrix"),
    "ragged": ([GOOD, [[1.0], [1.0, 2.0]]], "'b' are no array of numbers"),
    "nothing": ([GOOD, None], "'b' must be a matrix"),
    "too few": ([GOOD], "vectors for 1 passages, but 2 texts; the first without is 'b'"),
    "too many": ([GOOD, GOOD, GOOD], "vectors for more than the 2 texts"),
}


@pytest.mark.parametrize("name", BAD_VECTORS)
def test_bad_vectors_change_nothing(retriever, state, name):
    vectors, said = BAD_VECTORS[name]
    before = state(retriever)
    with pytest.raises(InputError, match=said):
        retriever.add_vectors(iter(vectors), ["one", "two"], ids=["a", "b"])
    assert state(retriever) == before
    assert list(retriever.path.glob("staging/*")) == []


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(
    ("token_ids", "said"),
    [
        ([[1, 2]], "token ids for 1 passages"),
        ([[1, 2], [3, 4], [5, 6]], "token ids for more"),
        ([[1, 2], [3]], r"'b' must be 2 integers"),
        ([[1, 2], [0.5, 1.0]], r"'b' must be 2 integers"),
        ([[1, 2], [-2, 1]], "run from -2 to 1"),
        ([[1, 2], [2**31, 1]], "run from 1 to 2147483648"),
    ],
)
def test_bad_token_ids_change_nothing(retriever, state, token_ids, said):
    before = state(retriever)
    with pytest.raises(InputError, match=said):
        retriever.add_vectors([GOOD, GOOD], ["one", "two"], ids=["a", "b"], token_ids=token_ids)
    assert state(retriever) == before


@pytest.mark.parametrize(
    ("span", "spans"),
    [((0, 9), [[0, 1]]), ((-1, 2), [[0, 1]]), ((2, 1), [[0, 1]]), ((0, 3), [[2, 9]])],
)
def test_windows_outside_of_the_text_change_nothing(retriever, state, span, spans):
    encoded = TokenVectors(GOOD[:1], np.array([1], np.int32), np.array(spans, np.int32))
    before = state(retriever)
    with pytest.raises(InputError, match=r"'a' lies outside of its text, which has 3 characters"):
        retriever.add_vectors([[Window(span, encoded)]], ["one"], ids=["a"])
    assert state(retriever) == before


def test_bad_texts_are_told_before_a_vector_is_read(retriever):
    def never():
        raise AssertionError
        yield

    with pytest.raises(InputError, match="is given twice"):
        retriever.add_vectors(never(), ["one", "two"], ids=["a", "a"])


def test_a_held_index_is_waited_for(retriever, state):
    before = state(retriever)
    with (
        Retriever.open(retriever.path, lock_timeout=0) as second,
        store_of(retriever).locks.writing(),
        pytest.raises(IndexLockedError),
    ):
        second.add_vectors([GOOD], ["one"])
    assert state(retriever) == before


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_accepted_can_be_stored(data):
    """Any matrix either gives finite float16 of the right shape, or an error."""
    shape = arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=4)
    matrix = data.draw(arrays.arrays(data.draw(st.sampled_from([np.float16, np.float64])), shape))
    try:
        windows = list(given_windows([matrix], [Passage("a", "text")], 3))
    except InputError:
        finite = np.isfinite(matrix).all() and (np.abs(matrix) <= 65504).all()
        assert matrix.shape[1] != 3 or not len(matrix) or not finite
        return
    ((place, window),) = windows
    assert (place, window.encoded.vectors.shape) == (0, matrix.shape)
    assert np.isfinite(window.encoded.vectors.astype(np.float16)).all()
