"""The client of the protocol's own SDK, over Streamable HTTP."""

import asyncio

import httpx2 as httpx
import mcp
from mcp.client.streamable_http import streamable_http_client


def connect(url, key, seconds):
    return url, key, seconds


def ask(client, query, k):
    return asyncio.run(_ask(*client, query, k))


async def _ask(url, key, seconds, query, k):
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=seconds) as http,
        mcp.Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        answer = await client.call_tool("search", {"query": query, "k": k})
        found = answer.structured_content["passages"]
        return [[one["id"], one["relevance"]] for one in found]
