"""MCP over HTTP, asked by the protocol's own client."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

mcp = pytest.importorskip("mcp")

import httpx2  # noqa: E402 - of mcp's own
from mcp.client.streamable_http import streamable_http_client  # noqa: E402

from lfm2_colbert_rag.server.access.callers import PARTIAL_SCOPES  # noqa: E402

CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "search", "arguments": {"query": "library"}},
}
ACCEPT = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def client(server, key, path="/mcp"):
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}) as http:
        where = streamable_http_client(server.url + path, http_client=http)
        async with mcp.Client(where) as opened:
            yield opened


async def test_an_agent_searches_fetches_and_describes(server, filled, key):
    async with client(server, key) as agent:
        tools = {tool.name for tool in (await agent.list_tools()).tools}
        found = await agent.call_tool("search", {"query": "When does the library open?", "k": 1})
        (passage,) = found.structured_content["passages"]
        fetched = await agent.call_tool("fetch", {"ids": [passage["id"], "none such"]})
        described = await agent.call_tool("stats", {})
    assert tools == {"search", "fetch", "stats"}
    assert (passage["id"], passage["excerpt"]) == ("hours", "The library opens at nine.")
    assert fetched.structured_content["unknown"] == ["none such"]
    assert fetched.structured_content["passages"][0]["text"] == "The library opens at nine."
    summary = described.structured_content
    assert (summary["passages"], summary["model"], summary["storage"]) == (3, "hash", None)
    assert "year" in {field["name"] for field in summary["fields"]}


async def test_what_an_agent_does_wrong_is_told_in_one_line(server, filled, key):
    async with client(server, key, f"/mcp/{filled}") as agent:
        wrong = await agent.call_tool("search", {"query": "a", "where": {"year": {"$near": 1}}})
        unknown = await agent.call_tool("fetch", {"ids": ["none such"]})
    assert wrong.is_error
    assert "unknown operator '$near'" in wrong.content[0].text
    assert unknown.is_error
    assert "no passage has the id" in unknown.content[0].text


async def test_a_tool_sees_what_its_caller_sees(shared, index):
    shared.make(index)
    acme, beta = (shared.key(PARTIAL_SCOPES, tenant=name) for name in ("acme", "beta"))
    path = f"/v1/indexes/{index}/passages"
    body = {"passages": [{"id": "1", "text": "The secret of acme.", "metadata": {"acme": 1}}]}
    assert shared.ask("PUT", path, body, key=acme).is_success
    async with client(shared, acme, f"/mcp/{index}") as agent:
        found = await agent.call_tool("search", {"query": "the secret"})
        assert [one["id"] for one in found.structured_content["passages"]] == ["1"]
    async with client(shared, beta, f"/mcp/{index}") as agent:
        found = await agent.call_tool("search", {"query": "the secret"})
        assert found.structured_content["passages"] == []
        assert (await agent.call_tool("fetch", {"ids": ["1"]})).is_error
        assert (await agent.call_tool("stats", {})).structured_content["fields"] == []


async def test_many_callers_at_once_get_their_own_answers(shared, index):
    import asyncio

    shared.make(index)
    names = [f"tenant-{number}" for number in range(6)]
    keys = {name: shared.key(PARTIAL_SCOPES, tenant=name) for name in names}
    for name, key in keys.items():
        body = {"passages": [{"id": "1", "text": f"The passage of {name}."}]}
        assert shared.ask("PUT", f"/v1/indexes/{index}/passages", body, key=key).is_success

    async def ask(name):
        async with client(shared, keys[name], f"/mcp/{index}") as agent:
            found = await agent.call_tool("fetch", {"ids": ["1"]})
            return found.structured_content["passages"][0]["text"]

    found = await asyncio.gather(*map(ask, names * 3))
    assert found == [f"The passage of {name}." for name in names * 3]


def test_several_indexes_must_be_told_apart(server, filled, index):
    server.make(index)
    both = server.key(indexes=[filled, index])
    answer = server.ask("POST", "/mcp", CALL, key=both, headers=ACCEPT)
    assert (answer.status_code, "/mcp/{index}" in answer.json()["detail"]) == (404, True)
    answer = server.ask("POST", f"/mcp/{filled}", CALL, key=both, headers=ACCEPT)
    assert len(answer.json()["result"]["structuredContent"]["passages"]) == 3


def test_one_post_a_call_and_no_sessions(server, filled, key):
    assert server.ask("GET", "/mcp", key=key).status_code == 405
    assert server.ask("DELETE", "/mcp", key=key).status_code == 405
    noted = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    answer = server.ask("POST", "/mcp", noted, key=key, headers=ACCEPT)
    assert (answer.status_code, answer.content) == (202, b"")
    answer = server.ask("POST", "/mcp", CALL, key=key, headers=ACCEPT)
    assert "mcp-session-id" not in answer.headers
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"jsonrpc": "2.0"}', b"[" * 5000])
def test_what_is_no_call_is_refused(server, filled, key, content):
    headers = {"content-type": "application/json"} | ACCEPT
    answer = server.ask("POST", "/mcp", key=key, content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert server.ask("POST", "/mcp", CALL, key=key, headers=ACCEPT).status_code == 200


def test_names_and_pages_are_checked_as_of_all_routes(server, filled, key):
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        answer = server.ask("POST", "/mcp", CALL, key=key, headers=ACCEPT | headers)
        assert answer.status_code in (403, 421)


def test_answers_are_bounded_and_say_what_was_left_out(server, index):
    texts = {str(number): f"Page {number} of the book. " * 400 for number in range(30)}
    server.make(index, texts)
    call = {**CALL, "params": {"name": "search", "arguments": {"query": "page", "k": 30}}}
    key = server.key(indexes=[index])
    found = server.ask("POST", "/mcp", call, key=key, headers=ACCEPT).json()["result"]
    answer = found["structuredContent"]
    assert len(json.dumps(answer)) < 30_000
    assert sorted([one["id"] for one in answer["passages"]] + answer["left_out"]) == sorted(texts)
    assert answer["left_out"]
    assert "too long" in answer["notes"][0]
