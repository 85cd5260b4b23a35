from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lfm2_colbert_rag.server.access.callers import Caller
from lfm2_colbert_rag.server.access.gate import Gate
from lfm2_colbert_rag.server.access.keys import KeyFile

from .made import Clock


@pytest.fixture
def clock() -> Clock:
    """Return what time it is for keys and tokens."""
    return Clock()


@pytest.fixture
def ticks() -> Clock:
    """Return the seconds that go by while a file is believed and failures are counted."""
    return Clock(0.0)


@pytest.fixture
def keys(tmp_path: Path, clock: Clock, ticks: Clock) -> KeyFile:
    return KeyFile(tmp_path / "keys.json", clock=clock, ticks=ticks)


@pytest.fixture
def ask(keys: KeyFile, clock: Clock, ticks: Clock) -> Callable[[str], Caller]:
    """Return a function that goes through a gate with a key or a token."""
    keys.create("any", ["search"])
    gate = Gate(keys, isolation="view", clock=clock, ticks=ticks)

    def through(credential: str) -> Caller:
        ticks.now += 60
        return gate.caller([(b"authorization", b"Bearer " + credential.encode())], "10.0.0.7")

    return through
