"""What rerank calls of Cohere, Jina, vLLM, Infinity and TEI hold, and what they are answered.

One superset of all: what is ``null`` counts as absent, and members that are not known are left
alone, as the clients' libraries grow.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ..bodies import MOST_PASSAGES, Query

Documents = Annotated[list[str | dict[str, Any]], Meta(max_length=MOST_PASSAGES)]
Texts = Annotated[list[str], Meta(max_length=MOST_PASSAGES)]
OneOrMore = str | Texts


class WantedSpans(Struct):
    """Whether, and which, parts of documents are to be shown; as of Cohere's API."""

    mode: Literal["enabled", "disabled"] = "enabled"
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_spans: Annotated[int, Meta(ge=1)] | None = None


class DocumentsBody(Struct):
    """Texts of the client's own, as ``documents`` or, of TEI, as ``texts``."""

    query: Query
    documents: Documents | None = None
    texts: Texts | None = None
    model: str | None = None
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool | None = None
    rank_fields: Annotated[list[str], Meta(max_length=64)] | None = None
    relevant_spans: WantedSpans | None = None
    raw_scores: bool | None = None
    return_text: bool | None = None


class ScoreBody(Struct):
    """Texts to be scored for a question, by one of vLLM's three pairs of names."""

    text_1: OneOrMore | None = None
    text_2: OneOrMore | None = None
    queries: OneOrMore | None = None
    documents: OneOrMore | None = None
    data_1: OneOrMore | None = None
    data_2: OneOrMore | None = None
    model: str | None = None


class SpanAnswer(Struct):
    """A part of a document that answers the query: its characters, in code points."""

    start: int
    end: int
    score: float


class RankedDocument(Struct):
    """A document, by its place among those that were sent."""

    index: int
    relevance_score: float
    document: str | dict[str, Any] | UnsetType = UNSET
    relevant_spans: list[SpanAnswer] | UnsetType = UNSET


class Usage(Struct, frozen=True):
    """What is counted for nobody's bill."""

    prompt_tokens: int = 0
    total_tokens: int = 0


class RerankAnswer(Struct):
    """Documents, best first."""

    id: str
    created: int
    model: str
    results: list[RankedDocument]
    meta: dict[str, Any]
    object: str = "rerank"
    usage: Usage = Usage()


class RankedText(Struct):
    """A text of TEI's call, by its place."""

    index: int
    score: float
    text: str | UnsetType = UNSET


class ScoredText(Struct):
    """A text of vLLM's call, by its place."""

    index: int
    score: float
    object: str = "score"


class ScoreAnswer(Struct):
    """Scores in the order of the texts."""

    id: str
    created: int
    model: str
    data: list[ScoredText]
    object: str = "list"
    usage: Usage = Usage()
