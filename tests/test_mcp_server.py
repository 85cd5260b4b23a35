"""The server for agents, asked by the protocol's own client, in memory and as a process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.testing import HashEncoder

from .conftest import CORPUS, fill

mcp = pytest.importorskip("mcp")

from mcp.client.stdio import StdioServerParameters  # noqa: E402

from lfm2_colbert_rag.mcp_server import MOST_HITS, make_server  # noqa: E402

QUESTION = "How is the reset key of the router held?"


@pytest.fixture
def server(retriever):
    return make_server(retriever)


async def call(server, tool: str, arguments):
    async with mcp.Client(server) as client:
        return await client.call_tool(tool, arguments)


async def ask(server, tool: str, **arguments):
    answer = await call(server, tool, arguments)
    assert not answer.is_error, answer.content
    found = answer.structured_content
    return found.get("result", found)


async def complaint(server, tool: str, **arguments) -> str:
    answer = await call(server, tool, arguments)
    assert answer.is_error
    return answer.content[0].text


async def test_the_tools_only_read_and_teach_how_to_use_them(server):
    async with mcp.Client(server) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"search", "fetch", "stats"}
    for tool in tools.values():
        assert tool.annotations.read_only_hint
        assert len(tool.description) > 40
        assert tool.output_schema
    properties = tools["search"].input_schema["properties"]
    assert properties["k"]["maximum"] == MOST_HITS
    assert "$gte" in json.dumps(properties["where"])
    assert tools["search"].input_schema["required"] == ["query"]


async def test_search_returns_what_the_index_finds(server, retriever):
    found = await ask(server, "search", query=QUESTION, k=2)
    hits = retriever.search(QUESTION, k=2)
    assert [one["id"] for one in found] == [hit.id for hit in hits]
    assert found[0]["excerpt"] == hits[0].text
    assert found[0]["is_whole"]
    assert found[0]["metadata"] == hits[0].metadata
    assert found[0]["relevance"] == pytest.approx(hits[0].relevance, abs=1e-3)
    assert "reset" in found[0]["matched_words"]


async def test_a_filter_comes_before_the_ranking(server):
    found = await ask(server, "search", query=QUESTION, where={"year": {"$lte": 2022}})
    assert [one["id"] for one in found] == ["reinicio"]
    assert await ask(server, "search", query=QUESTION, where={"product": "none"}) == []


async def test_a_long_passage_comes_as_an_excerpt_and_whole_when_fetched(folder):
    text = "Many words about nothing at all. " * 20 + "The reset key is under the lid."
    encoder = HashEncoder(document_length=40)
    with Retriever.open(folder, model=encoder) as retriever:
        retriever.add([text], ids=["manual"])
        server = make_server(retriever)
        found = (await ask(server, "search", query="reset key lid"))[0]
        assert not found["is_whole"]
        assert "reset key" in found["excerpt"]
        assert len(found["excerpt"]) < len(text)
        whole = await ask(server, "fetch", ids=["manual"])
    assert whole == [{"id": "manual", "text": text, "metadata": {}}]


async def test_fetch_keeps_the_order(server):
    found = await ask(server, "fetch", ids=["library", "reset"])
    assert [one["text"] for one in found] == [CORPUS["library"], CORPUS["reset"]]


async def test_stats_name_the_fields_of_filters(server):
    found = await ask(server, "stats")
    assert found["passages"] == len(CORPUS)
    assert set(found["fields"]) == {"product", "year", "lang", "tags", "maker"}
    assert "router" in found["fields"]["product"]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("search", {"query": " "}, "query"),
        ("search", {"query": "a", "k": 0}, "greater than or equal to 1"),
        ("search", {"query": "a", "k": MOST_HITS + 1}, f"less than or equal to {MOST_HITS}"),
        ("search", {"query": "a", "where": {"year": {"$near": 1}}}, "$near"),
        ("fetch", {"ids": ["nobody"]}, "search returned them"),
        ("fetch", {"ids": []}, "at least 1"),
    ],
)
async def test_what_callers_do_wrong_is_told_to_them(server, tool, arguments, said):
    assert said in await complaint(server, tool, **arguments)


async def test_nothing_is_changed(server, retriever, state):
    before = state(retriever)
    await ask(server, "search", query=QUESTION)
    await ask(server, "fetch", ids=["reset"])
    await ask(server, "stats")
    assert state(retriever) == before


class Waiting(HashEncoder):
    """Answers only when it is let."""

    let = threading.Event()

    def encode_query(self, texts):
        assert self.let.wait(30)
        return super().encode_query(texts)


async def test_the_event_loop_is_free_while_it_searches(folder):
    with Retriever.open(folder, model=Waiting()) as retriever:
        fill(retriever)
        server = make_server(retriever)
        search = asyncio.create_task(ask(server, "search", query=QUESTION))
        found = await ask(server, "fetch", ids=["reset"])  # while the search waits
        assert not search.done()
        Waiting.let.set()
        assert found[0]["id"] == (await search)[0]["id"]


@pytest.mark.subprocess
async def test_the_command_serves_on_stdin_and_stdout(retriever):
    retriever.close()
    command = [sys.executable, "-m", "lfm2_colbert_rag.cli", "mcp", str(retriever.path)]
    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    found = await ask(server, "search", query=QUESTION, k=1)
    assert found[0]["id"] == "reset"
