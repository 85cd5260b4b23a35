"""Who waits, who is let in, and who is told to come back."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.server.admission import Admission
from lfm2_colbert_rag.server.problems import Problem
from lfm2_colbert_rag.server.rates import Rates
from lfm2_colbert_rag.server.reading import ClientGone


async def hold(admission, caller, begun, go):
    async with admission.turn(caller):
        begun.append(caller)
        await go.wait()


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_callers_take_turns_however_many_requests_one_has():
    admission, begun, go = Admission(1, 64, 60), [], asyncio.Event()
    first = asyncio.create_task(hold(admission, "busy", begun, go))
    await settle()
    rest = [asyncio.create_task(hold(admission, "busy", begun, go)) for _ in range(10)]
    rest += [asyncio.create_task(hold(admission, name, begun, go)) for name in ("a", "b")]
    await settle()
    assert (admission.running, admission.waiting) == (1, 12)
    go.set()
    await asyncio.gather(first, *rest)
    assert set(begun[1:5]) >= {"a", "b"}
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_caller_may_fill_half_of_the_queue_and_no_more():
    admission, go = Admission(1, 8, 60), asyncio.Event()
    tasks = [asyncio.create_task(hold(admission, "busy", [], go)) for _ in range(9)]
    await settle()
    refused = [task for task in tasks if task.done()]
    assert len(refused) == 4
    for task in refused:
        problem = task.exception()
        assert (problem.code, problem.status) == ("overloaded", 503)
        assert int(problem.headers()["retry-after"]) >= 1
    other = asyncio.create_task(hold(admission, "other", [], go))
    await settle()
    assert not other.done()
    go.set()
    await asyncio.gather(*tasks, other, return_exceptions=True)
    assert (admission.running, admission.waiting) == (0, 0)


async def test_whoever_waits_too_long_is_told_so_and_gives_up_his_place():
    admission, go = Admission(1, 8, 0.02), asyncio.Event()
    first = asyncio.create_task(hold(admission, "a", [], go))
    await settle()
    with pytest.raises(Problem) as told:
        await hold(admission, "b", [], go)
    assert told.value.code == "overloaded"
    assert admission.waiting == 0
    go.set()
    await first


async def test_work_whose_client_has_left_is_not_done():
    admission, begun, go, left = Admission(1, 8, 60), [], asyncio.Event(), asyncio.Event()

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def ask():
        async with admission.turn("gone", receive):
            begun.append("gone")

    first = asyncio.create_task(hold(admission, "a", begun, go))
    await settle()
    second = asyncio.create_task(ask())
    await settle()
    left.set()
    with pytest.raises(ClientGone):
        await second
    go.set()
    await first
    assert begun == ["a"]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["ask", "finish", "cancel"]), st.integers(0, 5)), max_size=60
    )
)
def test_no_turn_is_ever_lost(steps):
    """Whatever comes, goes and is cancelled in whatever order."""

    async def play():
        admission, running, tasks = Admission(2, 6, 60), [], []

        async def ask(caller):
            done = asyncio.Event()
            async with admission.turn(str(caller)):
                running.append(done)
                assert admission.running <= 2
                await done.wait()

        for step, number in steps:
            if step == "ask":
                tasks.append(asyncio.create_task(ask(number)))
            elif step == "finish" and running:
                running.pop(number % len(running)).set()
            elif step == "cancel" and tasks:
                tasks[number % len(tasks)].cancel()
            await settle()
            assert admission.waiting <= 6
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (admission.running, admission.waiting) == (0, 0)

    asyncio.run(play())


def test_a_bucket_gives_what_it_says_and_twice_as_much_at_once():
    now = [0.0]
    rates = Rates(lambda: now[0])
    for _ in range(20):
        rates.take("a", 10)
    with pytest.raises(Problem) as told:
        rates.take("a", 10)
    assert (told.value.status, told.value.retry_after) == (429, 1)
    rates.take("b", 10)
    now[0] = 0.5
    for _ in range(5):
        rates.take("a", 10)
    with pytest.raises(Problem):
        rates.take("a", 10)
