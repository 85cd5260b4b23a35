"""Dify's conditions on metadata as filters of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..problems import Problem
from .dify_bodies import Condition, MetadataCondition

_Make: TypeAlias = Callable[[str, Any], dict[str, Any]]

_LAST = chr(0x10FFFF)


def where_of(condition: MetadataCondition | None) -> dict[str, Any] | None:
    """Return a filter that matches what the conditions do; None where there are none.

    Raises:
        Problem: an operator that has no counterpart, or a value that it cannot have.
    """
    conditions = (condition.conditions if condition is not None else None) or []
    parts = [
        _part(one, f"$.metadata_condition.conditions[{i}]") for i, one in enumerate(conditions)
    ]
    if condition is None or not parts:
        return None
    return {f"${condition.logical_operator}": parts}


def _part(one: Condition, where: str) -> dict[str, Any]:
    operator = " ".join(one.comparison_operator.lower().split())
    make = _OPERATORS.get(operator)
    if make is None:
        known = ", ".join(_OPERATORS)
        raise Problem("invalid", errors=((where, f"Expected an operator of: {known}"),))
    if operator not in _WITHOUT_VALUE and one.value is None:
        raise Problem("invalid", errors=((where, "Expected a value"),))
    names = [one.name] if isinstance(one.name, str) else one.name
    try:
        parts = [make(name, one.value) for name in names]
    except ValueError as error:
        raise Problem("invalid", errors=((where, str(error)),)) from None
    return parts[0] if len(parts) == 1 else {"$or": parts}


def _not(make: _Make) -> _Make:
    return lambda name, value: {"$not": make(name, value)}


def _compared(operator: str) -> _Make:
    return lambda name, value: {name: {operator: _one(value)}}


def _counted(operator: str) -> _Make:
    """Compare as numbers, which Dify sends as texts at times."""
    return lambda name, value: {name: {operator: _number(value)}}


def _listed(name: str, value: Any) -> dict[str, Any]:
    values = value.split(",") if isinstance(value, str) else value
    values = values if isinstance(values, list) else [values]
    return {name: {"$in": [one.strip() if isinstance(one, str) else one for one in values]}}


def _contains(name: str, value: Any) -> dict[str, Any]:
    return {name: {"$contains": _text(value)}}


def _starts(name: str, value: Any) -> dict[str, Any]:
    text = _text(value)
    return {"$and": [{name: {"$gte": text}}, {name: {"$lte": text + _LAST}}]}


def _empty(name: str, value: Any) -> dict[str, Any]:
    return {"$or": [{name: {"$in": [None, ""]}}, {name: {"$exists": False}}]}


def _one(value: Any) -> Any:
    if isinstance(value, list):
        raise ValueError("Expected one value, not a list")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("Expected a text")
    return value


def _number(value: Any) -> int | float | str:
    """Return a number where a text is one; a date stays a text."""
    one = _one(value)
    if isinstance(one, bool) or not isinstance(one, str | int | float):
        raise ValueError("Expected a number or a date")
    if isinstance(one, str):
        for read in (int, float):
            try:
                number = read(one)
            except ValueError:
                continue
            return number if abs(number) < 2**53 else one
    return one


_EQUAL = _compared("$eq")
_OPERATORS: Mapping[str, _Make] = {
    "contains": _contains,
    "not contains": _not(_contains),
    "start with": _starts,
    "is": _EQUAL,
    "is not": _not(_EQUAL),
    "in": _listed,
    "not in": _not(_listed),
    "empty": _empty,
    "not empty": _not(_empty),
    "=": _counted("$eq"),
    "≠": _not(_counted("$eq")),
    ">": _counted("$gt"),
    "<": _counted("$lt"),
    "≥": _counted("$gte"),
    "≤": _counted("$lte"),
    "before": _counted("$lt"),
    "after": _counted("$gt"),
}
_WITHOUT_VALUE = {"empty", "not empty"}
