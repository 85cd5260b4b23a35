"""Parts of the work may be done by several threads, and nobody waits for himself."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.index.workers import even_parts, in_parallel, thread_count


@pytest.fixture(params=["1", "2", "5"])
def threads(request, monkeypatch) -> int:
    monkeypatch.setenv("LFM2_COLBERT_THREADS", request.param)
    return int(request.param)


def test_the_environment_sets_the_number(threads):
    assert thread_count() == threads


def test_without_it_the_processors_decide(monkeypatch):
    monkeypatch.delenv("LFM2_COLBERT_THREADS", raising=False)
    assert 1 <= thread_count() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("wrong", ["two", "0", "-1", "1.5"])
def test_what_is_no_number_of_threads_is_refused(wrong, monkeypatch):
    monkeypatch.setenv("LFM2_COLBERT_THREADS", wrong)
    with pytest.raises(ConfigError, match="LFM2_COLBERT_THREADS"):
        thread_count()


@pytest.mark.parametrize("parts", [0, 1, 2, 50])
def test_results_come_in_order(threads, parts):
    def work(number: int, other: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number * other

    assert in_parallel(work, [(n, 10) for n in range(parts)]) == [n * 10 for n in range(parts)]


@pytest.mark.parametrize("failing", [0, 3])
def test_an_error_reaches_the_caller(threads, failing):
    def work(number: int) -> None:
        if number == failing:
            raise ValueError(f"part {number}")

    with pytest.raises(ValueError, match=f"part {failing}"):
        in_parallel(work, [(n,) for n in range(6)])


def test_parts_that_have_parts_themselves_never_wait_for_ever(threads):
    """Not even where more threads ask than the pool has."""

    def outer(number: int) -> int:
        time.sleep(0.001)
        return sum(in_parallel(inner, [(number, n) for n in range(4)]))

    def inner(number: int, other: int) -> int:
        time.sleep(0.001)
        return number * other

    found: list[list[int]] = []
    askers = [
        threading.Thread(
            target=lambda: found.append(in_parallel(outer, [(n,) for n in range(8)])), daemon=True
        )
        for _ in range(6)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(timeout=20)
    assert found == [[n * 6 for n in range(8)]] * 6


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_a_pool_of_its_own(threads):
    assert in_parallel(abs, [(-n,) for n in range(4)]) == [0, 1, 2, 3]
    child = os.fork()
    if child == 0:
        os._exit(0 if in_parallel(abs, [(-n,) for n in range(4)]) == [0, 1, 2, 3] else 1)
    deadline = time.monotonic() + 20
    done, status = os.waitpid(child, os.WNOHANG)
    while not done and time.monotonic() < deadline:
        time.sleep(0.01)
        done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert done
    assert os.waitstatus_to_exitcode(status) == 0


@given(size=st.integers(0, 1000), parts=st.integers(0, 60))
def test_parts_cover_everything_once(size, parts):
    cut = even_parts(size, parts)
    assert [n for start, end in cut for n in range(start, end)] == list(range(size))
    lengths = [end - start for start, end in cut]
    assert not lengths or max(lengths) - min(lengths) <= 1
    assert all(lengths)
    assert len(cut) <= max(1, parts)
