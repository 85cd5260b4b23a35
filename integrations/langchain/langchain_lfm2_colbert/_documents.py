"""LangChain's documents: as passages of the core, and made of its hits."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from langchain_core.documents import Document

from lfm2_colbert_rag import Hit, IndexOptions, Passage, public_metadata
from lfm2_colbert_rag.errors import ConfigError, InputError, shown

from ._core import Core, commits

logger = logging.getLogger(__name__)

T = TypeVar("T")


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
    """Part what an index is opened with (``storage``) from the options of an adapter (``k``)."""
    known = {*IndexOptions.__annotations__, "query_adapter"}
    of_index = {name: value for name, value in options.items() if name in known}
    others = {name: value for name, value in options.items() if name not in known}
    return cast("IndexOptions", of_index), others


def to_document(query: str, hit: Hit, shape: Shape) -> Document:
    """Make a document of a hit; it shares nothing with others, and callers may write into it."""
    metadata = public_metadata(hit.metadata) | facts_of(query, hit, shape)
    return Document(id=hit.id, page_content=hit.text, metadata=metadata)


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
    return Document(
        id=passage.id, page_content=passage.text, metadata=public_metadata(passage.metadata)
    )


def add_documents(
    retriever: Core,
    documents: Iterable[Document],
    ids: Iterable[str | None] | None = None,
) -> list[str]:
    """Add documents in one commit, on a server in commits of 1,000; the same id is replaced.

    Args:
        retriever: where to.
        documents: what to add.
        ids: their ids, instead of those they have; where there is none, it follows from text and
            metadata.

    Returns:
        The ids, in order, also of blank documents, which are left out.

    Raises:
        InputError: something in the input is wrong; nothing was changed.
    """
    given = listed(documents, "documents")
    for place, document in enumerate(given):
        if not isinstance(document, Document):
            raise InputError(
                f"document {place} must be a LangChain Document, not a {type(document).__name__} "
                f"({shown(document)})."
            )
    return add_texts(
        retriever,
        [document.page_content for document in given],
        [document.metadata for document in given],
        [document.id for document in given] if ids is None else ids,
    )


def add_texts(
    retriever: Core,
    texts: Iterable[str],
    metadatas: Iterable[Mapping[str, Any] | None] | None = None,
    ids: Iterable[str | None] | None = None,
) -> list[str]:
    """Add texts as :func:`add_documents` does documents."""
    given = listed(texts, "texts")
    metadata = None if metadatas is None else listed(metadatas, "metadatas")
    if metadata is not None and len(metadata) != len(given):
        raise InputError(f"{len(metadata)} metadatas for {len(given)} texts; give one for each.")
    names = None if ids is None else listed(ids, "ids")
    if names is not None and len(names) != len(given):
        raise InputError(f"{len(names)} ids for {len(given)} texts; give one for each.")
    added: list[str] = []
    for part in commits(retriever, given):
        added += retriever.add(
            given[part],
            ids=None if names is None else names[part],
            metadata=None if metadata is None else metadata[part],
        )
    return added


def delete(
    retriever: Core,
    ids: Iterable[str] | None,
    where: Mapping[str, Any] | None,
    *,
    all: bool,  # noqa: A002 - the core's name for it
    filter_name: str,
) -> int:
    """Delete documents, all of them only where that is said.

    Args:
        retriever: where from.
        ids: which ones.
        where: or what matches a filter.
        all: or all of them.
        filter_name: what the caller knows the filter as.

    Returns:
        How many were deleted.

    Raises:
        ConfigError: none of the three was given, or more than one, or a filter without conditions.
    """
    if (ids is not None) + bool(where) + bool(all) > 1:
        raise ConfigError(f"delete takes ids, {filter_name} or all=True; give only one of them.")
    if ids is None and not where and not all:
        nothing = "neither ids nor a filter" if where is None else f"{filter_name}={shown(where)}"
        raise ConfigError(
            f"delete was given {nothing}, which names no document. Give ids or {filter_name} with "
            "a condition; to delete every document, say all=True."
        )
    if ids is not None:
        deleted = retriever.delete(listed(ids, "ids"))
    else:
        deleted = retriever.delete(all=True) if all else retriever.delete(where=where)
    logger.info("Deleted %d documents; %r holds %d.", deleted, retriever, len(retriever))
    return deleted


def get_documents(retriever: Core, ids: Iterable[str]) -> list[Document]:
    """Return documents by id, in the order asked; ids that are not there are passed over."""
    # Copied, since what is asked for twice is the same passage.
    return [document_of(one).model_copy(deep=True) for one in retriever.get(listed(ids, "ids"))]


def listed(values: Iterable[T], what: str) -> list[T]:
    """Return any iterable as a list.

    Raises:
        InputError: it is a single string, mapping or document, of which the parts would be taken
            one by one; or cannot be iterated over.
    """
    if isinstance(values, str | bytes | Mapping | Document) or not isinstance(values, Iterable):
        raise InputError(f"{what} must be a list, not a {type(values).__name__} ({shown(values)}).")
    return list(values)
