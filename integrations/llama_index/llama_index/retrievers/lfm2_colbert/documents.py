"""Documents made into nodes that have the same ids again when the same script runs again.

LlamaIndex makes up a random id for each document and each node. A script that reads its files and
indexes them would therefore store everything again each time it runs.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from llama_index.core.ingestion import run_transformations
from llama_index.core.node_parser.node_utils import default_id_func
from llama_index.core.schema import (
    BaseNode,
    Document,
    IndexNode,
    NodeRelationship,
    RelatedNodeInfo,
    TransformComponent,
)

from .payload import hash_of, storable

logger = logging.getLogger(__name__)

# ``SimpleDirectoryReader`` notes them of every file, for no model to read; the last one changes
# with the reading itself.
_DATES = ("creation_date", "last_modified_date", "last_accessed_date")


def split(
    documents: Sequence[Document],
    transformations: Sequence[TransformComponent],
    *,
    show_progress: bool = False,
) -> list[BaseNode]:
    """Make nodes of documents.

    A node whose id LlamaIndex made up gets one that depends on its document, and on its place
    there: on the id of the document and on what it holds, or only on what it holds where that id
    was made up as well. Ids that the caller gave, or a function of the caller's, stay.

    Args:
        documents: what to split; they are left as they are.
        transformations: what makes nodes of them; without any they stay whole.
        show_progress: show a progress bar.

    Returns:
        The nodes, each once. They name the documents by the ids that these have now.

    Example:
        >>> from llama_index.core.node_parser import SentenceSplitter
        >>> first, second = (
        ...     split([Document(text="Open at nine.")], [SentenceSplitter()]) for _ in range(2)
        ... )
        >>> first[0].node_id == second[0].node_id, first[0].ref_doc_id == second[0].ref_doc_id
        (True, False)
    """
    documents = clean(documents)
    nodes = run_transformations(list(documents), transformations, show_progress=show_progress)
    return _with_lasting_ids(nodes, documents, transformations)


def clean(documents: Iterable[Document]) -> list[Document]:
    """Replace the characters of documents that no index can hold; says so in the log.

    LlamaIndex itself fails on some of them before anything is stored.
    """
    cleaned, changed = [], 0
    for document in documents:
        text = document.text
        if (written := storable(text)) != text:
            document, changed = document.model_copy(), changed + 1
            document.set_content(written)
        cleaned.append(document)
    if changed:
        logger.warning(
            "%d of %d documents hold NUL characters or lone surrogates; replaced by U+FFFD.",
            *(changed, len(cleaned)),
        )
    return cleaned


def _with_lasting_ids(
    nodes: Sequence[BaseNode],
    documents: Sequence[Document],
    transformations: Sequence[TransformComponent],
) -> list[BaseNode]:
    by_id = {document.id_: document for document in documents}
    parsed = any(getattr(one, "id_func", None) is default_id_func for one in transformations)
    contents = {id: _content_of(document) for id, document in by_id.items()}
    places: Counter[str] = Counter()
    lasting: dict[str, str] = {}
    for node in nodes:
        source = node.ref_doc_id or node.node_id
        place, content = places[source], contents.get(source)
        places[source] += 1
        if content is not None and _is_made_up(node, by_id, parsed):
            lasting[node.node_id] = _digest([content, place])
    renamed = [_renamed(node, lasting, by_id) for node in nodes]
    return list({node.node_id: node for node in renamed}.values())


def _is_made_up(node: BaseNode, documents: dict[str, Document], parsed: bool) -> bool:
    if "id_" not in node.model_fields_set:
        return True
    return parsed and node.node_id not in documents and _is_random(node.node_id)


def _is_random(id: str) -> bool:
    try:
        return uuid.UUID(id).version == 4
    except ValueError:
        return False


def _content_of(document: Document) -> str:
    """Return what tells a document from others, the same in each run."""
    lasting = {
        key: sorted(map(str, value)) if isinstance(value, set | frozenset) else value
        for key, value in document.metadata.items()
        if not (key in _DATES and key in document.excluded_embed_metadata_keys)
    }
    given = document.id_ if "id_" in document.model_fields_set else None
    return _digest([given, hash_of(document.model_copy(update={"metadata": lasting}))])


def _digest(parts: list[Any]) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _renamed(node: BaseNode, lasting: dict[str, str], documents: dict[str, Document]) -> BaseNode:
    def related(info: Any) -> Any:
        if isinstance(info, list):
            return [related(one) for one in info]
        return info.model_copy(update={"node_id": lasting.get(info.node_id, info.node_id)})

    relationships: dict[NodeRelationship, RelatedNodeInfo | list[RelatedNodeInfo]] = {
        kind: info if kind == NodeRelationship.SOURCE else related(info)
        for kind, info in node.relationships.items()
    }
    update: dict[str, Any] = {"id_": lasting.get(node.node_id, node.node_id)}
    if node.node_id in lasting and node.node_id in documents:
        # A document that stayed whole is its own source, by the id that the caller knows.
        relationships[NodeRelationship.SOURCE] = node.as_related_node_info()
    if isinstance(node, IndexNode):
        update["index_id"] = lasting.get(node.index_id, node.index_id)
    return node.model_copy(update={**update, "relationships": relationships})
