"""What a passage's id, text and metadata do not say of the node that it was made of.

Nothing is stored twice: a node's text is a part of the passage's, its metadata are there, and so
are those of its relationships where they are the same. What is as in any new node is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any
from unicodedata import normalize

from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    IndexNode,
    MetadataMode,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)

from lfm2_colbert_rag import Hit, Passage, plain_metadata
from lfm2_colbert_rag.errors import InputError

NODE_KEY = "_llama_index"
"""Metadata key of a passage that holds what else its node consists of."""

RESOURCES = ("image_resource", "audio_resource", "video_resource")
"""Fields of a node that are no text."""

# Of a class and its bases, the first; a class of the user's own comes back as the nearest of these.
_KINDS: tuple[type[BaseNode], ...] = (
    *(ImageDocument, Document, Node),
    *(IndexNode, ImageNode, TextNode),
)
_BY_NAME = {kind.class_name(): kind for kind in _KINDS}
# None of these is one of the node's own fields: they lie elsewhere in the passage, or are not kept.
_ELSEWHERE = ("id_", "embedding", "metadata", "relationships", "class_name")
_SOURCE = NodeRelationship.SOURCE.value
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def describe(node: BaseNode, text: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a node.

    Args:
        node: the node.
        text: the text of its passage.
        own: the metadata of its passage.

    Returns:
        A JSON object, as far as the metadata are one, from which :func:`rebuild` makes the node.
    """
    kind = next((kind for kind in _KINDS if isinstance(node, kind)), TextNode)
    fields, content = _fields(node, kind)
    source = node.source_node
    payload: dict[str, Any] = {
        "kind": kind.class_name(),
        "fields": fields,
        "source": {"id": normalize("NFC", node.node_id if source is None else source.node_id)},
    }
    if source is not None:
        payload["source"]["hash"] = source.hash
    elif isinstance(node, Document):
        payload["source"]["hash"] = hash_of(node)
    if content is not None:
        payload["text"] = _part(content, text)
    if node.relationships:
        payload["relationships"] = {
            kind.value: _stored(related, own) for kind, related in node.relationships.items()
        }
        _leave_out_source(payload)
    if NODE_KEY in own:
        payload["metadata"] = own
    # No comparison matches a list without elements, nor tells a list from its only element.
    lists = {key: value for key, value in own.items() if _is_list(value)}
    if lists:
        payload["lists"] = list(lists)
    if empty := [key for key, value in lists.items() if not len(value)]:
        payload["empty_lists"] = empty
    return payload


def rebuild(passage: Hit | Passage) -> BaseNode | None:
    """Make the node that a passage was made of; None for a passage from elsewhere."""
    payload = passage.metadata.get(NODE_KEY)
    if not isinstance(payload, dict) or payload.get("kind") not in _BY_NAME:
        return None
    own = payload.get("metadata")
    if own is None:
        own = {key: value for key, value in passage.metadata.items() if key != NODE_KEY}
    fields = {"id_": passage.id, **payload.get("fields", {}), "metadata": own}
    fields["relationships"] = _relationships(payload, own)
    if "text" in payload:
        text = _join(payload["text"], passage.text)
        if "text_resource" in fields:
            fields["text_resource"]["text"] = text
        else:
            fields["text"] = text
    return _BY_NAME[payload["kind"]](**fields)


def storable(text: str) -> str:
    """Replace the characters that no index can hold, NUL and lone surrogates, as the core does."""
    if _UNSTORABLE.search(text) is None:
        return text
    return str(plain_metadata({"text": text})["text"])


def hash_of(node: BaseNode) -> str:
    """Return a node's hash, also where its text holds what has no bytes."""
    if isinstance(node, Node) and node.text_resource is not None:
        text = node.text_resource.text or ""
        if (written := storable(text)) != text:
            node = node.model_copy()
            node.set_content(written)
    return node.hash


