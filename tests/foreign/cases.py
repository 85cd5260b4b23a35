"""The clients of other people, the environment of each, and what each is known to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lfm2_colbert_rag.server.dialects.telling import told_as_openai, told_to_rerankers
from lfm2_colbert_rag.server.problems import Told, plainly_told

# Words of one, two, three and four bytes, and of one and two UTF-16 units.
TEXTS = (
    "Hold the reset key for ten seconds.",
    "",
    "📚 The library opens at nine. 😀",
    "𠮷野家 😀 opens at noon.",
    "Die Bibliothek öffnet um neun.",
    " \n",
    "Lunch is at noon.",
)
QUERY = "When does the library open?"


@dataclass(frozen=True)
class Case:
    """A client.

    Attributes:
        name: of its program, in ``clients/``.
        environment: of the requirements, in ``environments/``.
        kind: what it asks of the server.
        refused: the error that it raises on a wrong key, or that its error came of.
        busy: the error on a server that is busy; None where it asks again, and is answered.
        late: the error on a server that does not answer in time; None where it has no time-out
            that could be set, or waited for.
        has_top_n: whether it can ask for the best alone.
        documents: whether texts come back when it asks for them, or always; None where never.
        has_filters: whether it can filter by what is stored with passages.
        digits: of relevance, where it gets rounded ones.
        elsewhere: whom it asks besides the server, whatever it is told.
    """

    name: str
    environment: str
    kind: Literal["rerank", "search"]
    refused: str
    busy: str | None = None
    late: str | None = "httpx.ReadTimeout"
    has_top_n: bool = True
    documents: Literal["asked", "always"] | None = None
    has_filters: bool = False
    digits: int = 9
    elsewhere: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its name in the tests."""
        return f"{self.name}-{self.environment}"

    @property
    def told(self) -> Told:
        """How the server tells it of a problem."""
        if self.kind == "rerank":
            return told_to_rerankers
        return plainly_told if "mcp" in self.name else told_as_openai


_COHERE = "cohere.UnauthorizedError"
_STATUS = "infinity_client.UnexpectedStatus"
_ASSERTION = "builtins.AssertionError"
_RUNTIME = "builtins.RuntimeError"  # with the server's own sentence


def _rerankers(api: str, error: str) -> Case:
    """Return a case of ``rerankers``, which reads no status: a problem has no results for it."""
    return Case(
        *(f"rerankers_{api}", "sdks", "rerank", f"builtins.{error}"),
        busy=f"builtins.{error}",
        late=None,
        has_top_n=False,
        documents="always",
    )


def _litellm(name: str, *elsewhere: str) -> Case:
    """Return a case of LiteLLM, which asks once, unless it is told to ask again."""
    is_store = name.startswith("store")
    return Case(
        *(f"litellm_{name}", "litellm", "search" if is_store else "rerank"),
        "litellm.AuthenticationError",
        busy="litellm.ServiceUnavailableError",
        late="litellm.Timeout",
        documents=None if is_store else "asked",
        has_filters=is_store,
        elsewhere=elsewhere,
    )


CASES = (
    Case("cohere_v2", "sdks", "rerank", _COHERE),
    Case("cohere_v1", "sdks", "rerank", _COHERE, documents="asked"),
    Case("infinity", "sdks", "rerank", _STATUS, busy=_STATUS, documents="asked"),
    _rerankers("cohere", "KeyError"),
    _rerankers("jina", "KeyError"),
    _rerankers("tei", "TypeError"),
    Case(
        *("openai_sdk", "sdks", "search", "openai.AuthenticationError"),
        late="openai.APITimeoutError",
        has_filters=True,
    ),
    Case("mcp_sdk", "sdks", "search", "MCPError", late="ReadTimeout", digits=3),
    Case("fastmcp_sdk", "sdks", "search", "mcp.MCPError", late="mcp.MCPError", digits=3),
    Case("cohere_v2", "frameworks", "rerank", _COHERE),
    Case("cohere_v1", "frameworks", "rerank", _COHERE, documents="asked"),
    Case("langchain_cohere_rerank", "frameworks", "rerank", _COHERE, late=None),
    Case("langchain_infinity", "frameworks", "rerank", _STATUS, busy=_STATUS),
    Case("llama_index_cohere", "frameworks", "rerank", _COHERE, late=None),
    Case("llama_index_jina", "frameworks", "rerank", _RUNTIME, busy=_RUNTIME, late=None),
    # It reads no status either, and counts what came.
    Case("llama_index_tei", "frameworks", "rerank", _ASSERTION, busy=_ASSERTION),
    Case("haystack_cohere", "haystack", "rerank", _COHERE, late=None),
    Case("haystack_jina", "haystack", "rerank", _RUNTIME, busy=_RUNTIME),
    Case("haystack_tei", "haystack", "rerank", _RUNTIME),
    _litellm("cohere"),
    _litellm("jina"),
    _litellm("vllm"),
    _litellm("infinity"),
    # For the length of a model of the name that the call gives; nothing turns it off.
    _litellm("tei", "huggingface.co"),
    _litellm("store_openai"),
    _litellm("store_pg_vector"),
)
