"""The queries' desk: one computation for what is asked at once, none for what is known."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.encoder.queries import QueryDesk
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
    desk = QueryDesk(size)
    for texts in calls:
        found = desk.encode(texts, ENCODER.encode_query)
        assert len(found) == len(texts)
        assert all(same(vectors, text) for vectors, text in zip(found, texts, strict=True))
        assert len(desk._cache) <= size


def test_a_question_asked_again_is_not_computed_again():
    model = Model()
    desk = QueryDesk(2)
    desk.encode(["a", "b", "a"], model)
    desk.encode(["a"], model)
    assert model.calls == [["a", "b"]]
    desk.encode(["c"], model)  # "b" was used least recently
    desk.encode(["a", "b"], model)
    assert model.calls[1:] == [["c"], ["b"]]


def test_results_cannot_be_written_to():
    [found] = QueryDesk(2).encode(["a"], ENCODER.encode_query)
    with pytest.raises(ValueError, match="read-only"):
        found.vectors[0, 0] = 1.0


def test_questions_of_waiting_threads_go_together():
    model = Model()
    desk = QueryDesk(0)
    model.gate.clear()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(desk.encode, ["first"], model)
        assert model.entered.wait(10)
        others = [pool.submit(desk.encode, [f"q{i}", "shared"], model) for i in range(8)]
        while len(desk._waiting) < 9:
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

    desk = QueryDesk(4)
    failing.set()
    with pytest.raises(RuntimeError, match="out of memory"):
        desk.encode(["a"], encode)
    failing.clear()
    assert same(desk.encode(["a"], encode)[0], "a")


def test_many_threads_get_their_own_answers():
    desk = QueryDesk(5)
    texts = [f"question {i % 11}" for i in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda text: desk.encode([text], ENCODER.encode_query)[0], texts)
        assert all(same(vectors, text) for text, vectors in zip(texts, found, strict=True))
