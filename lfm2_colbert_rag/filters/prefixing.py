"""Filters on ids that are stored with something before them, as those of a tenant are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .tree import ID_PATH, Comparison, Filter, Not, id_after

__all__ = ["comparisons", "with_id_prefix"]

_PIECES = ("$contains", "$icontains")


def comparisons(node: Filter) -> Iterator[Comparison]:
    """Yield all that a filter compares."""
    if isinstance(node, Comparison):
        yield node
    else:
        for child in (node.child,) if isinstance(node, Not) else node.children:
            yield from comparisons(child)


def with_id_prefix(node: Filter, prefix: str) -> Filter:
    """Return a filter that says of ids with a prefix what another says of them without it.

    Args:
        node: the other.
        prefix: what all ids begin with that it will be asked of.

    Example:
        >>> with_id_prefix(Comparison(ID_PATH, "$eq", "reset"), "acme/")
        Comparison(path=('$id',), operator='$eq', operand='acme/reset')
        >>> with_id_prefix(Comparison(ID_PATH, "$contains", "me"), "acme/")
        Comparison(path=('$id', '5'), operator='$contains', operand='me')
    """
    if not prefix:
        return node
    if isinstance(node, Not):
        return Not(with_id_prefix(node.child, prefix))
    if not isinstance(node, Comparison):
        return type(node)(tuple([with_id_prefix(child, prefix) for child in node.children]))
    if node.path != ID_PATH:
        return node
    if node.operator in _PIECES:
        return replace(node, path=id_after(len(prefix)))
    if node.operator == "$in":
        return replace(node, operand=tuple([_prefixed(one, prefix) for one in node.operand]))
    return replace(node, operand=_prefixed(node.operand, prefix))


def _prefixed(operand: Any, prefix: str) -> Any:
    return prefix + operand if isinstance(operand, str) else operand
