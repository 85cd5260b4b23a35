"""``lfm2-colbert mcp``: an index as a tool of agents."""

from __future__ import annotations

from .._support.extras import require
from .options import IndexPlace

__all__ = ["mcp"]


def mcp(folder: IndexPlace) -> None:
    """Serve an index to agents over the Model Context Protocol, on stdin and stdout.

    Three tools, none of which changes anything: search, fetch and stats. An agent's settings name
    this command, such as {"command": "lfm2-colbert", "args": ["mcp", "/path/to/support.index"]}.
    Needs the extra 'mcp'.
    """
    require("mcp.server.mcpserver", extra="mcp")
    from ..mcp_server import make_server
    from ..retriever import Retriever

    with Retriever.open(folder, read_only=True) as retriever:
        make_server(retriever).run("stdio")
