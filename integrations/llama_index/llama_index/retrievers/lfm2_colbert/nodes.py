"""LlamaIndex nodes as passages of the core, and back without loss.

A passage's text is what LlamaIndex would embed. Its metadata is the node's own, under its own
keys, so that filters read naturally, and under one reserved key the whole node.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, cast

from llama_index.core.schema import BaseNode, Document, IndexNode, MetadataMode, TextNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from lfm2_colbert_rag import Hit, IndexOptions, Passage

logger = logging.getLogger(__name__)

NODE_KEY = "_llama_index"
"""Metadata key of a passage that holds its node."""


def split_options(options: dict[str, Any]) -> tuple[IndexOptions, dict[str, Any]]:
    """Part the options of an index, such as ``storage``, from those of an adapter."""
    known = IndexOptions.__annotations__
    of_index = {name: value for name, value in options.items() if name in known}
    others = {name: value for name, value in options.items() if name not in known}
    return cast("IndexOptions", of_index), others


def to_passage(node: BaseNode) -> Passage:
    r"""Turn a node into a passage.

    Args:
        node: any node; of an ``IndexNode`` everything but the live object it points to.

    Returns:
        A passage with the node's id.

    Example:
        >>> to_passage(TextNode(id_="1", text="Open at nine.", metadata={"floor": 2})).text
        'floor: 2\n\nOpen at nine.'
    """
    if isinstance(node, IndexNode):
        node = node.model_copy(update={"obj": None})  # may be a live index, which is no JSON
    stored = node_to_metadata_dict(node)
    own: dict[str, Any] = node.model_dump(mode="json")["metadata"]
    payload = {
        "_node_content": stored["_node_content"],
        "_node_type": stored["_node_type"],
        "node_id": node.node_id,
        "ref_doc_id": node.ref_doc_id,
        "source": _source(node),
        "empty_lists": [key for key, value in own.items() if value == []],
    }
    text = node.get_content(metadata_mode=MetadataMode.EMBED)
    return Passage(node.node_id, text, _source_keys(node) | own | {NODE_KEY: payload})


def to_node(hit: Hit | Passage) -> BaseNode:
    """Turn a hit back into the node that was stored.

    Args:
        hit: a hit on any passage, also one that was not added through LlamaIndex; or the passage.

    Returns:
        A new node; for a passage from elsewhere, a ``TextNode`` of its id, text and metadata.

    Example:
        >>> to_node(Hit("1", 9.0, 0.9, "Open at nine.", {"floor": 2})).metadata
        {'floor': 2}
    """
    payload = hit.metadata.get(NODE_KEY)
    if not isinstance(payload, dict):
        return TextNode(id_=hit.id, text=hit.text, metadata=dict(hit.metadata))
    if payload["_node_type"] == Document.class_name():
        # LlamaIndex's own reader would make it a TextNode.
        return Document.from_json(payload["_node_content"])
    return metadata_dict_to_node(payload)


def with_facts(node: BaseNode, facts: Mapping[str, Any]) -> BaseNode:
    """Write into a node's metadata what neither a model is to read nor an embedding to hold.

    Example:
        >>> node = with_facts(TextNode(text="Open at nine."), {"evidence": []})
        >>> node.metadata, node.get_content(metadata_mode=MetadataMode.LLM)
        ({'evidence': []}, 'Open at nine.')
    """
    node.metadata.update(facts)
    for excluded in (node.excluded_llm_metadata_keys, node.excluded_embed_metadata_keys):
        excluded.extend(name for name in facts if name not in excluded)
    return node


def with_text(nodes: Iterable[BaseNode]) -> list[BaseNode]:
    """Leave out nodes without text, such as those of an empty file; says so in the log."""
    nodes = list(nodes)
    kept = [node for node in nodes if node.get_content(metadata_mode=MetadataMode.EMBED).strip()]
    if len(kept) < len(nodes):
        logger.warning("%d of %d nodes have no text; left out.", len(nodes) - len(kept), len(nodes))
    return kept


def _source(node: BaseNode) -> dict[str, Any]:
    """Say which document a node came from, and what that looked like; else the node itself."""
    source = node.source_node
    if source is None:
        return {"id": node.node_id, "hash": node.hash}
    return {"id": source.node_id, "hash": source.hash}


def _source_keys(node: BaseNode) -> dict[str, Any]:
    # The keys by which LlamaIndex's stores let a filter name the source document.
    if node.ref_doc_id is None:
        return {}
    return dict.fromkeys(("document_id", "doc_id", "ref_doc_id"), node.ref_doc_id)
