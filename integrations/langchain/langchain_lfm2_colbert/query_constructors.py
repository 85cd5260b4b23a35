"""What a ``SelfQueryRetriever`` understood of a question, as a filter of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from langchain_core.structured_query import (
    Comparator,
    Comparison,
    Operation,
    Operator,
    StructuredQuery,
    Visitor,
)

from lfm2_colbert_rag.errors import FilterError, shown
from lfm2_colbert_rag.filters import MAX_DEPTH

_LOGIC = {Operator.AND: "$and", Operator.OR: "$or"}
_COMPARISONS = {
    Comparator.EQ: "$eq",
    Comparator.NE: "$ne",
    Comparator.GT: "$gt",
    Comparator.GTE: "$gte",
    Comparator.LT: "$lt",
    Comparator.LTE: "$lte",
    Comparator.IN: "$in",
    Comparator.NIN: "$nin",
}


class LFM2ColBERTTranslator(Visitor):
    """Translates structured queries; pass one as ``structured_query_translator``.

    ``contain`` looks for a piece of a string, or for an element that is no string. ``like`` does
    so in upper or lower case, with or without ``%`` at the ends. Dates are compared as ISO 8601
    strings, which is how metadata hold them.

    Example:
        >>> from langchain_core.structured_query import Comparison, Comparator, StructuredQuery
        >>> newer = Comparison(comparator=Comparator.GT, attribute="year", value=2020)
        >>> query = StructuredQuery(query="resets", filter=newer, limit=None)
        >>> LFM2ColBERTTranslator().visit_structured_query(query)
        ('resets', {'filter': {'year': {'$gt': 2020}}})
    """

    # Checkers that look for Python 3.10 take the members of these enumerations for strings.
    allowed_operators = cast("Sequence[Operator]", (Operator.AND, Operator.OR, Operator.NOT))
    allowed_comparators = cast(
        "Sequence[Comparator]", (*_COMPARISONS, Comparator.CONTAIN, Comparator.LIKE)
    )

    def visit_operation(self, operation: Operation) -> dict[str, Any]:
        """Translate ``and``, ``or`` and ``not``, which is none of its arguments.

        Raises:
            FilterError: operations are nested too deeply.
        """
        _require_shallow(operation)
        parts = [argument.accept(self) for argument in operation.arguments]
        if operation.operator == Operator.NOT:
            return {"$not": parts[0] if len(parts) == 1 else {"$or": parts}}
        return {_LOGIC[operation.operator]: parts}

    def visit_comparison(self, comparison: Comparison) -> dict[str, Any]:
        """Translate one comparison.

        Raises:
            FilterError: a pattern with ``%`` in the middle.
        """
        value = _value(comparison.value)
        if comparison.comparator == Comparator.LIKE:
            return {comparison.attribute: {"$icontains": _pattern(comparison.attribute, value)}}
        if comparison.comparator == Comparator.CONTAIN:
            operator = "$contains" if isinstance(value, str) else "$eq"
            return {comparison.attribute: {operator: value}}
        return {comparison.attribute: {_COMPARISONS[comparison.comparator]: value}}

    def visit_structured_query(
        self, structured_query: StructuredQuery
    ) -> tuple[str, dict[str, Any]]:
        """Translate a query to what ``similarity_search`` takes."""
        if structured_query.filter is None:
            return structured_query.query, {}
        return structured_query.query, {"filter": structured_query.filter.accept(self)}


def _require_shallow(operation: Operation) -> None:
    """Refuse what is deeper than any filter may be, without going as deep."""
    level: list[Any] = [operation]
    for _ in range(MAX_DEPTH):
        within = [one.arguments for one in level if isinstance(one, Operation)]
        level = list({id(part): part for parts in within for part in parts}.values())
    if level:
        raise FilterError(
            f"the filter is nested more than {MAX_DEPTH} levels deep; ask with fewer operations."
        )


def _value(value: Any) -> Any:
    """Take dates out of the wrapping in which the query parser gives them."""
    if isinstance(value, dict) and value.get("type") in ("date", "datetime"):
        return value.get("date") or value.get("datetime")
    if isinstance(value, list | tuple):
        return [_value(one) for one in value]
    return value


def _pattern(attribute: str, value: Any) -> str:
    text = str(value).strip("%")
    if "%" in text:
        raise FilterError(
            f"the pattern {shown(value)} on {attribute!r} has a % in the middle; this store looks "
            "for one piece of text. Combine two with and."
        )
    return text
