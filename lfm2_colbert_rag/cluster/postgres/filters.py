"""Filters as SQL: fixed pieces, and every value of the caller's a parameter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ...filters import ID_PATH, LANGUAGE_PATH, And, Comparison, Filter, Not, Or, kind_of
from ..fields import field_key, name_of
from ..plan import Selection
from .flat import as_decimal, exactly

__all__ = ["selected"]

_SYMBOLS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_ORDERED: Mapping[str, Callable[[bool, bool], bool]] = {
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}


def selected(selection: Selection, parameters: dict[str, Any]) -> str:
    """Return a selection as a condition on a row of points.

    Args:
        selection: which points.
        parameters: values by name; those of this selection are added.

    Returns:
        SQL that is never NULL.

    Example:
        >>> parameters = {}
        >>> selected(Selection(owner="acme", heads=True), parameters), parameters
        ('owner = %(p0)s AND w = 0', {'p0': 'acme'})
    """
    parts = []
    if selection.where != And(()):
        parts.append(_condition(selection.where, parameters))
    if selection.owner is not None:
        parts.append(f"owner = {_bind(parameters, selection.owner)}")
    if selection.ids is not None:
        parts.append(f"pid = ANY({_bind(parameters, list(selection.ids))}::text[])")
    if selection.heads:
        parts.append("w = 0")
    if selection.before is not None:
        parts.append(f"rev < {_bind(parameters, selection.before)}")
    return " AND ".join(parts) or "true"


def _condition(node: Filter, parameters: dict[str, Any]) -> str:
    if isinstance(node, And | Or):
        if not node.children:
            return "true" if isinstance(node, And) else "false"
        joint = " AND " if isinstance(node, And) else " OR "
        return f"({joint.join(_condition(child, parameters) for child in node.children)})"
    if isinstance(node, Not):
        return f"(NOT {_condition(node.child, parameters)})"
    if node.path[:1] == ID_PATH:
        return _of_id(node, parameters)
    if node.path == LANGUAGE_PATH:
        return _of_column(node, "lang", "lower(lang)", parameters)
    return _of_field(node, parameters)


def _of_id(node: Comparison, parameters: dict[str, Any]) -> str:
    if len(node.path) == 1:
        return _of_column(node, "pid", "folds[1]", parameters)
    own = f"substr(pid, {_bind(parameters, int(node.path[1]) + 1)}::int)"
    return _of_column(node, own, "folds[2]", parameters)


def _of_column(node: Comparison, column: str, folded: str, parameters: dict[str, Any]) -> str:
    """Translate what is asked of the id or the language, which every passage has as a string."""
    if node.operator == "$exists":
        return "true" if node.operand else "false"
    if node.operator in ("$eq", "$in"):
        return _among(column, _operands(node, "string"), parameters)
    if not isinstance(node.operand, str):
        return "false"
    return _test(node, folded if node.operator == "$icontains" else column, parameters)


def _of_field(node: Comparison, parameters: dict[str, Any]) -> str:
    key = field_key(node.path)
    if node.operator == "$exists":
        there = _holds({"p": [key]}, parameters)
        return there if node.operand else f"(NOT {there})"
    if node.operator == "$eq":
        return _equal(key, node.operand, parameters)
    if node.operator == "$in":
        return _in(key, node, parameters)
    kind = kind_of(node.operand)
    if kind == "boolean":
        compares = _ORDERED[node.operator]
        named = [name_of(one) for one in (False, True) if compares(one, node.operand)]
        return _any([_holds({"o": {key: [name]}}, parameters) for name in named])
    if kind == "null" or kind is None:
        return "false"
    part = "n" if kind == "number" else "f" if node.operator == "$icontains" else "s"
    return _some(part, key, lambda value: _test(node, value, parameters), parameters)


def _equal(key: str, operand: Any, parameters: dict[str, Any]) -> str:
    kind = kind_of(operand)
    if kind == "string":
        return _holds({"s": {key: [operand]}}, parameters)
    if kind == "number":
        return _holds({"n": {key: [exactly(operand)]}}, parameters)
    return _holds({"o": {key: [name_of(operand)]}}, parameters)


def _in(key: str, node: Comparison, parameters: dict[str, Any]) -> str:
    """Ask for one of several values: a condition a kind, however long the list is."""
    parts = []
    if strings := _operands(node, "string"):
        parts.append(_some("s", key, lambda v: _among(v, strings, parameters), parameters))
    if numbers := [as_decimal(one) for one in _operands(node, "number")]:
        parts.append(
            _some(
                "n",
                key,
                lambda v: f"{v}::numeric = ANY({_bind(parameters, numbers)}::numeric[])",
                parameters,
            )
        )
    others = {name_of(one) for kind in ("boolean", "null") for one in _operands(node, kind)}
    parts += [_holds({"o": {key: [name]}}, parameters) for name in sorted(others)]
    return _any(parts)


def _some(part: str, key: str, test: Callable[[str], str], parameters: dict[str, Any]) -> str:
    """Ask whether a test holds for one of the values that stand in a field."""
    values = f"flat -> '{part}' -> {_bind(parameters, key)}::text"
    holds = test('(e.v COLLATE "C")' if part != "n" else "e.v")
    return f"EXISTS (SELECT FROM jsonb_array_elements_text({values}) AS e(v) WHERE {holds})"


def _test(node: Comparison, value: str, parameters: dict[str, Any]) -> str:
    if node.operator in ("$contains", "$icontains"):
        return f"position({_bind(parameters, node.operand)}::text in {value}) > 0"
    symbol = _SYMBOLS[node.operator]
    if isinstance(node.operand, str):
        return f"{value} {symbol} {_bind(parameters, node.operand)}::text"
    return f"{value}::numeric {symbol} {_bind(parameters, as_decimal(node.operand))}::numeric"


def _holds(wanted: Mapping[str, Any], parameters: dict[str, Any]) -> str:
    """Ask what the index of ``flat`` answers."""
    return f"flat @> {_bind(parameters, json.dumps(wanted))}::jsonb"


def _among(value: str, wanted: list[Any], parameters: dict[str, Any]) -> str:
    return f"{value} = ANY({_bind(parameters, wanted)}::text[])"


def _any(parts: list[str]) -> str:
    return f"({' OR '.join(parts)})" if parts else "false"


def _operands(node: Comparison, kind: str) -> list[Any]:
    listed = node.operand if node.operator == "$in" else (node.operand,)
    return [one for one in listed if kind_of(one) == kind]


def _bind(parameters: dict[str, Any], value: Any) -> str:
    name = f"p{len(parameters)}"
    parameters[name] = value
    return f"%({name})s"
