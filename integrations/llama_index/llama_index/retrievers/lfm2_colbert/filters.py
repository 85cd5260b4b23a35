"""LlamaIndex's metadata filters in the core's filter language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias
from unicodedata import normalize

from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from lfm2_colbert_rag.errors import FilterError, InputError, shown
from lfm2_colbert_rag.filters import MAX_DEPTH, parse_where, settled

from .payload import NODE_KEY

Condition: TypeAlias = dict[str, Any]
Translation: TypeAlias = Callable[[str, MetadataFilter], Condition]

_SOURCE_ID = f"{NODE_KEY}.source.id"
# By these, LlamaIndex's stores let a filter name the source document.
_DOCUMENT_KEYS = ("doc_id", "document_id", "ref_doc_id")


def constraint(
    filters: MetadataFilters | None = None,
    node_ids: Iterable[str] | None = None,
    doc_ids: Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
) -> Condition | None:
    """Join all that narrows a question down.

    Args:
        filters: metadata filters.
        node_ids: only these nodes; none where it is empty.
        doc_ids: only nodes of these source documents; none where it is empty.
        where: a filter in the core's own language.

    Returns:
        One filter of the core; None where nothing is narrowed down.

    Raises:
        FilterError: a filter is malformed, or cannot be applied; or ids that are no strings.

    Example:
        >>> constraint(node_ids=["a"]), constraint(doc_ids=[]), constraint()
        ({'$id': {'$in': ['a']}}, {'_llama_index.source.id': {'$in': []}}, None)
    """
    parts: list[Condition] = [
        *([to_where(filters)] if filters else []),
        *([] if node_ids is None else [{"$id": {"$in": _ids(node_ids, "node_ids")}}]),
        *([] if doc_ids is None else [of_documents(doc_ids)]),
        *([dict(where) if isinstance(where, Mapping) else where] if where else []),
    ]
    parts = [part for part in parts if part]
    if not parts:
        return None
    joined: Condition = settled(parts[0] if len(parts) == 1 else {"$and": parts})
    parse_where(joined)  # what cannot be applied is refused here, not later
    return joined


def of_documents(doc_ids: Iterable[str]) -> Condition:
    """Match the nodes of source documents, and documents that were stored whole."""
    return {_SOURCE_ID: {"$in": _ids(doc_ids, "doc_ids")}}


def for_deletion(filters: MetadataFilters | None) -> MetadataFilters | None:
    """Return filters by which to delete.

    Raises:
        InputError: some group of them is empty, and would match whatever there is.
    """
    if filters is not None and _has_empty_group(filters):
        raise InputError(
            "the filters have a group without a condition, which matches every node. "
            "Nothing was deleted; clear() deletes everything."
        )
    return filters


def to_where(filters: MetadataFilters) -> Condition:
    """Translate a tree of metadata filters.

    A key is looked up as it is written, dots included, as LlamaIndex does; ``where`` of the
    retriever reaches into nested objects. A list matches when one of its elements does.
    ``CONTAINS``, ``ANY`` and ``ALL`` ask a list for elements, and a string for pieces. Where the
    metadata have no such key, ``doc_id``, ``document_id`` and ``ref_doc_id`` are the id of the
    source document.

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


def _ids(ids: Iterable[str], name: str) -> list[str]:
    given = list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str) else None
    if given is None or not all(isinstance(one, str) for one in given):
        raise FilterError(f"{name} must be a list of strings, not {shown(ids)}.")
    return [normalize("NFC", one) for one in given]


def _has_empty_group(filters: MetadataFilters) -> bool:
    groups = [part for part in filters.filters if isinstance(part, MetadataFilters)]
    return not filters.filters or any(map(_has_empty_group, groups))


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


def _on(translate: Translation) -> Callable[[MetadataFilter], Condition]:
    """Apply a translation to the field that a filter names."""

    def on_field(filter_: MetadataFilter) -> Condition:
        field = filter_.key.replace(".", r"\.")
        condition = translate(field, filter_)
        if filter_.key not in _DOCUMENT_KEYS:
            return condition
        own, none = {field: {"$exists": True}}, {field: {"$exists": False}}
        of_source = translate(_SOURCE_ID, filter_)
        return {"$or": [{"$and": [own, condition]}, {"$and": [none, of_source]}]}

    return on_field


def _compare(operator: str) -> Translation:
    return lambda field, filter_: {field: {operator: filter_.value}}


def _contains(field: str, filter_: MetadataFilter) -> Condition:
    return _has(field, filter_.key, filter_.value)


def _any(field: str, filter_: MetadataFilter) -> Condition:
    values = _listed(filter_)
    pieces = [_has(field, filter_.key, one) for one in values if isinstance(one, str)]
    return {"$or": [{field: {"$in": values}}, *pieces]}


def _all(field: str, filter_: MetadataFilter) -> Condition:
    # Decides when there are no values.
    present = {"$and": [{field: {"$exists": True}}, {field: {"$nin": [None]}}]}
    return {"$and": [present, *(_has(field, filter_.key, one) for one in _listed(filter_))]}


def _has(field: str, key: str, value: Any) -> Condition:
    """Match a list with such an element, and a string with such a piece."""
    if not isinstance(value, str):
        return {field: {"$eq": value}}
    is_list = {f"{NODE_KEY}.lists": {"$eq": key}}
    piece = {"$and": [{field: {"$contains": value}}, {"$not": is_list}]}
    return {"$or": [{field: {"$eq": value}}, piece]}


def _listed(filter_: MetadataFilter) -> list[Any]:
    return filter_.value if isinstance(filter_.value, list) else []


def _is_empty(field: str, filter_: MetadataFilter) -> Condition:
    missing = {field: {"$exists": False}}
    blank = {field: {"$in": [None, ""]}}
    # No comparison matches a list without elements, so nodes are stored with the keys of theirs.
    empty_list = {f"{NODE_KEY}.empty_lists": {"$eq": filter_.key}}
    return {"$or": [missing, blank, empty_list]}


_OPERATORS: Mapping[FilterOperator, Callable[[MetadataFilter], Condition]] = {
    FilterOperator.EQ: _on(_compare("$eq")),
    FilterOperator.NE: _on(_compare("$ne")),
    FilterOperator.GT: _on(_compare("$gt")),
    FilterOperator.GTE: _on(_compare("$gte")),
    FilterOperator.LT: _on(_compare("$lt")),
    FilterOperator.LTE: _on(_compare("$lte")),
    FilterOperator.IN: _on(_compare("$in")),
    FilterOperator.NIN: _on(_compare("$nin")),
    FilterOperator.CONTAINS: _on(_contains),
    FilterOperator.ANY: _on(_any),
    FilterOperator.ALL: _on(_all),
    FilterOperator.IS_EMPTY: _on(_is_empty),
    FilterOperator.TEXT_MATCH: _on(_compare("$contains")),
    FilterOperator.TEXT_MATCH_INSENSITIVE: _on(_compare("$icontains")),
}

_NEED_A_LIST = {FilterOperator.IN, FilterOperator.NIN, FilterOperator.ANY, FilterOperator.ALL}
_TEXT_MATCHES = {FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE}
