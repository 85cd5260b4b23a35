"""The server over one index, on stdin and stdout or within a program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import LFM2ColBERTError
from ..retriever.facade import Retriever
from .answers import IndexSummary
from .tools import Searched, ToolError, describe_index, make_tools, told

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

__all__ = ["make_server"]

T = TypeVar("T")


def make_server(retriever: Retriever, *, name: str = "lfm2-colbert") -> MCPServer[Any]:
    """Build a server that reads an index and never changes it.

    Its three tools run in threads, so that the event loop stays free. Their answers are of bounded
    length, and show the caller's own metadata only. What callers do wrong comes back as a tool
    error that says the remedy in one line; what they plainly mean is understood.

    Args:
        retriever: an open index; it stays yours to close.
        name: what clients see.

    Returns:
        A server; ``run()`` serves on stdin and stdout.

    Example:
        >>> make_server(Retriever.open("support.index")).run()  # doctest: +SKIP
    """

    async def ask(work: Callable[[Searched], T]) -> T:
        try:
            return await asyncio.to_thread(work, retriever)
        except LFM2ColBERTError as error:
            raise told(error) from error
        except (OSError, MemoryError, RecursionError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise ToolError(
                f"the index cannot be searched now ({said}); try again later."
            ) from error

    def summary(index: Searched) -> IndexSummary:
        found = retriever.stats()
        return describe_index(index, found.model, found.storage)

    async def describe() -> IndexSummary:
        return await ask(summary)

    return make_tools(name, ask, describe)
