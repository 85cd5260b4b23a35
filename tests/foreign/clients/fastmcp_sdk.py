"""FastMCP's client."""

import asyncio

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


def connect(url, key, seconds):
    transport = StreamableHttpTransport(f"{url}/mcp/docs", auth=key)
    return Client(transport, timeout=seconds)


def ask(client, query, k):
    return asyncio.run(_ask(client, query, k))


async def _ask(client, query, k):
    async with client:
        names = [tool.name for tool in await client.list_tools()]
        answer = await client.call_tool("search", {"query": query, "k": k})
        found = answer.structured_content["passages"]
        return [[one["id"], one["relevance"], names] for one in found]
