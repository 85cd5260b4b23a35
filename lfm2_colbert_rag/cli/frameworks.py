"""Ask an index through the LangChain and LlamaIndex adapters, where they are installed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..retriever import Retriever

__all__ = ["ask_langchain", "ask_llama_index"]

SHOWN = 2


def ask_langchain(retriever: Retriever, question: str) -> str:
    """Return what LangChain's retriever finds, or how to install it.

    Args:
        retriever: an open index.
        question: what to ask.

    Returns:
        One line.
    """
    adapter = _import("langchain_lfm2_colbert")
    if adapter is None:
        return _advice("LangChain", "langchain")
    asked = adapter.LFM2ColBERTRetriever(retriever=retriever, k=SHOWN, score_key="relevance")
    found = [(document.id, document.metadata["relevance"]) for document in asked.invoke(question)]
    return _line("LangChain", found)


def ask_llama_index(retriever: Retriever, question: str) -> str:
    """Return what LlamaIndex's retriever finds, or how to install it.

    Args:
        retriever: an open index.
        question: what to ask.

    Returns:
        One line.
    """
    adapter = _import("llama_index.retrievers.lfm2_colbert")
    if adapter is None:
        return _advice("LlamaIndex", "llama_index")
    nodes = adapter.LFM2ColBERTRetriever(retriever=retriever, similarity_top_k=SHOWN)
    found = [(result.node.node_id, result.score) for result in nodes.retrieve(question)]
    return _line("LlamaIndex", found)


def _import(name: str) -> Any:
    # By name, because the adapters are distributions of their own, above this package.
    try:
        return import_module(name)
    except ImportError:
        return None


def _line(framework: str, found: list[tuple[str, float]]) -> str:
    results = ", ".join(f"{name} ({score:.2f})" for name, score in found)
    return f"  {framework:<12}{results}"


def _advice(framework: str, folder: str) -> str:
    # Not on PyPI as yet: from a clone of the repository.
    command = f"pip install . ./integrations/{folder}"
    return f"  {framework:<12}not installed; {command} in the repository"
