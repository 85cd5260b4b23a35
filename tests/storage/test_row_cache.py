"""What is remembered, and when it is forgotten."""

from __future__ import annotations

import threading

import numpy as np

from lfm2_colbert_rag.storage.row_cache import RecentRows


def test_the_oldest_goes_first_and_use_keeps_young():
    recent = RecentRows(entries=2)
    found: list[str] = []

    def ask(key: str) -> None:
        recent.get(key, lambda: (found.append(key), np.array([1]))[1])

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)
    assert found == ["a", "b", "c", "b"]
    assert len(recent) == 2


def test_no_more_bytes_than_allowed():
    recent = RecentRows(entries=16, limit=100)
    for size in (5, 8, 20):
        assert len(recent.get(size, lambda n=size: np.zeros(n, dtype=np.int64))) == size
    assert len(recent) == 1  # 5 went for 8, and 20 alone is too large


def test_many_threads_get_the_same():
    recent = RecentRows(entries=3)
    wrong: list[int] = []

    def ask() -> None:
        for i in range(500):
            if recent.get(i % 5, lambda n=i % 5: np.array([n])).tolist() != [i % 5]:
                wrong.append(i)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(recent) <= 3
