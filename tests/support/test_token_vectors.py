"""Vectors at the border: right ones come through as they are, others are named."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag import maxsim
from lfm2_colbert_rag._support.token_vectors import check_query_vectors, check_vectors
from lfm2_colbert_rag.errors import InputError, ModelError
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import Passage, TokenVectors

DIM = 4
ENCODER = HashEncoder(DIM)
UNIT = np.eye(DIM, dtype=np.float32)


def with_value(value: float, dtype: str = "f4") -> np.ndarray:
    vectors = UNIT.astype(dtype)
    vectors[1, 2] = value
    return vectors


def encoded(vectors: object, rows: int | None = None) -> TokenVectors:
    rows = len(vectors) if rows is None else rows  # type: ignore[arg-type]
    return TokenVectors(vectors, np.arange(rows, dtype=np.int32), np.zeros((rows, 2), np.int32))


def checked(one: object) -> TokenVectors:
    return check_query_vectors([one], ["the query"], DIM, ENCODER)[0]  # type: ignore[list-item]


ODD = {
    "nan": with_value(np.nan),
    "inf": with_value(np.inf),
    "-inf": with_value(-np.inf),
    "3e38": with_value(3e38),
    "float64 1e300": with_value(1e300, "f8"),
    "beyond float16": with_value(65_536.0),
    "float16 inf": with_value(np.inf, "f2"),
    "narrow": UNIT[:, :-1],
    "wide": np.zeros((2, DIM + 1), np.float32),
    "one vector": UNIT[0],
    "rank 3": UNIT[None],
    "empty of rank 1": np.empty(0, np.float32),
    "objects": UNIT.astype(object),
    "texts": UNIT.astype(str),
    "complex": UNIT.astype(np.complex64),
    "truth values": UNIT.astype(bool),
    "ragged": [[1.0], [1.0, 2.0]],
    "none": None,
}


@pytest.mark.parametrize("name", ODD)
def test_a_query_that_cannot_be_compared_is_named_with_its_encoder(name):
    one = TokenVectors(ODD[name], np.zeros(4, np.int32), np.zeros((4, 2), np.int32))
    with pytest.raises(ModelError, match=r"(?s)'the query'.*'hash' \(HashEncoder\)"):
        checked(one)


@pytest.mark.parametrize("name", ODD)
def test_maxsim_names_the_matrix(name):
    with pytest.raises(InputError, match=r"the vectors of query 1|of one dim"):
        maxsim([UNIT, ODD[name]], [UNIT])
    with pytest.raises(InputError, match=r"the vectors of document 0|of one dim"):
        maxsim([UNIT], [ODD[name]])


@pytest.mark.parametrize("name", ODD)
def test_a_passage_that_cannot_be_stored_is_named(name):
    one = TokenVectors(ODD[name], np.zeros(4, np.int32), np.zeros((4, 2), np.int32))
    with pytest.raises(InputError, match="'the id'"):
        check_vectors(one, DIM, Passage("the id", "the text"))


@pytest.mark.parametrize(
    ("token_ids", "spans"),
    [
        (np.full(4, -2), np.zeros((4, 2), int)),
        (np.full(4, 1 << 40), np.zeros((4, 2), int)),
        (np.zeros(4), np.zeros((4, 2), int)),
        (np.zeros(3, int), np.zeros((4, 2), int)),
        (np.zeros(4, int), np.full((4, 2), -1)),
        (np.zeros(4, int), np.array([[3, 2]] * 4)),
        (np.zeros(4, int), np.zeros((4, 2))),
        (np.zeros(4, int), np.zeros(4, int)),
    ],
)
def test_a_passage_of_odd_token_ids_or_spans_is_named(token_ids, spans):
    with pytest.raises(InputError, match="'the id'"):
        check_vectors(TokenVectors(UNIT, token_ids, spans), DIM, Passage("the id", "the text"))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_float32_can_hold_comes_through(dtype, order):
    found = checked(encoded(np.array(UNIT, dtype, order=order)))
    np.testing.assert_array_equal(found.vectors, UNIT)
    assert found.vectors.dtype == np.float32
    assert found.vectors.flags.c_contiguous


def test_sound_vectors_are_not_copied():
    for one in (encoded(UNIT), encoded(UNIT[:0])):
        assert checked(one) is one


def test_large_vectors_that_float16_can_hold_are_allowed():
    assert checked(encoded(UNIT * 60_000)).vectors.max() == 60_000
    many = np.zeros((5_000, DIM), np.float32)
    assert len(checked(encoded(many))) == 5_000


@pytest.mark.parametrize("given", [[], [encoded(UNIT)] * 2])
def test_not_one_result_a_query(given):
    with pytest.raises(ModelError, match=rf"gave {len(given)} results for 1"):
        check_query_vectors(given, ["the query"], DIM, ENCODER)


@pytest.mark.parametrize("one", [None, UNIT, "text", encoded(UNIT, rows=3)])
def test_a_result_of_another_kind(one):
    with pytest.raises(ModelError, match="'the query'"):
        checked(one)
