"""Routes of other APIs, for the clients that people already have; see ``docs/connect.md``."""

from __future__ import annotations

from typing import Any

from .dialects import dify, dify_bodies, openai, openai_bodies, rerank, rerank_bodies
from .dialects.telling import told_as_openai, told_to_dify, told_to_rerankers
from .handlers import agents
from .route import Route

_UNKNOWN = ("index-not-found",)
_ASKING = ("input", "filter", "overloaded", "starting", "tenant-required")
_RERANK = (*_UNKNOWN, *_ASKING, "too-many-tokens")

RERANK: tuple[Route, ...] = (
    *(
        Route(
            *("POST", path, name, "rerank", rerank.rerank),
            "Order documents for a query, as Cohere, Jina, vLLM, Infinity and TEI do.",
            body=rerank_bodies.DocumentsBody,
            answer=Any,
            problems=_RERANK,
            api="rerank",
            told=told_to_rerankers,
        )
        for path, name in (
            ("/rerank", "rerank_documents"),
            ("/v1/rerank", "rerank_documents_v1"),
            ("/v2/rerank", "rerank_documents_v2"),
            (rerank.INFINITY, "rerank_documents_infinity"),
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
        is_described=False,
    )
    for path, name in (("/mcp", "call_tools"), ("/mcp/{index}", "call_tools_of_index"))
)

DIFY: tuple[Route, ...] = (
    Route(
        *("POST", "/dify/retrieval", "retrieve_knowledge", "search", dify.retrieve),
        "Answer a question from an index, as external knowledge of Dify.",
        body=dify_bodies.RetrievalBody,
        answer=dify_bodies.RetrievalAnswer,
        problems=(*_UNKNOWN, *_ASKING),
        api="dify",
        told=told_to_dify,
    ),
)

_STORE = "/v1/vector_stores/{index}"

OPENAI: tuple[Route, ...] = (
    Route(
        *("GET", "/v1/vector_stores", "list_vector_stores", "search", openai.list_stores),
        "The indexes that the key may see, as OpenAI's vector stores.",
        answer=openai_bodies.StoreList,
        api="openai",
        told=told_as_openai,
    ),
    Route(
        *("GET", _STORE, "get_vector_store", "search", openai.get_store),
        "What an index holds, as one of OpenAI's vector stores.",
        answer=openai_bodies.VectorStore,
        problems=_UNKNOWN,
        api="openai",
        told=told_as_openai,
    ),
    Route(
        *("POST", f"{_STORE}/search", "search_vector_store", "search", openai.search),
        "Search an index as one of OpenAI's vector stores.",
        body=openai_bodies.StoreSearchBody,
        answer=openai_bodies.SearchPage,
        problems=_UNKNOWN,
        api="openai",
        told=told_as_openai,
    ),
    Route(
        *("GET", "/v1/models", "list_models", "any", openai.list_models),
        "The indexes that the key may see, as models that a rerank call may name.",
        answer=openai_bodies.ModelList,
        api="openai",
        told=told_as_openai,
    ),
    Route(
        *("GET", "/v1/models/{model}", "get_model", "any", openai.get_model),
        "Whether there is such a model.",
        answer=openai_bodies.Model,
        problems=_UNKNOWN,
        api="openai",
        told=told_as_openai,
    ),
)

FOREIGN: tuple[Route, ...] = (*RERANK, *MCP, *DIFY, *OPENAI)
