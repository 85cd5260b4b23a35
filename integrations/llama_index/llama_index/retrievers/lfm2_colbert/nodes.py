"""LlamaIndex nodes as passages of the core, and back without loss.

A passage's text is what LlamaIndex would embed. Its metadata is the node's own, under its own
keys, so that filters read naturally, and under one reserved key what else makes up the node.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast
from unicodedata import category

from llama_index.core.schema import BaseNode, ImageNode, IndexNode, MetadataMode, TextNode

from lfm2_colbert_rag import Hit, IndexOptions, Passage, public_metadata

from .core import Core, commits
from .facts import lasting
from .payload import NODE_KEY, RESOURCES, describe, rebuild

# Categories of Unicode: blanks, controls, and what is invisible, such as a byte order mark.
_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")


def split_options(options: dict[str, Any]) -> tuple[IndexOptions, dict[str, Any]]:
    """Part what an index is opened with, such as ``storage``, from the options of an adapter."""
    known = {*IndexOptions.__annotations__, "query_adapter"}
    of_index = {name: value for name, value in options.items() if name in known}
    others = {name: value for name, value in options.items() if name not in known}
    return cast("IndexOptions", of_index), others


def add_nodes(retriever: Core, nodes: Iterable[BaseNode]) -> list[str]:
    """Add nodes in one commit, on a server in commits of 1,000; the same id is replaced.

    Args:
        retriever: what does the work.
        nodes: what to add; what is blank is left out, with a warning.

    Returns:
        The ids of all the nodes, in order.
    """
    passages = [to_passage(node) for node in nodes]
    added: list[str] = []
    for part in commits(retriever, passages):
        added += retriever.add(
            [passage.text for passage in passages[part]],
            ids=[passage.id for passage in passages[part]],
            metadata=[passage.metadata for passage in passages[part]],
        )
    return added


def to_passage(node: BaseNode) -> Passage:
    r"""Turn a node into a passage.

    Args:
        node: any node; of an ``IndexNode`` everything but the live object it points to.

    Returns:
        A passage with the node's id. Its text is empty where a node is nothing but text and has
        none: metadata such as the number of a blank page do not make it worth finding.

    Example:
        >>> to_passage(TextNode(id_="1", text="Open at nine.", metadata={"floor": 2})).text
        'floor: 2\n\nOpen at nine.'
    """
    text = "" if _is_blank(node) else node.get_content(metadata_mode=MetadataMode.EMBED)
    own = lasting(node.metadata)
    return Passage(node.node_id, text, {**own, NODE_KEY: describe(node, text, own)})


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
    node = rebuild(hit)
    if node is None:
        return TextNode(id_=hit.id, text=hit.text, metadata=public_metadata(hit.metadata))
    return node


def source_of(passage: Passage) -> dict[str, Any]:
    """Say which document a passage came from; itself where nothing is known."""
    stored = passage.metadata.get(NODE_KEY)
    source = stored.get("source") if isinstance(stored, dict) else None
    return source if isinstance(source, dict) else {"id": passage.id}


def _is_blank(node: BaseNode) -> bool:
    content = node.get_content(metadata_mode=MetadataMode.NONE).strip()
    if any(category(one) not in _UNSEEN for one in content):
        return False
    return not isinstance(node, IndexNode | ImageNode) and not any(
        getattr(node, name, None) is not None for name in RESOURCES
    )