def _fields(node: BaseNode, kind: type[BaseNode]) -> tuple[dict[str, Any], str | None]:
    """Return what differs from a new node of its kind, and the text by itself."""
    dumped = _dumped(node)
    content = dumped.pop("text", None)
    if isinstance(node, Node):
        for name in RESOURCES:
            resource = getattr(node, name)
            if resource is not None and resource.data is not None:
                dumped[name]["data"] = resource.data.decode("ascii")  # which LlamaIndex leaves out
        content = node.text_resource.text if node.text_resource is not None else None
        if content is not None:
            dumped["text_resource"].pop("text")
    elif content is None:
        content = node.get_content(metadata_mode=MetadataMode.NONE)
    new = _new_fields(kind.class_name())
    fields = {
        name: _present(value)
        for name, value in dumped.items()
        if name not in _ELSEWHERE and not (name in new and value == new[name])
    }
    if normalize("NFC", node.node_id) != node.node_id:
        fields["id_"] = node.node_id  # the core knows it by the normal form
    return fields, content


def _dumped(node: BaseNode) -> dict[str, Any]:
    update: dict[str, Any] = {"metadata": {}, "relationships": {}, "embedding": None}
    if isinstance(node, IndexNode):
        update["obj"] = None  # may be a live index, which is no JSON
    try:
        dumped: dict[str, Any] = node.model_copy(update=update).model_dump(mode="json")
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"the node {node.node_id!r} cannot be written as JSON: {reason}") from None
    return dumped


@cache
def _new_fields(class_name: str) -> dict[str, Any]:
    """Return the fields of a node of which nothing is said."""
    kind = _BY_NAME[class_name]
    made = kind(index_id="") if kind is IndexNode else kind()
    new: dict[str, Any] = made.model_dump(mode="json")
    new.pop("index_id", None)
    return new


def _present(value: Any) -> Any:
    """Leave out what a resource does not say."""
    if isinstance(value, dict):
        return {key: one for key, one in value.items() if one is not None}
    return value


def _part(content: str, text: str) -> Any:
    """Say where in a passage's text a node's stands; the text itself where it does not.

    Templates put it behind the metadata, and strip the blanks at its ends. Where the core is going
    to replace characters, places may shift.
    """
    inner = content.strip()
    start = text.find(inner) if inner and _UNSTORABLE.search(text) is None else -1
    if start < 0:
        return content
    end, (before, after) = start + len(inner), content.split(inner, 1)
    return [before, start, end, after] if before or after else [start, end]


def _join(part: Any, text: str) -> str:
    """Return the text that :func:`_part` described."""
    if isinstance(part, str):
        return part
    if len(part) == 2:
        return text[slice(*part)]
    before, start, end, after = part
    return f"{before}{text[start:end]}{after}"


def _stored(related: Any, own: Mapping[str, Any]) -> Any:
    """Describe a relationship; None stands for metadata that are the node's own."""
    if isinstance(related, list):
        return [_stored(one, own) for one in related]
    described = related.model_copy(update={"metadata": {}}).model_dump(mode="json")
    stored = {key: described[key] for key in ("node_id", "node_type", "hash") if described[key]}
    if _same(related.metadata, own):
        return {**stored, "metadata": None} if own else stored
    return {**stored, "metadata": related.metadata} if related.metadata else stored


def _leave_out_source(payload: dict[str, Any]) -> None:
    """Forget of the source's relationship what is known of the source."""
    related = payload["relationships"].get(_SOURCE)
    if isinstance(related, dict):
        for name, key in (("node_id", "id"), ("hash", "hash")):
            if related.get(name) == payload["source"].get(key):
                related.pop(name, None)


def _relationships(payload: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    def related(stored: Any) -> Any:
        if isinstance(stored, list):
            return [related(one) for one in stored]
        if "metadata" in stored and stored["metadata"] is None:
            stored = {**stored, "metadata": deepcopy(own)}
        return RelatedNodeInfo(**stored)

    described = dict(payload.get("relationships", {}))
    if isinstance(described.get(_SOURCE), dict):
        source = payload["source"]
        known = {"node_id": source["id"], "hash": source.get("hash")}
        described[_SOURCE] = known | described[_SOURCE]
    return {NodeRelationship(kind): related(one) for kind, one in described.items()}


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Tell whether two mappings are alike: same values, of the same types, in the same order."""
    try:
        return bool(first == second) and repr(first) == repr(second)
    except (TypeError, ValueError):  # arrays have no single truth
        return False


def _is_list(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping)
