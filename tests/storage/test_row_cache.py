"""What is cached, and when it goes."""

from __future__ import annotations

import threading

import numpy as np

from lfm2_colbert_rag.storage.matching import Matched
from lfm2_colbert_rag.storage.row_cache import RowCache


def matched(rows: np.ndarray, generation: int = 1) -> Matched:
    return Matched(generation, rows, 0)


def test_the_least_recently_used_goes_first():
    cache = RowCache(limit=4000)  # two arrays of 100 rows
    found: list[str] = []

    def ask(key: str) -> None:
        cache.get(key, 1, lambda _: (found.append(key), matched(np.zeros(100, np.int64)))[1])

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)
    assert found == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_no_more_bytes_than_allowed():
    cache = RowCache(limit=10_000)
    for size in (500, 800, 2000):
        cache.get(size, 1, lambda _, n=size: matched(np.zeros(n, np.int64)))
    assert len(cache) == 1  # 500 went for 800, and 2000 alone are too large


def test_empty_arrays_are_cached_and_take_room():
    cache = RowCache(limit=10_000)
    for key in range(100):
        cache.get(key, 1, lambda _: matched(np.empty(0, np.int64)))
    assert 0 < len(cache) < 10
    assert len(cache.get(99, 1, lambda _: matched(np.ones(1, np.int64))).rows) == 0


def test_many_threads_get_the_same():
    cache = RowCache(limit=3 * 1100)
    wrong: list[int] = []

    def ask() -> None:
        for i in range(500):
            if cache.get(i % 5, 1, lambda _, n=i % 5: matched(np.array([n]))).rows != [i % 5]:
                wrong.append(i)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache) <= 3


def test_a_later_generation_is_told_what_was_and_takes_its_place():
    cache = RowCache()
    given: list[int | None] = []

    def ask(generation: int) -> int:
        def find(known: Matched | None) -> Matched:
            given.append(known and known.generation)
            return matched(np.ones(1, np.int64), generation)

        return cache.get("key", generation, find).generation

    assert [ask(number) for number in (3, 3, 5, 4, 5, 6)] == [3, 3, 5, 4, 5, 6]
    assert given == [None, 3, None, 5]  # what is asked of an older one is found anew, and not kept
    assert len(cache) == 1
