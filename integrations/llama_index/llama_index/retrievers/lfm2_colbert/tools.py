"""A search tool for agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.schema import NodeWithScore
from llama_index.core.tools import FunctionTool

from lfm2_colbert_rag.errors import ConfigError, InputError

from .base import LFM2ColBERTRetriever


def create_search_tool(
    retriever: LFM2ColBERTRetriever,
    name: str,
    description: str,
    *,
    max_k: int = 20,
    format: Callable[[NodeWithScore], str] | None = None,  # noqa: A002
) -> FunctionTool:
    """Make a tool with which an agent searches.

    LlamaIndex's own ``RetrieverTool`` puts the word "input" before the question, which late
    interaction would search for as well. Here the question arrives as it is; the model may say how
    many passages it wants; each begins with its id, so that answers can cite it; and what the
    model gets wrong is told to it instead of ending the run.

    Args:
        retriever: what to search; its filters always hold.
        name: the tool's name.
        description: what can be found with it, for the model.
        max_k: how many passages the model may ask for at most.
        format: what the model sees of a passage; its id and text when left out.

    Returns:
        A tool, sync and async. ``raw_output`` of its answer holds the nodes.

    Raises:
        ConfigError: a ``max_k`` below 1.

    Example:
        >>> from llama_index.core.schema import TextNode
        >>> nodes = [TextNode(id_="hours", text="The library opens at nine.")]
        >>> retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash")
        >>> tool = create_search_tool(retriever, "rules", "House rules of the library.")
        >>> tool.call(query="When does it open?", k=1).content
        '[hours] The library opens at nine.'
    """
    if max_k < 1:
        raise ConfigError(f"max_k must be at least 1, not {max_k}.")
    show_one = format or _show

    def search(query: str, k: int | None = None) -> list[NodeWithScore] | str:
        try:
            return retriever.with_top_k(_checked(k, max_k)).retrieve(query)
        except InputError as error:
            return f"Error: {error}"

    async def asearch(query: str, k: int | None = None) -> list[NodeWithScore] | str:
        try:
            return await retriever.with_top_k(_checked(k, max_k)).aretrieve(query)
        except InputError as error:
            return f"Error: {error}"

    def show(found: Sequence[NodeWithScore] | str) -> str:
        if isinstance(found, str):
            return found
        return "\n\n".join(show_one(one) for one in found) or "Nothing was found."

    return FunctionTool.from_defaults(
        fn=search,
        async_fn=asearch,
        name=name,
        description=f"{description} query: what to look for; k: how many passages, at most {max_k}",
        callback=show,
    )


def _checked(k: int | None, max_k: int) -> int | None:
    if k is not None and not 1 <= k <= max_k:
        raise InputError(f"k must lie between 1 and {max_k}, not {k}.")
    return k


def _show(found: NodeWithScore) -> str:
    content: Any = found.node.get_content()
    return f"[{found.node.node_id}] {content}"
