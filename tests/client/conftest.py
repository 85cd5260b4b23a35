"""A server with an index, the index itself beside it, and a client of it."""

from __future__ import annotations

import itertools

import pytest

from lfm2_colbert_rag import Client, Retriever

from ..conftest import fill
from ..server.running import Server, running

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("served")) as started:
        yield started


@pytest.fixture(scope="session")
def key(server: Server) -> str:
    return server.key({"search", "rerank", "read", "write"}, rate=10_000)


@pytest.fixture(scope="session")
def index(server: Server) -> Retriever:
    """The corpus of all tests, to be asked only: as it lies on the server's disk."""
    with Retriever.open(server.folder / "corpus", model="hash") as made:
        fill(made)
    return Retriever.open(server.folder / "corpus", read_only=True)


@pytest.fixture(scope="session")
def client(server: Server, key: str, index: Retriever):
    with Client(server.url, key, index="corpus") as made:
        yield made


@pytest.fixture
def empty(server: Server, key: str):
    """A client of an index that no other test knows."""
    name = f"empty-{next(_NUMBERS)}"
    server.make(name)
    with Client(server.url, key, index=name) as made:
        yield made
