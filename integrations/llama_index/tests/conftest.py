"""A small corpus in which the node that shares most words with the query wins."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable
from pathlib import Path

import pytest
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever

from lfm2_colbert_rag import Client, Retriever
from lfm2_colbert_rag.testing import HashEncoder


def make_nodes() -> list[TextNode]:
    def node(id_: str, text: str, source: str, **metadata) -> TextNode:
        return TextNode(
            id_=id_,
            text=text,
            metadata=metadata,
            # What a filter reads need not be what the model reads.
            excluded_embed_metadata_keys=list(metadata),
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=source)},
        )

    return [
        node(
            "reset",
            "To reset the password, hold the red button for ten seconds.",
            "router-manual",
            product="router",
            year=2023,
            tags=["password", "button"],
        ),
        node(
            "guest",
            "The password of the guest network is printed on the bottom label.",
            "router-manual",
            product="router",
            year=2025,
            tags=["password"],
            **{"maker.country": "it"},
        ),
        node(
            "descale",
            "To descale the coffee machine, fill the tank with vinegar.",
            "coffee-manual",
            product="coffee",
            year=2024,
            tags=[],
        ),
        node(
            "warranty",
            "The warranty covers broken parts for two years.",
            "warranty-card",
            product="coffee",
            year=2025,
            note="",
            details={"pages": {"from": 3}, "draft": True},
        ),
    ]


class SlowEncoder(HashEncoder):
    """Takes as long over a text as a real model, and remembers on which thread it did."""

    def __init__(self, seconds: float = 0.3) -> None:
        super().__init__()
        self.seconds = seconds
        self.threads: list[threading.Thread] = []

    def encode_query(self, texts):
        self.threads.append(threading.current_thread())
        time.sleep(self.seconds)
        return super().encode_query(texts)

    def encode_document(self, texts, **options):
        if texts:
            self.threads.append(threading.current_thread())
            time.sleep(self.seconds)
        return super().encode_document(texts, **options)


@pytest.fixture(scope="session", autouse=True)
def _one_way_to_compute():
    """Keep to plain numpy, here and in servers that are started, so that all scores are alike.

    Kernels round otherwise, and are ready when they are.
    """
    patch = pytest.MonkeyPatch()
    patch.setenv("LFM2_COLBERT_KERNELS", "never")
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _event_loop(request: pytest.FixtureRequest):
    """Give LlamaIndex's sync calls an event loop: it makes one by itself and never closes it."""
    if inspect.iscoroutinefunction(request.function):
        yield
        return
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def nodes() -> list[TextNode]:
    return make_nodes()


@pytest.fixture
def retriever(nodes: list[TextNode]) -> LFM2ColBERTRetriever:
    return LFM2ColBERTRetriever.from_nodes(nodes, model="hash", similarity_top_k=4)


@pytest.fixture(scope="session")
def unchanging() -> LFM2ColBERTRetriever:
    """The same corpus, made once, for tests that only read."""
    return LFM2ColBERTRetriever.from_nodes(make_nodes(), model="hash", similarity_top_k=4)


@pytest.fixture
def slow_encoder() -> SlowEncoder:
    return SlowEncoder()


@pytest.fixture(params=["retrieve", "aretrieve"])
def ask(request: pytest.FixtureRequest):
    """Laws that take this hold for the sync and for the async call."""

    async def call(retriever, query="How do I reset the password?"):
        if request.param == "retrieve":
            return retriever.retrieve(query)
        return await retriever.aretrieve(query)

    return call


async def count_ticks(call: Awaitable[object], pause: float = 0.01) -> int:
    """Count how often the event loop turns during a call: more than 10 times in 0.3 s if free.

    Args:
        call: takes so long by itself.
        pause: seconds between turns; 0 for a call that may be over in a moment.
    """
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(pause)
            ticks += 1

    ticker = asyncio.create_task(tick())
    await call
    ticker.cancel()
    return ticks


@pytest.fixture
def ticks_during():
    return count_ticks


class Server:
    """A server (``lfm2-colbert serve``) in a process of its own, and a key for it.

    Attributes:
        url: where it listens.
        key: the key.
    """

    def __init__(self, folder: Path) -> None:
        self._indexes = folder / "indexes"
        self._indexes.mkdir()
        self._names = itertools.count()
        command = [sys.executable, "-m", "lfm2_colbert_rag.cli"]
        keys = ["--keys", str(folder / "keys.json")]
        create = [*command, "keys", "create", *keys, "--name", "adapter", "--rate", "10000"]
        for scope in ("search", "rerank", "read", "write"):
            create += ["--scope", scope]
        made = subprocess.run(create, stdout=subprocess.PIPE, text=True, check=True)
        self.key = made.stdout.strip()
        self._process = subprocess.Popen(
            [*command, "serve", str(self._indexes), *keys, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._process.stdout.readline().split()[-1]

    def make(self) -> str:
        """Make an empty index, and return its name."""
        name = f"index-{next(self._names)}"
        Retriever.open(self._indexes / name, model="hash").close()
        return name

    def connect(self) -> Client:
        """Return a client of an empty index."""
        return Client(self.url, self.key, index=self.make())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory):
    made = Server(tmp_path_factory.mktemp("server"))
    yield made
    made.close()
