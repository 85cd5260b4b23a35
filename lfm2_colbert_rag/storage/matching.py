"""The rows that match a filter, however wide and deep it is.

SQLite bounds the depth of an expression, the nesting of its parentheses and the number of its
variables. So a filter is first made as small as it gets, and where it is still large, several
statements answer its parts; sets of rows are then joined here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..filters.tree import And, Comparison, Filter, Not, Or, Path
from .filter_sql import indexed_fields, to_sql
from .schema import ALIVE

_Rows: TypeAlias = npt.NDArray[np.int64]

# What one statement is asked: four variables a comparison, where any SQLite takes 999, and some
# levels of the hundred that its parser holds.
_COMPARISONS, _DEPTH = 200, 6


def matching_rows(connection: sqlite3.Connection, where: Filter, generation: int) -> _Rows:
    """Return the ascending live rows of a generation whose metadata match a filter.

    Args:
        connection: within a transaction, so that all statements see one state.
        where: the filter.
        generation: whose rows.
    """
    indexed = indexed_fields(connection)
    return _Matching(connection, generation, indexed).rows(simplified(where))


@dataclass(frozen=True)
class _Matching:
    """Asks one generation of a catalog."""

    connection: sqlite3.Connection
    generation: int
    indexed: dict[Path, int]

    def rows(self, node: Filter) -> _Rows:
        """Return the ascending live rows that match; what is too large is asked in parts."""
        if isinstance(node, Comparison) or (node.size <= _COMPARISONS and node.depth <= _DEPTH):
            return self._ask(node)
        if isinstance(node, Not):
            return np.setdiff1d(self._all, self.rows(node.child), assume_unique=True)
        parts = map(self.rows, _bundles(node))
        if isinstance(node, Or):
            return np.unique(np.concatenate(list(parts)))
        return reduce(lambda one, other: np.intersect1d(one, other, assume_unique=True), parts)

    @cached_property
    def _all(self) -> _Rows:
        return self._ask(And(()))

    def _ask(self, node: Filter) -> _Rows:
        parameters: dict[str, Any] = {"generation": self.generation}
        condition = to_sql(node, parameters, self.indexed)
        found = self.connection.execute(
            f"SELECT row FROM passages WHERE {ALIVE} AND {condition} ORDER BY row", parameters
        )
        return np.fromiter((row for (row,) in found), dtype=np.int64)


def _bundles(node: And | Or) -> Iterator[Filter]:
    """Yield parts whose rows, joined, are those of the node; small ones together."""
    bundle: list[Filter] = []
    size = 0
    for child in node.children:
        if child.size > _COMPARISONS or child.depth >= _DEPTH:
            yield child
            continue
        if size + child.size > _COMPARISONS:
            yield type(node)(tuple(bundle))
            bundle, size = [], 0
        bundle.append(child)
        size += child.size
    if bundle:
        yield type(node)(tuple(bundle))


def simplified(node: Filter) -> Filter:
    """Return a smaller filter that matches the same.

    Joints within joints of their kind go, and what alternatives ask of one field becomes one list.

    Example:
        >>> year = lambda number: Comparison(("year",), "$eq", number)
        >>> simplified(Or((year(1), Or((year(2), year(3))))))
        Comparison(path=('year',), operator='$in', operand=(1, 2, 3))
    """
    if isinstance(node, Not):
        child = simplified(node.child)
        return child.child if isinstance(child, Not) else Not(child)
    if isinstance(node, Comparison):
        return node
    children = [
        part
        for child in map(simplified, node.children)
        for part in (child.children if isinstance(child, type(node)) else (child,))
    ]
    children = _with_lists(children, negated=isinstance(node, And))
    return children[0] if len(children) == 1 else type(node)(tuple(children))


def _with_lists(children: list[Filter], *, negated: bool) -> list[Filter]:
    """Ask once what several ask of the same field: that it is one of some values, or none."""
    kept: list[Filter] = []
    lists: dict[Path, list[Any]] = {}
    for child in children:
        inner = child.child if negated and isinstance(child, Not) else child
        if (
            isinstance(inner, Comparison)
            and inner.operator in ("$eq", "$in")
            and isinstance(child, Not) == negated
        ):
            values = (inner.operand,) if inner.operator == "$eq" else inner.operand
            lists.setdefault(inner.path, []).extend(values)
        else:
            kept.append(child)
    for path, values in lists.items():
        single = len(values) == 1
        one = Comparison(path, "$eq" if single else "$in", values[0] if single else tuple(values))
        kept.append(Not(one) if negated else one)
    return kept
