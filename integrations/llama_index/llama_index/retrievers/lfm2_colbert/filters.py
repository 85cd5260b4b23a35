"""LlamaIndex's metadata filters in the core's filter language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from lfm2_colbert_rag.errors import FilterError, shown
from lfm2_colbert_rag.filters import MAX_DEPTH, parse_where

from .nodes import NODE_KEY

Condition: TypeAlias = dict[str, Any]


def constraint(
    filters: MetadataFilters | None = None,
    node_ids: Sequence[str] | None = None,
    doc_ids: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
) -> Condition | None:
    """Join all that narrows a question down; what is empty does not.

    Args:
        filters: metadata filters.
        node_ids: only these nodes.
        doc_ids: only nodes of these source documents.
        where: a filter in the core's own language.

    Returns:
        One filter of the core, or None.

    Raises:
        FilterError: a filter is malformed, or cannot be applied.

    Example:
        >>> constraint(node_ids=["a"], doc_ids=[])
        {'$id': {'$in': ['a']}}
    """
    parts: list[Condition] = [
        *([to_where(filters)] if filters else []),
        *([{"$id": {"$in": list(node_ids)}}] if node_ids else []),
        *([of_documents(doc_ids)] if doc_ids else []),
        *([dict(where)] if where else []),
    ]
    parts = [part for part in parts if part]
    if not parts:
        return None
    joined = parts[0] if len(parts) == 1 else {"$and": parts}
    parse_where(joined)  # what cannot be applied is refused here, not later
    return joined


def of_documents(doc_ids: Sequence[str]) -> Condition:
    """Match the nodes of source documents, and documents that were stored whole."""
    among = {"$in": list(doc_ids)}
    # Indexes made by early versions know only the second.
    return {"$or": [{f"{NODE_KEY}.source.id": among}, {f"{NODE_KEY}.ref_doc_id": among}]}


def to_where(filters: MetadataFilters) -> Condition:
    """Translate a tree of metadata filters.

    A key is looked up as it is written, dots included, as LlamaIndex does; ``where`` of the
    retriever reaches into nested objects. A list matches when one of its elements does.

    Args:
        filters: the tree; groups may hold groups.

    Returns:
        The same condition as a ``where`` of :meth:`lfm2_colbert_rag.Retriever.search`.

    Raises:
        FilterError: an operator has no counterpart, its value is of the wrong kind, or groups are
            nested too deeply.

    Example:
        >>> to_where(MetadataFilters(filters=[MetadataFilter(key="year", value=2025)]))
        {'$and': [{'year': {'$eq': 2025}}]}
    """
    return _group(filters, 1)


def _group(filters: MetadataFilters, depth: int) -> Condition:
    if depth > MAX_DEPTH:
        raise FilterError(f"the filters are nested more than {MAX_DEPTH} levels deep; flatten them")
    parts = [
        _group(part, depth + 1) if isinstance(part, MetadataFilters) else _translate(part)
        for part in filters.filters
    ]
    if not parts:
        return {}
    if filters.condition == FilterCondition.OR:
        return {"$or": parts}
    if filters.condition == FilterCondition.NOT:  # LlamaIndex's NOT: none of them matches
        return {"$not": {"$or": parts}}
    return {"$and": parts}


def _translate(filter_: MetadataFilter) -> Condition:
    translate = _OPERATORS.get(filter_.operator)
    if translate is None:
        supported = ", ".join(operator.name for operator in _OPERATORS)
        raise FilterError(
            f"the filter on {filter_.key!r} uses {filter_.operator.name}, which this retriever "
            f"cannot apply; it supports {supported}"
        )
    if filter_.operator in _TEXT_MATCHES and not isinstance(filter_.value, str):
        raise FilterError(
            f"the filter on {filter_.key!r} uses {filter_.operator.name} and therefore needs a "
            f"string as its value, not {shown(filter_.value)}"
        )
    if filter_.operator in _NEED_A_LIST and not isinstance(filter_.value, list):
        raise FilterError(
            f"the filter on {filter_.key!r} uses {filter_.operator.name} and therefore needs a "
            f"list as its value, not {shown(filter_.value)}"
        )
    return translate(filter_)


def _field(filter_: MetadataFilter, condition: Condition) -> Condition:
    return {filter_.key.replace(".", r"\."): condition}


def _compare(operator: str) -> Callable[[MetadataFilter], Condition]:
    return lambda filter_: _field(filter_, {operator: filter_.value})


def _all(filter_: MetadataFilter) -> Condition:
    values = filter_.value if isinstance(filter_.value, list) else []
    present = _field(filter_, {"$exists": True})  # decides when there are no values
    return {"$and": [present, *(_field(filter_, {"$eq": value}) for value in values)]}


def _is_empty(filter_: MetadataFilter) -> Condition:
    missing = _field(filter_, {"$exists": False})
    blank = _field(filter_, {"$in": [None, ""]})
    # No comparison matches a list without elements, so nodes are stored with the keys of theirs.
    empty_list = {f"{NODE_KEY}.empty_lists": {"$eq": filter_.key}}
    return {"$or": [missing, blank, empty_list]}


_OPERATORS: Mapping[FilterOperator, Callable[[MetadataFilter], Condition]] = {
    FilterOperator.EQ: _compare("$eq"),
    FilterOperator.NE: _compare("$ne"),
    FilterOperator.GT: _compare("$gt"),
    FilterOperator.GTE: _compare("$gte"),
    FilterOperator.LT: _compare("$lt"),
    FilterOperator.LTE: _compare("$lte"),
    FilterOperator.IN: _compare("$in"),
    FilterOperator.NIN: _compare("$nin"),
    # The core compares a list element by element, which is what these three ask for.
    FilterOperator.CONTAINS: _compare("$eq"),
    FilterOperator.ANY: _compare("$in"),
    FilterOperator.ALL: _all,
    FilterOperator.IS_EMPTY: _is_empty,
    FilterOperator.TEXT_MATCH: _compare("$contains"),
    FilterOperator.TEXT_MATCH_INSENSITIVE: _compare("$icontains"),
}

_NEED_A_LIST = {FilterOperator.IN, FilterOperator.NIN, FilterOperator.ANY, FilterOperator.ALL}
_TEXT_MATCHES = {FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE}
