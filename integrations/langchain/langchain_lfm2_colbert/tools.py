"""A search tool for agents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import index
from typing import Annotated, Any

from langchain_core.documents import Document
from langchain_core.prompts import BasePromptTemplate, PromptTemplate, format_document
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from lfm2_colbert_rag import why_nothing
from lfm2_colbert_rag.errors import ConfigError, FilterError, InputError, shown
from lfm2_colbert_rag.filters import COMPARISONS, And, Filter, Not, Or, field_name, parse_where

from ._questions import asks_nothing, check_count
from .retrievers import LFM2ColBERTRetriever

_ID = "passage_id"
_ABSENT = ("", "null", "none")
_PROMPT = PromptTemplate.from_template("[{" + _ID + "}] {page_content}")


def create_search_tool(
    retriever: LFM2ColBERTRetriever,
    name: str,
    description: str,
    *,
    fields: Mapping[str, str] | None = None,
    max_k: int = 20,
    document_prompt: BasePromptTemplate[str] = _PROMPT,
    document_separator: str = "\n\n",
) -> BaseTool:
    """Make a tool with which a model searches.

    Beyond LangChain's ``create_retriever_tool``, the model may say how many passages it wants and,
    if ``fields`` name some, filter them; the documents come along as the artifact of the tool's
    message; each text begins with its id, so that answers can cite it; and what the model gets
    wrong is told to it, in one line, instead of ending the run. A filter of the retriever's own
    always holds: the model can narrow it down and not get around it.

    Args:
        retriever: what to search; ``k`` and the other options count where the model sets none.
        name: the tool's name.
        description: what can be found with it, for the model.
        fields: metadata fields by which the model may filter, and what they mean.
        max_k: how many passages the model may ask for at most.
        document_prompt: what the model sees of a document; ``passage_id`` is its id.
        document_separator: what stands between two documents.

    Returns:
        A tool with ``response_format="content_and_artifact"``, sync and async.

    Raises:
        ConfigError: a ``max_k`` below 1, or ``fields`` without their meanings.

    Example:
        >>> retriever = LFM2ColBERTRetriever.from_texts(
        ...     ["The library opens at nine."], ids=["hours"], model="hash"
        ... )
        >>> tool = create_search_tool(retriever, "rules", "House rules of the library.")
        >>> tool.invoke({"query": "When does it open?", "k": 1})
        '[hours] The library opens at nine.'
    """
    most, known = _check_most(max_k), _check_fields(fields or {})
    search = _Search(retriever, known, most, document_prompt, document_separator)
    return _make_tool(search, {"name": name, "description": description.strip()})


@dataclass(frozen=True)
class _Search:
    """What the tool does when it is called."""

    retriever: LFM2ColBERTRetriever
    fields: Mapping[str, str]
    max_k: int
    prompt: BasePromptTemplate[str]
    separator: str

    def run(
        self,
        query: str,
        k: int | None = None,
        where: dict[str, Any] | None = None,
        config: RunnableConfig | None = None,
    ) -> tuple[str, list[Document]]:
        """Search; what the model got wrong is told to it."""
        with _telling():
            documents = self.retriever.invoke(query, config, **self._options(k, where))
        return self._show(query, where, documents), documents

    async def arun(
        self,
        query: str,
        k: int | None = None,
        where: dict[str, Any] | None = None,
        config: RunnableConfig | None = None,
    ) -> tuple[str, list[Document]]:
        """Do the same without blocking the event loop."""
        with _telling():
            documents = await self.retriever.ainvoke(query, config, **self._options(k, where))
        return await asyncio.to_thread(self._show, query, where, documents), documents

    def _options(self, k: int | None, where: dict[str, Any] | None) -> dict[str, Any]:
        chosen: dict[str, Any] = {} if k is None else {"k": k}
        if where:
            _require_known(where, self.fields)
            own = self.retriever.where
            chosen["where"] = {"$and": [own, where]} if own else where
        return chosen

    def _show(self, query: str, where: dict[str, Any] | None, documents: list[Document]) -> str:
        shown = [format_document(_with_id(document), self.prompt) for document in documents]
        return self.separator.join(shown) or f"Nothing was found.{self._reason(query, where)}"

    def _reason(self, query: str, where: dict[str, Any] | None) -> str:
        if asks_nothing(query, where or self.retriever.where):
            return " The query is blank; ask with at least one word."
        # What a filter of the retriever's own hides must not be told of.
        if where and not self.retriever.where and not self.retriever.retriever.count(where):
            return f" {why_nothing(self.retriever.retriever, where)}"
        return ""


class _SearchTool(StructuredTool):
    """A tool that other processes can be given: the class of its arguments is made there again."""

    def __reduce__(self) -> tuple[Any, ...]:
        search = getattr(self.func, "__self__", None)
        own = {
            name: getattr(self, name) for name in type(self).model_fields if name not in _DERIVED
        }
        return _make_tool, (search, own)


_DERIVED = ("func", "coroutine", "args_schema")


def _make_tool(search: _Search, options: dict[str, Any]) -> _SearchTool:
    return _SearchTool(
        func=search.run,
        coroutine=search.arun,
        args_schema=_arguments(search.fields, search.max_k),
        **{
            "response_format": "content_and_artifact",
            "handle_tool_error": True,
            "handle_validation_error": _in_one_line,
            **options,
        },
    )


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise ToolException(str(error)) from error


def _in_one_line(error: Any) -> str:
    """Tell a model what is wrong with its arguments."""
    faults = [
        f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
        + ("" if one["type"] in ("missing", "extra_forbidden") else f", not {shown(one['input'])}")
        for one in error.errors(include_url=False)
    ]
    return f"The search was not made. {'; '.join(faults)}. Call it again."


def _check_most(max_k: object) -> int:
    try:
        return check_count(max_k, "max_k")
    except InputError as error:
        raise ConfigError(str(error)) from None


def _check_fields(fields: object) -> dict[str, str]:
    if not isinstance(fields, Mapping):
        raise ConfigError(
            "fields must be a mapping of names to what they mean, for the model, such as "
            f"{{'year': 'when it was printed'}}, not {shown(fields)}."
        )
    return dict(fields)


def _read_number(value: object) -> object:
    """Read what models write for a number, or for none."""
    if isinstance(value, str):
        return None if value.strip().lower() in _ABSENT else value
    try:
        return value if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        return value


def _read_filter(value: object) -> object:
    """Read a filter that a model wrote as a string of JSON."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() in _ABSENT:
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _arguments(fields: Mapping[str, str], max_k: int) -> type[BaseModel]:
    arguments: dict[str, Any] = {
        "query": (str, Field(description="what to look for, as a question or in keywords")),
        "k": (
            Annotated[int | None, BeforeValidator(_read_number)],
            Field(default=None, ge=1, le=max_k, description="how many passages to return"),
        ),
    }
    if fields:
        meanings = "; ".join(f"{name}: {meaning}" for name, meaning in fields.items())
        arguments["where"] = (
            Annotated[dict[str, Any] | None, BeforeValidator(_read_filter)],
            Field(
                default=None,
                description=(
                    'filter on metadata, such as {"field": "value"} or {"field": {"$gte": 3}}, '
                    f"with {' '.join(COMPARISONS)} $and $or $not. Fields are {meanings}."
                ),
            ),
        )
    return create_model("SearchArguments", __config__=ConfigDict(extra="forbid"), **arguments)


def _with_id(document: Document) -> Document:
    return Document(
        document.page_content, id=document.id, metadata=document.metadata | {_ID: document.id}
    )


def _require_known(where: dict[str, Any], fields: Mapping[str, str]) -> None:
    unknown = sorted({name for name in _names(parse_where(where)) if name not in fields})
    if unknown:
        raise FilterError(
            f"there is no field {', '.join(map(repr, unknown))} to filter by; "
            f"there are {', '.join(map(repr, fields)) or 'none'}."
        )


def _names(node: Filter) -> list[str]:
    if isinstance(node, Not):
        return _names(node.child)
    if isinstance(node, And | Or):
        return [name for child in node.children for name in _names(child)]
    return [field_name(node.path)]
