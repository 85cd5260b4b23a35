"""LlamaIndex's metadata filters in the core's filter language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from lfm2_colbert_rag.errors import FilterError

from .nodes import NODE_KEY

Condition: TypeAlias = dict[str, Any]


def to_where(filters: MetadataFilters) -> Condition:
    """Translate a tree of metadata filters.

    A key is looked up as it is written, dots included, as LlamaIndex does; ``where`` of the
    retriever reaches into nested objects. A list matches when one of its elements does.

    Args:
        filters: the tree; groups may hold groups.

    Returns:
        The same condition as a ``where`` of :meth:`lfm2_colbert_rag.Retriever.search`.

    Raises:
        FilterError: an operator has no counterpart, or its value is of the wrong kind.

    Example:
        >>> to_where(MetadataFilters(filters=[MetadataFilter(key="year", value=2025)]))
        {'$and': [{'year': {'$eq': 2025}}]}
    """
    parts = [
        to_where(part) if isinstance(part, MetadataFilters) else _translate(part)
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
    if filter_.operator in _NEED_A_LIST and not isinstance(filter_.value, list):
        raise FilterError(
            f"the filter on {filter_.key!r} uses {filter_.operator.name} and therefore needs a "
            f"list as its value, not {filter_.value!r}"
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
}

_NEED_A_LIST = {FilterOperator.IN, FilterOperator.NIN, FilterOperator.ANY, FilterOperator.ALL}
