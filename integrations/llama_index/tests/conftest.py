"""A small corpus in which the node that shares most words with the query wins."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable

import pytest
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever

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


async def count_ticks(call: Awaitable[object]) -> int:
    """Count how often the event loop turns during a call: more than 10 times in 0.3 s if free."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticker = asyncio.create_task(tick())
    await call
    ticker.cancel()
    return ticks


@pytest.fixture
def ticks_during():
    return count_ticks
