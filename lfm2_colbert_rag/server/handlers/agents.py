"""Calls of agents, over MCP."""

from __future__ import annotations

from ..problems import Problem
from ..request import Answer, Request


async def call(request: Request) -> Answer:
    """Answer a call about the index that the path names, or the only one that the caller sees."""
    if "index" in request.params:
        index = request.index
    else:
        seen = [name for name in request.services.names() if request.known_caller.sees(name)]
        if len(seen) > 1:
            said = "The key sees several indexes; name one in the path, /mcp/{index}."
            raise Problem("index-not-found", said)
        index = request.some_index()
    answer: Answer = await request.services.call_tools(request, index)
    return answer
