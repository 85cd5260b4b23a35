"""A server for the tests of this folder; each makes indexes and keys of its own."""

from __future__ import annotations

import itertools

import pytest

from .running import running

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Run a server of which every index is one tenant's."""
    place = tmp_path_factory.mktemp("server")
    options = ("--audit-log", str(place / "audit"), "--audit", "all")
    # Wrong keys are what many of these tests send, all from one address.
    with running(place, *options, "--auth-failures", "1000000") as started:
        yield started


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Run a server of which tenants share the indexes."""
    place = tmp_path_factory.mktemp("shared")
    options = ("--isolation", "view", "--audit-log", str(place / "audit"), "--audit", "all")
    options += ("--auth-failures", "1000000")
    with running(place, *options) as started:
        yield started


@pytest.fixture
def index():
    """Give a name that no other test uses."""
    return f"index-{next(_NUMBERS)}"
