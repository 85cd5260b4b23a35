"""Two servers that hold an index together, and one that follows the second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from .servers import Server, new_parent, remove

_NUMBERS = count()


@dataclass(frozen=True)
class Fleet:
    """The servers.

    Attributes:
        first: one shard.
        second: the other.
    """

    first: Server
    second: Server

    def address(self, name: str | None = None, more: str = "", options: str = "") -> str:
        """Return the address of an index over both, of a new one unless it is named.

        Args:
            name: of the index.
            more: standbys of the second server, such as ``|127.0.0.1:5000``.
            options: others, beginning with ``&``.
        """
        name = f"index-{next(_NUMBERS)}" if name is None else name
        return (
            f"postgresql://postgres@127.0.0.1:{self.first.port}/postgres/{name}"
            f"?servers=127.0.0.1:{self.second.port}{more}{options}"
        )


@pytest.fixture(scope="package")
def fleet() -> Iterator[Fleet]:
    """Return two running servers, shared by all tests that kill none."""
    yield from _running()


@pytest.fixture
def mortal() -> Iterator[Fleet]:
    """Return two running servers of the test's own."""
    yield from _running()


def _running() -> Iterator[Fleet]:
    parent = new_parent()
    servers: list[Server] = []
    try:
        for _ in range(2):
            servers.append(Server(parent).make())
            servers[-1].start()
        yield Fleet(*servers)
    finally:
        for server in servers:
            server.stop()
        remove(parent)
