"""Filters on attributes of OpenAI's vector stores as filters of ours."""

from __future__ import annotations

from typing import Any

from ..problems import Problem

_COMPARISONS = {name: f"${name}" for name in ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin")}
_DEEPEST = 16


def where_of(filters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a filter of ours that matches what one of OpenAI's does; None for None.

    Raises:
        Problem: it is none; the message says where and what was expected.

    Example:
        >>> where_of({"type": "gte", "key": "year", "value": 2024})
        {'year': {'$gte': 2024}}
    """
    return None if filters is None else _filter(filters, "$.filters", 0)


def _filter(given: Any, where: str, depth: int) -> dict[str, Any]:
    if not isinstance(given, dict) or depth > _DEEPEST:
        raise _wrong(where, f"Expected an object, within at most {_DEEPEST} others")
    kind = given.get("type")
    if kind in ("and", "or"):
        parts = given.get("filters")
        if not isinstance(parts, list) or not parts:
            raise _wrong(where, "Expected a list `filters` that is not empty")
        found = [_filter(one, f"{where}.filters[{i}]", depth + 1) for i, one in enumerate(parts)]
        return {f"${kind}": found}
    if not isinstance(kind, str) or kind not in _COMPARISONS:
        known = ", ".join((*_COMPARISONS, "and", "or"))
        raise _wrong(where, f"Expected a `type` of: {known}")
    key, value = given.get("key"), given.get("value")
    if not isinstance(key, str) or not key:
        raise _wrong(where, "Expected a `key`")
    return {key: {_COMPARISONS[kind]: _operand(kind, value, where)}}


def _operand(kind: str, value: Any, where: str) -> Any:
    if kind in ("in", "nin"):
        if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
            return value
        raise _wrong(where, "Expected a list of texts or numbers as `value`")
    if isinstance(value, str | int | float):
        return value
    raise _wrong(where, "Expected a text, a number or a truth value as `value`")


def _wrong(where: str, said: str) -> Problem:
    return Problem("invalid", errors=((where, said),))
