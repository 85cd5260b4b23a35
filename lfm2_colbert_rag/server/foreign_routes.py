"""Routes of other APIs, for the clients that people already have; see ``docs/connect.md``."""

from __future__ import annotations

from typing import Any

from .dialects import rerank, rerank_bodies
from .dialects.telling import told_to_rerankers
from .handlers import agents
from .route import Route

_UNKNOWN = ("index-not-found",)
_RERANK = (*_UNKNOWN, "too-many-tokens", "input", "overloaded", "starting", "tenant-required")

RERANK: tuple[Route, ...] = (
    *(
        Route(
            *("POST", path, name, "rerank", rerank.rerank),
            "Order documents for a query, as Cohere, Jina, vLLM, Infinity and TEI do.",
            body=rerank_bodies.RerankBody,
            answer=Any,
            problems=_RERANK,
            api="rerank",
            told=told_to_rerankers,
        )
        for path, name in (
            ("/rerank", "rerank_documents"),
            ("/v1/rerank", "rerank_documents_v1"),
            ("/v2/rerank", "rerank_documents_v2"),
        )
    ),
    *(
        Route(
            *("POST", path, name, "rerank", rerank.score),
            "Score documents for a query, as vLLM does.",
            body=rerank_bodies.ScoreBody,
            answer=rerank_bodies.ScoreAnswer,
            problems=_RERANK,
            api="rerank",
            told=told_to_rerankers,
        )
        for path, name in (("/score", "score_documents"), ("/v1/score", "score_documents_v1"))
    ),
)

MCP: tuple[Route, ...] = tuple(
    Route(
        *("POST", path, name, "search", agents.call),
        "Search, fetch and describe an index as an agent's tools, over MCP.",
        body=dict,
        answer=dict,
        problems=(*_UNKNOWN, "missing-extra"),
        is_raw=True,
        api="mcp",
    )
    for path, name in (("/mcp", "call_tools"), ("/mcp/{index}", "call_tools_of_index"))
)

FOREIGN: tuple[Route, ...] = (*RERANK, *MCP)
