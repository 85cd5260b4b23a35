"""A search tool for agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.schema import NodeWithScore
from llama_index.core.tools import FunctionTool

from lfm2_colbert_rag.errors import InputError, shown

from .base import LFM2ColBERTRetriever
from .options import check_top


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
        A tool, sync and async. ``raw_output`` of its answer holds the nodes. It can be copied, and
        pickled where the index is on the disk.

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
    made = _Search(retriever, name, description, check_top(max_k, "max_k"), format)

    # A model is shown the signature of what is called, hence functions rather than methods.
    def search(query: str, k: int | None = None) -> list[NodeWithScore] | str:
        return made.search(query, k)

    async def asearch(query: str, k: int | None = None) -> list[NodeWithScore] | str:
        return await made.asearch(query, k)

    tool = _SearchTool.from_defaults(
        fn=search,
        async_fn=asearch,
        name=name,
        description=f"{description} query: what to look for; k: how many passages, at most {max_k}",
        callback=made.show,
    )
    assert isinstance(tool, _SearchTool)
    tool.made = made
    return tool


class _SearchTool(FunctionTool):
    """A tool that is made again where it is unpickled: functions and schemas cannot travel."""

    made: _Search

    def __reduce__(self) -> tuple[Callable[..., FunctionTool], tuple[Any, ...]]:
        return _make_again, (self.made,)


def _make_again(made: _Search) -> FunctionTool:
    return create_search_tool(
        made.retriever, made.name, made.description, max_k=made.max_k, format=made.format
    )


@dataclass(frozen=True)
class _Search:
    """What a tool does."""

    retriever: LFM2ColBERTRetriever
    name: str
    description: str
    max_k: int
    format: Callable[[NodeWithScore], str] | None

    def search(self, query: object, k: object) -> list[NodeWithScore] | str:
        """Return what was found, or one line that tells the model what was wrong."""
        try:
            question, retriever = self._checked(query, k)
            return retriever.retrieve(question)
        except InputError as error:
            return f"Error: {error}"

    async def asearch(self, query: object, k: object) -> list[NodeWithScore] | str:
        """Do what :meth:`search` does without blocking the event loop."""
        try:
            question, retriever = self._checked(query, k)
            return await retriever.aretrieve(question)
        except InputError as error:
            return f"Error: {error}"

    def show(self, found: Sequence[NodeWithScore] | str) -> str:
        """Return what the model reads."""
        if isinstance(found, str):
            return found
        shown_one = self.format or _show
        return "\n\n".join(shown_one(one) for one in found) or "Nothing was found."

    def _checked(self, query: object, k: object) -> tuple[str, LFM2ColBERTRetriever]:
        if isinstance(query, list) and len(query) == 1:
            (query,) = query
        if not isinstance(query, str) or not query.strip():
            what = "is empty" if isinstance(query, str) else f"is no string but {shown(query)}"
            raise InputError(f"the query {what}; ask with at least one word.")
        return query, self.retriever.with_top_k(self._count(k))

    def _count(self, k: object) -> int | None:
        """Return how many are wanted, also as models write it: ``"3"``, ``3.0``, ``"null"``."""
        if k is None or (isinstance(k, str) and k.strip().lower() in ("", "none", "null")):
            return None
        try:
            number = 0 if isinstance(k, bool) else int(k)  # type: ignore[call-overload]
        except (TypeError, ValueError, OverflowError):
            number = 0
        if not 1 <= number <= self.max_k or (isinstance(k, float) and k != number):
            raise InputError(f"k must lie between 1 and {self.max_k}, not {shown(k)}.")
        return number


def _show(found: NodeWithScore) -> str:
    content: Any = found.node.get_content()
    return f"[{found.node.node_id}] {content}"
