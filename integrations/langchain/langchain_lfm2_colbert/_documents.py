"""LangChain's documents: as passages of the core, and made of its hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from langchain_core.documents import Document

from lfm2_colbert_rag import Hit, IndexOptions, Passage, Retriever


@dataclass(frozen=True)
class Shape:
    """Which facts about a hit a document's metadata carry, and under which keys.

    Attributes:
        id_key: the passage's id.
        score_key: the relevance.
        window_key: the characters of the part of a long text that was found.
        evidence: whether ``"evidence"`` lists the words that matched.
    """

    id_key: str | None = None
    score_key: str | None = None
    window_key: str | None = None
    evidence: bool = False


def split_options(options: dict[str, Any]) -> tuple[IndexOptions, dict[str, Any]]:
    """Part the options of an index (``storage``) from those of an adapter (``k``)."""
    known = IndexOptions.__annotations__
    of_index = {name: value for name, value in options.items() if name in known}
    others = {name: value for name, value in options.items() if name not in known}
    return cast("IndexOptions", of_index), others


def to_document(query: str, hit: Hit, shape: Shape) -> Document:
    """Make a document of a hit; it shares nothing with others, and callers may write into it."""
    return Document(
        id=hit.id, page_content=hit.text, metadata=hit.metadata | facts_of(query, hit, shape)
    )


def facts_of(query: str, hit: Hit, shape: Shape) -> dict[str, Any]:
    """Return what a document's metadata say about a hit."""
    facts: dict[str, Any] = {}
    if shape.id_key is not None:
        facts[shape.id_key] = hit.id
    if shape.score_key is not None:
        facts[shape.score_key] = hit.relevance
    if shape.window_key is not None and hit.window is not None:
        facts[shape.window_key] = list(hit.window)
    if shape.evidence:
        facts["evidence"] = hit.quote_evidence(query)
    return facts


def document_of(passage: Passage) -> Document:
    """Make a document of a stored passage."""
    return Document(id=passage.id, page_content=passage.text, metadata=dict(passage.metadata))


def add_documents(
    retriever: Retriever, documents: Sequence[Document], ids: Sequence[str | None] | None = None
) -> list[str]:
    """Add documents in one commit, replacing those with the same id.

    Args:
        retriever: where to.
        documents: what to add.
        ids: their ids, instead of those they have; one is made up where there is none.

    Returns:
        The ids, in order.
    """
    wanted = [document.id for document in documents] if ids is None else list(ids)
    return retriever.add(
        [document.page_content for document in documents],
        ids=[uuid4().hex if id is None else id for id in wanted],
        metadata=[document.metadata for document in documents],
    )
