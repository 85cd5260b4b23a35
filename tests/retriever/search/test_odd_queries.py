"""Whatever an encoder makes of a query, the process lives, and answers or names the encoder."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.encoder.documents import ENCODED
from lfm2_colbert_rag.errors import InputError, ModelError
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import Passage, TokenVectors

from ...grown import add, always_vote, compress_early, set_policy

VALUES = [np.nan, -np.inf, 3e38, 65_536.0]
QUESTION = "w1 w2 w3"


class Odd(HashEncoder):
    """Changes the vectors of queries and passages as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.query = self.document = lambda vectors: vectors

    def encode_query(self, texts):
        return [_changed(one, self.query) for one in super().encode_query(texts)]

    def encode_document(self, texts, *, progress=None):
        encoded = super().encode_document(texts, progress=progress)
        return [_changed(one, self.document) for one in encoded]


def _changed(encoded: TokenVectors, change) -> TokenVectors:
    return dataclasses.replace(encoded, vectors=change(encoded.vectors.copy()))


def put(value: float):
    def change(vectors: np.ndarray) -> np.ndarray:
        vectors[0, 0] = value
        return vectors

    return change


@pytest.fixture(scope="module", params=["exact", "scanned", "voted"])
def asked(request, tmp_path_factory):
    """Return a retriever of each way to search, and its encoder."""
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "exact":
            set_policy(patched, auto_vectors=10**9)
        else:
            compress_early(patched)
        if request.param == "voted":
            always_vote(patched)
        encoder = Odd()
        with Retriever.open(tmp_path_factory.mktemp("odd") / "i", model=encoder) as retriever:
            add(retriever, 120)
            yield retriever, encoder


@pytest.fixture(autouse=True)
def _even(asked):
    ENCODED.renew_after_fork()  # such an encoder breaks its word, and may not be believed twice
    yield
    asked[1].query = asked[1].document = lambda vectors: vectors


LEGS = {
    "late": lambda r: r.search(QUESTION, k=5),
    "hybrid": lambda r: r.search(QUESTION, k=5, mode="hybrid"),
    "many": lambda r: r.search_many([QUESTION, "w4"], k=5),
    "filtered": lambda r: r.search(QUESTION, k=5, where={"seed": 0}),
    "diverse": lambda r: r.search(QUESTION, k=5, diversity=0.5),
    "rerank": lambda r: r.rerank(QUESTION, [Passage("a", "w1 w2")]),
    "explain": lambda r: r.explain(QUESTION, "s0-0"),
    "plan": lambda r: r.plan(QUESTION),
    "recall": lambda r: r.measure_recall([QUESTION, "w4"]),
    "evidence of words": lambda r: r.search(QUESTION, k=1, mode="lexical")[0].evidence,
}


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize("value", VALUES)
def test_what_is_no_number_is_named_by_every_leg(asked, leg, value):
    retriever, encoder = asked
    encoder.query = put(value)
    with pytest.raises(ModelError, match=r"not finite in float16.*'hash' \(Odd\)"):
        LEGS[leg](retriever)


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize(
    "change",
    [
        lambda v: v[:, :-1],
        lambda v: np.pad(v, ((0, 0), (0, 1))),
        lambda v: v[0],
        lambda v: v[None],
        lambda v: v.astype(object),
        lambda v: v.ravel()[:0],
        lambda v: None,
    ],
    ids=["narrow", "wide", "rank 1", "rank 3", "objects", "nothing", "None"],
)
def test_what_is_no_matrix_of_the_width_is_named_by_every_leg(asked, leg, change):
    retriever, encoder = asked
    encoder.query = change
    with pytest.raises(ModelError, match="'hash' \\(Odd\\)"):
        LEGS[leg](retriever)


@pytest.mark.parametrize("factor", [1e-6, 7.0, 1e4])
def test_longer_and_shorter_queries_find_the_same(asked, factor):
    """A score is a sum of products: it grows with the query, and its order stays."""
    retriever, encoder = asked
    before = retriever.search(QUESTION, k=10, mode="late")
    encoder.query = lambda vectors: (vectors * factor).astype(np.float32)
    after = retriever.search(QUESTION, k=10, mode="late")
    assert [hit.id for hit in after[:5]] == [hit.id for hit in before[:5]]
    np.testing.assert_allclose(
        [hit.score for hit in after], [hit.score * factor for hit in before], rtol=1e-2
    )


@pytest.mark.parametrize("dtype", ["f2", "f8"])
def test_other_floats_find_the_same(asked, dtype):
    retriever, encoder = asked
    before = retriever.search(QUESTION, k=10)
    encoder.query = lambda vectors: np.asfortranarray(vectors.astype(dtype))
    after = retriever.search(QUESTION, k=10)
    assert [hit.id for hit in after[:5]] == [hit.id for hit in before[:5]]


def test_a_query_without_a_vector_scores_nothing(asked):
    retriever, encoder = asked

    def none(encoded_query):
        return encoded_query[:0]

    encoder.query = none
    with pytest.raises(ModelError, match="spans"):
        retriever.search(QUESTION, k=3)
    encoder.query = lambda vectors: vectors
    assert retriever.search("…", k=3) is not None


@pytest.mark.parametrize("value", VALUES)
def test_passages_that_are_no_numbers_are_not_stored(asked, value):
    retriever, encoder = asked
    held, encoder.document = len(retriever), put(value)
    with pytest.raises(InputError, match=r"not finite in float16"):
        retriever.add(["never stored"], ids=["odd"])
    with pytest.raises(InputError, match=r"'a'.*not finite in float16"):
        retriever.rerank(QUESTION, [Passage("a", "w1 w2")])
    assert len(retriever) == held
