"""Queries in batches: one computation for what is asked at once, none for what is known."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.encoder.queries import QueryBatcher, asking_for
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenVectors

ENCODER = HashEncoder()


class Model:
    """Counts what it is asked, and can be held up."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def __call__(self, texts: list[str]) -> list[TokenVectors]:
        self.calls.append(list(texts))
        self.entered.set()
        assert self.gate.wait(10)
        return ENCODER.encode_query(texts)


def same(found: TokenVectors, text: str) -> bool:
    return np.array_equal(found.vectors, ENCODER.encode_query([text])[0].vectors)


@given(
    calls=st.lists(st.lists(st.sampled_from("abcdefg"), max_size=4), max_size=8),
    size=st.integers(0, 4),
)
def test_answers_never_depend_on_the_cache(calls, size):
    batcher = QueryBatcher(size)
    for texts in calls:
        found = batcher.encode(texts, ENCODER.encode_query)
        assert len(found) == len(texts)
        assert all(same(vectors, text) for vectors, text in zip(found, texts, strict=True))
        assert len(batcher._cache) <= size


def test_a_query_asked_again_is_not_computed_again():
    model = Model()
    batcher = QueryBatcher(2)
    batcher.encode(["a", "b", "a"], model)
    batcher.encode(["a"], model)
    assert model.calls == [["a", "b"]]
    batcher.encode(["c"], model)  # "b" was used least recently
    batcher.encode(["a", "b"], model)
    assert model.calls[1:] == [["c"], ["b"]]


def test_what_is_kept_for_one_party_is_not_found_by_another():
    model = Model()
    batcher = QueryBatcher(4)
    for party in ("acme", "beta", "acme", None, "beta"):
        with asking_for(party):
            assert same(batcher.encode(["a"], model)[0], "a")
    assert model.calls == [["a"]] * 3
    batcher.encode(["a"], model)  # as whoever does not say for whom
    assert len(model.calls) == 3


def test_results_cannot_be_written_to():
    [found] = QueryBatcher(2).encode(["a"], ENCODER.encode_query)
    with pytest.raises(ValueError, match="read-only"):
        found.vectors[0, 0] = 1.0


def test_the_pending_queries_of_all_threads_are_one_batch():
    model = Model()
    batcher = QueryBatcher(0)
    model.gate.clear()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(batcher.encode, ["first"], model)
        assert model.entered.wait(10)
        others = [pool.submit(batcher.encode, [f"q{i}", "shared"], model) for i in range(8)]
        while len(batcher._pending) < 9:
            pass
        model.gate.set()
        assert same(first.result(10)[0], "first")
        for i, other in enumerate(others):
            mine, shared = other.result(10)
            assert same(mine, f"q{i}")
            assert same(shared, "shared")
    assert len(model.calls) == 2
    assert sorted(model.calls[1]) == sorted([*(f"q{i}" for i in range(8)), "shared"])


def test_a_failure_reaches_those_who_asked_and_nobody_else():
    failing = threading.Event()

    def encode(texts):
        if failing.is_set():
            raise RuntimeError("out of memory")
        return ENCODER.encode_query(texts)

    batcher = QueryBatcher(4)
    failing.set()
    with pytest.raises(RuntimeError, match="out of memory"):
        batcher.encode(["a"], encode)
    failing.clear()
    assert same(batcher.encode(["a"], encode)[0], "a")


def test_many_threads_get_their_own_answers():
    batcher = QueryBatcher(5)
    texts = [f"question {i % 11}" for i in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda text: batcher.encode([text], ENCODER.encode_query)[0], texts)
        assert all(same(vectors, text) for text, vectors in zip(texts, found, strict=True))
