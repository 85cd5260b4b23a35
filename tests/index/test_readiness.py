"""Kernels are made ready beside the answers, once, and whatever happens to them answers go on."""

from __future__ import annotations

import os
import threading

import pytest

from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.index.jit import readiness
from lfm2_colbert_rag.index.jit.readiness import KernelSet


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(readiness, "HEAD_START", 0.0)


@pytest.fixture
def way(monkeypatch):
    return lambda name: monkeypatch.setenv(readiness.VARIABLE, name)


class Rehearsed:
    """Kernels that become ready when they may; says which variants were rehearsed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.may, self.seen, self.error = threading.Event(), [], error
        self.kernels = KernelSet("a test", self.rehearse)

    def rehearse(self, variant: int):
        yield
        assert self.may.wait(30)
        self.seen.append(variant)
        if self.error:
            raise self.error
        yield


def finished() -> None:
    """Wait for the thread that makes kernels ready."""
    for thread in threading.enumerate():
        if thread.name == readiness.THREAD:
            thread.join(30)


def test_nobody_waits_and_each_variant_is_rehearsed_once(way):
    way("beside")
    made = Rehearsed()
    assert [made.kernels.ready(n) for n in (1, 2, 1, 2)] == [False] * 4
    made.may.set()
    finished()
    assert made.seen == [1, 2]
    assert made.kernels.ready(1)
    assert made.kernels.ready(2)
    finished()
    assert made.seen == [1, 2]


def test_who_waits_gets_them(way):
    way("wait")
    made = Rehearsed()
    made.may.set()
    assert made.kernels.ready(1)
    made.kernels.prepare(1)
    assert made.seen == [1]


def test_nothing_is_begun_where_they_are_not_wanted(way):
    way("never")
    made = Rehearsed()
    assert not made.kernels.ready(1)
    finished()
    assert made.seen == []


def test_a_rehearsal_may_ask_whether_it_is_over(way):
    way("wait")
    answers = []

    def rehearse():
        answers.append(kernels.ready())
        yield

    kernels = KernelSet("a test", rehearse)
    assert kernels.ready()
    assert answers == [False]


@pytest.mark.parametrize("how", ["beside", "wait"])
def test_what_cannot_be_compiled_is_told_once_and_not_tried_again(way, how, caplog):
    way(how)
    made = Rehearsed(RuntimeError("no compiler\nand pages about it"))
    made.may.set()
    for _ in range(3):
        assert not made.kernels.ready(1)
        finished()
    assert made.seen == [1]
    [record] = caplog.records
    assert "kernels of a test cannot be compiled (RuntimeError: no compiler)" in record.message
    with pytest.raises(ConfigError, match=r"kernels of a test .*no compiler\).*reinstall numba"):
        made.kernels.prepare(1)


def test_an_unknown_way_is_refused(way):
    way("perhaps")
    with pytest.raises(ConfigError, match=r"LFM2_COLBERT_KERNELS must be .*not 'perhaps'"):
        Rehearsed().kernels.ready(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_waits_for_a_step_and_its_child_begins_anew(way):
    """A compiler that is half done would stay so in the child, with all its locks."""
    way("beside")
    lock, inside = threading.Lock(), threading.Event()

    def rehearse():
        with lock:
            inside.set()
            threading.Event().wait(0.2)
        yield

    kernels = KernelSet("a test", rehearse)
    kernels.ready()
    assert inside.wait(30)
    child = os.fork()
    if not child:
        code = 1
        try:
            if not lock.locked():
                kernels.prepare()
                code = 0 if kernels.ready() else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finished()
