"""What is awaited gives what the plain call gives, and the event loop keeps turning meanwhile."""

from __future__ import annotations

import asyncio
import inspect
import threading

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.testing import HashEncoder

from ..conftest import fill
from ..inside import store_of


class Slow(HashEncoder):
    """Encodes only once the loop has turned some more, which it must not have to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.turned = threading.Event()
        self.waits = False

    def _wait(self) -> None:
        if self.waits:
            assert threading.current_thread() is not threading.main_thread()
            assert self.turned.wait(30), "the event loop stood still"

    def encode_query(self, texts):
        self._wait()
        return super().encode_query(texts)

    def encode_document(self, texts, *, progress=None):
        self._wait()
        return super().encode_document(texts, progress=progress)


CALLS = {
    "asearch": lambda r: r.asearch("router", k=2, where={"product": "router"}, mode="hybrid"),
    "asearch diverse": lambda r: r.asearch("router", k=2, diversity=0.7, fetch_k=4),
    "asearch_many": lambda r: r.asearch_many(["router", "filtre"], k=2, where={}),
    "aadd": lambda r: r.aadd(["a new text"], ids=["new"], metadata=[{"n": 1}]),
}


@pytest.mark.parametrize("name", CALLS)
async def test_the_event_loop_keeps_turning(folder, name):
    encoder = Slow()
    with Retriever.open(folder, model=encoder) as retriever:
        fill(retriever)
        encoder.waits = True
        running = asyncio.create_task(CALLS[name](retriever))
        for _ in range(5):
            await asyncio.sleep(0)
        encoder.turned.set()
        assert await running


async def test_it_keeps_turning_while_somebody_else_writes(retriever):
    """A deletion waits for the other writer, and the loop does not."""
    with store_of(retriever).locks.writing():
        deletion = asyncio.create_task(retriever.adelete(["reset"]))
        for _ in range(5):
            await asyncio.sleep(0.001)
        assert not deletion.done()
    assert await deletion == 1
    assert "reset" not in retriever


async def test_awaited_answers_are_those_of_plain_calls(retriever):
    query, where = "the router", {"lang": {"$in": ["en", "es"]}}
    for options in ({}, {"where": where}, {"mode": "lexical"}, {"diversity": 0.5, "fetch_k": 3}):
        assert await retriever.asearch(query, 2, **options) == retriever.search(query, 2, **options)
    many = await retriever.asearch_many([query, "filtre"], 2, where=where, mode="hybrid")
    assert many == retriever.search_many([query, "filtre"], 2, where=where, mode="hybrid")
    assert await retriever.aadd(["text"], ids=["new"], metadata=[{"n": 1}]) == ["new"]
    assert retriever.get(["new"])[0].metadata == {"n": 1}
    assert await retriever.adelete(where={"n": 1}) == 1
    assert await retriever.adelete(["gone"]) == 0


@pytest.mark.parametrize("name", ["search", "search_many", "add", "delete"])
def test_both_take_the_same_arguments(name):
    plain, awaited = (inspect.signature(getattr(Retriever, one)) for one in (name, f"a{name}"))
    assert plain == awaited
