"""Filters that are asked more than once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from .parsing import MAX_OPERANDS
from .tree import MAX_DEPTH

__all__ = ["settled"]

# A level of a filter is a mapping, and a list of them.
_DEPTH = 2 * MAX_DEPTH + 2


def settled(where: Any) -> Any:
    """Return a filter that can be read again and again: its iterators are read here.

    Whoever keeps a filter, or checks it before it is asked, needs that; a search reads it once.

    Args:
        where: a filter; what is none is returned as it is, and refused where it is asked.

    Example:
        >>> settled({"$id": {"$in": (id for id in "ab")}})
        {'$id': {'$in': ['a', 'b']}}
    """
    return _settled(where, 0, {})


def _settled(part: Any, depth: int, known: dict[int, tuple[Any, Any]]) -> Any:
    if depth > _DEPTH or not isinstance(part, Mapping | list | tuple | Iterator):
        return part  # what is deeper, the filter's limits refuse
    if id(part) in known:  # so that what is there many times is read once
        return known[id(part)][1]
    if isinstance(part, Mapping):
        copy: dict[Any, Any] = {}
        known[id(part)] = part, copy  # the part, too, so that no other gets its id
        copy.update((key, _settled(value, depth + 1, known)) for key, value in part.items())
        return copy
    items: list[Any] = []
    known[id(part)] = part, items
    items.extend(_settled(one, depth + 1, known) for one in islice(part, MAX_OPERANDS + 1))
    return items
