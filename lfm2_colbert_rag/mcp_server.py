"""An index for agents: search, fetch and stats over the Model Context Protocol.

Needs the extra ``mcp``. ``lfm2-colbert mcp DIR`` runs it on stdin and stdout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from ._support.extras import require
from .errors import LFM2ColBERTError
from .retriever import Retriever

try:
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp_types import ToolAnnotations
    from pydantic import Field
except ModuleNotFoundError:
    require("mcp.server.mcpserver", extra="mcp")
    raise

__all__ = ["FetchedPassage", "FoundPassage", "IndexSummary", "make_server"]

MOST_HITS = 50
MOST_IDS = 20
_SAMPLED = 200  # passages whose metadata tells which fields there are
_EXAMPLES = 5  # values of a field that are shown
_WORDS = 5  # words that matched, of each passage

T = TypeVar("T")

Query = Annotated[
    str,
    Field(
        description="A question or a statement in plain words, in any language; whole sentences "
        "work better than keywords. No operators and no quotation marks."
    ),
]
HowMany = Annotated[
    int, Field(ge=1, le=MOST_HITS, description=f"How many passages, 1 to {MOST_HITS}.")
]
WhereFilter = Annotated[
    dict[str, Any] | None,
    Field(
        description="Only passages whose metadata matches, applied before ranking. Examples: "
        '{"product": "router"}, {"year": {"$gte": 2024}}, {"lang": {"$in": ["en", "fr"]}}, '
        '{"$or": [{"a": 1}, {"b": {"$exists": true}}]}. Operators: $eq $ne $gt $gte $lt $lte '
        "$in $nin $exists $and $or $not. Nested keys: maker.country. The tool stats lists the "
        "fields."
    ),
]
Ids = Annotated[
    list[str],
    Field(
        min_length=1,
        max_length=MOST_IDS,
        description=f"Ids as search returned them, 1 to {MOST_IDS}.",
    ),
]


@dataclass(frozen=True)
class FoundPassage:
    """A passage that answers the query.

    Attributes:
        id: its identifier, to cite it and to fetch it.
        relevance: 0 to 1, comparable between queries; the higher, the further above chance.
        excerpt: the part of its text that answers best; all of it where it is short.
        is_whole: False if the passage has more text than the excerpt; fetch returns all.
        matched_words: its words that answered words of the query, strongest first.
        metadata: what is known of it.
    """

    id: str
    relevance: float
    excerpt: str
    is_whole: bool
    matched_words: list[str]
    metadata: dict[str, Any]


@dataclass(frozen=True)
class FetchedPassage:
    """A whole passage.

    Attributes:
        id: its identifier.
        text: all of its text.
        metadata: what is known of it.
    """

    id: str
    text: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class IndexSummary:
    """What an index holds.

    Attributes:
        passages: how many passages.
        model: the model that reads them.
        storage: ``exact``, or ``compressed`` for a fast, approximate search.
        fields: metadata fields that filters can use, with examples of their values, from a
            sample of the passages.
    """

    passages: int
    model: str
    storage: str
    fields: dict[str, list[Any]]


def make_server(retriever: Retriever, *, name: str = "lfm2-colbert") -> MCPServer[Any]:
    """Build a server that reads an index and never changes it.

    Its three tools run in threads, so that the event loop stays free. What callers do wrong comes
    back as a tool error that says the remedy.

    Args:
        retriever: an open index; it stays yours to close.
        name: what clients see.

    Returns:
        A server; ``run()`` serves on stdin and stdout.

    Example:
        >>> make_server(Retriever.open("support.index")).run()  # doctest: +SKIP
    """
    server: MCPServer[Any] = MCPServer(
        name,
        instructions="Searches a collection of passages by meaning, in any language: ask in the "
        "user's own language, whatever the passages are written in. Call search first, fetch when "
        "an excerpt is not enough, and stats to learn which metadata fields filters can use. Cite "
        "passages by id, and say so when nothing relevant was found.",
        log_level="WARNING",
    )
    reading = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

    @server.tool(title="Search passages", annotations=reading)
    async def search(query: Query, k: HowMany = 5, where: WhereFilter = None) -> list[FoundPassage]:
        """Find the passages that answer a query best, best first.

        Meaning counts, not spelling, and the query may be in another language than the passages.
        All passages come back as excerpts with an id; look at relevance before you use one.
        An empty list means that no passage matches the filter.
        """
        return await _in_thread(lambda: _search(retriever, query, k, where))

    @server.tool(title="Fetch passages", annotations=reading)
    async def fetch(ids: Ids) -> list[FetchedPassage]:
        """Return whole passages by id, in the order asked, with their metadata."""
        return await _in_thread(lambda: _fetch(retriever, ids))

    @server.tool(title="Describe the index", annotations=reading)
    async def stats() -> IndexSummary:
        """Say how many passages there are, and which metadata fields filters can use."""
        return await _in_thread(lambda: _summary(retriever))

    return server


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except LFM2ColBERTError as error:
        raise ToolError(" ".join(str(error).split())) from error
    except (OSError, MemoryError, RecursionError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise ToolError(f"the index cannot be searched now ({said}); try again later.") from error


def _search(
    retriever: Retriever, query: str, k: int, where: dict[str, Any] | None
) -> list[FoundPassage]:
    return [
        FoundPassage(
            hit.id,
            round(hit.relevance, 3),
            hit.excerpt,
            hit.window is None,
            list(dict.fromkeys(hit.text[slice(*m.passage_span)] for m in hit.evidence))[:_WORDS],
            hit.metadata,
        )
        for hit in retriever.search(query, k, where=where)
    ]


def _fetch(retriever: Retriever, ids: list[str]) -> list[FetchedPassage]:
    passages = retriever.get(ids)
    found = {passage.id for passage in passages}
    missing = [id for id in ids if id not in found]
    if missing:
        raise ToolError(
            f"no passage has the id {', '.join(map(repr, missing))}. Use ids exactly as the tool "
            "search returned them."
        )
    return [FetchedPassage(one.id, one.text, dict(one.metadata)) for one in passages]


def _summary(retriever: Retriever) -> IndexSummary:
    fields: dict[str, list[Any]] = {}
    for passage in retriever.passages(limit=_SAMPLED):
        for key, value in passage.metadata.items():
            seen = fields.setdefault(key, [])
            if value not in seen and len(seen) < _EXAMPLES:
                seen.append(value)
    found = retriever.stats()
    return IndexSummary(found.passages, found.model, found.storage, fields)
