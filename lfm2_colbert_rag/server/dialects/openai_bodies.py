"""What OpenAI's vector stores and models are asked and answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from ..bodies import MOST_QUERIES, Query

Scalar: TypeAlias = str | int | float | bool


class Ranking(Struct):
    """How relevant hits must be."""

    score_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None


class StoreSearchBody(Struct):
    """A question, or several at once, to a store."""

    query: Query | Annotated[list[Query], Meta(min_length=1, max_length=MOST_QUERIES)]
    filters: dict[str, Any] | None = None
    max_num_results: Annotated[int, Meta(ge=1, le=50)] | None = None
    ranking_options: Ranking | None = None


class Content(Struct):
    """A piece of text."""

    text: str
    type: Literal["text"] = "text"


class FoundFile(Struct):
    """A passage that was found, which is a file in the words of this API."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, Scalar]
    content: list[Content]


class SearchPage(Struct):
    """Passages, best first."""

    search_query: list[str]
    data: list[FoundFile]
    has_more: bool = False
    next_page: str | None = None
    object: str = "vector_store.search_results.page"


class FileCounts(Struct):
    """How many passages a store holds."""

    completed: int
    total: int
    in_progress: int = 0
    failed: int = 0
    cancelled: int = 0


class VectorStore(Struct, omit_defaults=True):
    """An index."""

    id: str
    name: str
    object: str
    created_at: int
    status: str
    usage_bytes: int
    metadata: dict[str, Any]
    file_counts: FileCounts | None = None


class Model(Struct):
    """An index, by the name that a rerank call may give as its model."""

    id: str
    created: int = 0
    owned_by: str = "lfm2-colbert"
    object: str = "model"


class StoreList(Struct):
    """All indexes that the key may see."""

    data: list[VectorStore]
    first_id: str | None
    last_id: str | None
    has_more: bool = False
    object: str = "list"


class ModelList(Struct):
    """All indexes that the key may see."""

    data: list[Model]
    object: str = "list"
