"""What a node may say about one question, beside what it says always."""

from __future__ import annotations

from collections.abc import KeysView, Mapping
from typing import Any

from llama_index.core.schema import BaseNode


class MetadataWithFacts(dict[str, Any]):
    """A node's metadata, and with them facts about the question that found it.

    LlamaIndex tells nodes apart by a hash of their text and metadata. What changes from question
    to question must not be part of it, or one node counts as several where rankings are joined.
    So the facts are there for whoever asks for one, but neither ``keys()`` nor ``str()``, of which
    the hash is made, has them.

    Example:
        >>> metadata = MetadataWithFacts({"floor": 2}, {"evidence": []})
        >>> metadata["evidence"], list(metadata.keys()), str(metadata)
        ([], ['floor'], "{'floor': 2}")
    """

    facts: frozenset[str]

    def __init__(self, metadata: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        super().__init__({**metadata, **facts})
        self.facts = frozenset(facts) | getattr(metadata, "facts", frozenset())

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Return the keys that hold for every question."""
        return self.lasting().keys()

    def __str__(self) -> str:
        """Show what holds for every question."""
        return str(self.lasting())

    def lasting(self) -> dict[str, Any]:
        """Return what holds for every question."""
        return {key: value for key, value in self.items() if key not in self.facts}


def lasting(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata without facts about a question."""
    return metadata.lasting() if isinstance(metadata, MetadataWithFacts) else metadata


def with_facts(node: BaseNode, facts: Mapping[str, Any]) -> BaseNode:
    """Write into a node's metadata what neither a model is to read nor an embedding to hold.

    Example:
        >>> from llama_index.core.schema import MetadataMode, TextNode
        >>> node = with_facts(TextNode(text="Open at nine."), {"evidence": []})
        >>> node.metadata["evidence"], node.get_content(metadata_mode=MetadataMode.LLM)
        ([], 'Open at nine.')
        >>> node.hash == TextNode(text="Open at nine.").hash
        True
    """
    if not facts:
        return node
    # A copy is not checked as an assignment is, which would make a plain dictionary of it.
    update: dict[str, Any] = {"metadata": MetadataWithFacts(node.metadata, facts)}
    for name in ("excluded_llm_metadata_keys", "excluded_embed_metadata_keys"):
        update[name] = list(dict.fromkeys([*getattr(node, name), *facts]))
    return node.model_copy(update=update)
