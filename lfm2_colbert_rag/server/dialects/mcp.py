"""An index as a tool of agents, over MCP's Streamable HTTP: one POST a call, no sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import InputError, LFM2ColBERTError
from ..problems import Problem
from ..reading import Message
from ..request import Answer, Request

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from ...mcp_server.answers import IndexSummary
    from ...mcp_server.tools import Searched
    from ..settings import Settings

T = TypeVar("T")

_asked: ContextVar[tuple[Request, str]] = ContextVar("asked")
"""Whose call is at work, and the index that it is about."""


class McpEndpoint:
    """Speaks MCP; what that takes is loaded with the first call. Belongs to one event loop.

    Args:
        settings: names by which the server is asked, and pages that may ask.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._starting = asyncio.Lock()
        self._server: MCPServer[Any] | None = None
        self._running: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def answer(self, request: Request, index: str) -> Answer:
        """Answer a call.

        Args:
            request: the request.
            index: the index that its caller means, and may see.
        """
        server = await self._started()
        _asked.set((request, index))
        exchange = _Exchange(request.raw)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/mcp",
            "raw_path": b"/mcp",
            "root_path": "",
            "query_string": b"",
            "headers": list(request.headers),
        }
        await server.session_manager.handle_request(scope, exchange.receive, exchange.send)
        return Answer(exchange.body, exchange.status, exchange.media)

    async def close(self) -> None:
        """Stop."""
        self._stop.set()
        if self._running is not None:
            await self._running

    async def _started(self) -> MCPServer[Any]:
        async with self._starting:
            if self._server is None:
                server = await asyncio.to_thread(_make, self._settings)
                ready = asyncio.Event()
                self._running = asyncio.create_task(self._run(server, ready))
                await ready.wait()
                self._server = server
            return self._server

    async def _run(self, server: MCPServer[Any], ready: asyncio.Event) -> None:
        async with server.session_manager.run():
            ready.set()
            await self._stop.wait()


class _Exchange:
    """A request whose body was read, and its answer."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self._gone = asyncio.Event()
        self.status = 500
        self.media = ""
        self.body = b""

    async def receive(self) -> Message:
        """Give the body, once."""
        if self._content is None:
            await self._gone.wait()  # for ever: whoever asked is known to wait
        content, self._content = self._content, None
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(self, message: Message) -> None:
        """Keep a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = dict(message["headers"])
            self.media = headers.get(b"content-type", b"").decode("latin-1")
        else:
            self.body += message.get("body", b"")


def _make(settings: Settings) -> MCPServer[Any]:
    """Load what speaks MCP.

    Raises:
        MissingExtraError: it is not installed.
    """
    from ...mcp_server.tools import make_tools

    server = make_tools("lfm2-colbert", _ask, _describe)
    from mcp.server.transport_security import TransportSecuritySettings

    hosts = [form for host in settings.hosts for form in _written(host)]
    server.streamable_http_app(
        json_response=True,
        stateless_http=True,
        transport_security=TransportSecuritySettings(
            allowed_hosts=hosts, allowed_origins=list(settings.origins)
        ),
    )
    return server


def _written(host: str) -> tuple[str, str]:
    name = f"[{host}]" if ":" in host else host
    return name, f"{name}:*"


async def _ask(work: Callable[[Searched], T]) -> T:
    """Do a tool's work with what the caller may see.

    Raises:
        ToolError: it failed; of the caller's own mistakes it tells all, of others what anybody
            may know.
    """
    from ...mcp_server.tools import ToolError, told

    request, index = _asked.get()
    try:
        return await request.ask(work, index=index, watched=False)
    except InputError as error:
        raise told(error) from error
    except LFM2ColBERTError as error:
        raise ToolError(error.public) from error
    except Problem as problem:
        raise ToolError(problem.told) from problem


async def _describe() -> IndexSummary:
    from ...mcp_server.tools import describe_index

    request, name = _asked.get()
    return await _ask(lambda index: describe_index(index, request.services.model(name)))
