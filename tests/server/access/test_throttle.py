"""Counting failures: exact for each address, in memory that has an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.server.access.throttle import WINDOW, Throttle

from .made import Clock


@given(st.lists(st.floats(0, 30), max_size=60))
def test_never_more_than_so_many_within_any_minute(pauses):
    ticks = Clock(0.0)
    throttle = Throttle(most=3, ticks=ticks)
    counted = []
    for pause in pauses:
        ticks.now += pause
        wait = throttle.failed("10.0.0.7")
        within = [one for one in counted if ticks.now - one < WINDOW]
        assert (wait is not None) == (len(within) >= 3)
        if wait is None:
            counted.append(ticks.now)
        else:
            least = within[-3] + WINDOW - ticks.now
            assert wait == pytest.approx(least + 0.5, abs=0.5 + 1e-9)  # sums of floats are rounded


def test_after_the_time_that_it_says_it_may_fail_again():
    ticks = Clock(0.0)
    throttle = Throttle(most=2, ticks=ticks)
    for _ in range(5):
        assert throttle.failed("a") is None
        ticks.now += 0.5
        assert throttle.failed("a") is None
        wait = throttle.failed("a")
        ticks.now += wait


def test_a_clock_that_goes_back_locks_nobody_out():
    ticks = Clock(1e6)
    throttle = Throttle(most=2, ticks=ticks)
    for _ in range(3):
        throttle.failed("a")
    for jump in (-1e6, 1e9, -1e9):
        ticks.now += jump
        assert throttle.failed("a") is None


def test_memory_has_an_end():
    throttle = Throttle(addresses=100, ticks=Clock(0.0))
    for number in range(2_000):
        throttle.failed(f"10.0.{number // 256}.{number % 256}")
        throttle.failed("x" * 10_000 + str(number))
    assert len(throttle) == 100


def test_one_subscriber_is_one_address():
    """Who has a network of IPv6 has billions of addresses; who comes over IPv4 has one."""
    throttle = Throttle(most=1, ticks=Clock(0.0))
    assert throttle.failed("2001:db8::1") is None
    assert throttle.failed("2001:db8::2:1") is not None
    assert throttle.failed("2001:db8:0:1::1") is None
    assert throttle.failed("10.0.0.7") is None
    assert throttle.failed("::ffff:10.0.0.7") is not None
    assert throttle.failed("") is None
    assert throttle.failed("/run/server.sock") is None
