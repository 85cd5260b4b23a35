"""The rows that match a filter, however wide and deep it is.

SQLite bounds the depth of an expression, the nesting of its parentheses and the number of its
variables. So a filter is first made as small as it gets, and where it is still large, several
statements answer its parts; sets of rows are then joined here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..filters.tree import And, Comparison, Filter, Not, Or, Path
from .filter_sql import index_source, indexed_fields, is_indexed, to_sql
from .live_rows import LiveRows
from .rows import fetch_rows

_Rows: TypeAlias = npt.NDArray[np.int64]

# What one statement is asked: four variables a comparison, where any SQLite takes 999, and some
# levels of the hundred that its parser holds.
_COMPARISONS, _DEPTH = 200, 6
# Comparisons of a part that the indexes answer by themselves, each in a statement of its own.
_ALONE = 16


@dataclass(frozen=True, eq=False)
class Matched:
    """What matches a filter in one generation.

    Attributes:
        generation: its number.
        rows: ``(n,)`` int64, ascending, read-only.
        last: the last row that was alive, matching or not; -1 where none was.
    """

    generation: int
    rows: _Rows
    last: int


def matching_rows(
    connection: sqlite3.Connection, where: Filter, live: LiveRows, known: Matched | None = None
) -> Matched:
    """Return what matches a filter.

    A passage's metadata never change, a row with other metadata taking its place. So of the rows
    that were alive in a former generation those match that matched and are still alive, and only
    those that came since are looked at.

    Args:
        connection: within a transaction, so that all statements see one state.
        where: the filter.
        live: what lives in the generation that is asked for.
        known: what matched in a former one; None where that is not known.
    """
    last = -1 if known is None else known.last
    since = live.rows[np.searchsorted(live.rows, last, side="right") :]
    # The indexes list all rows that hold a value: for a few new ones their metadata are faster.
    indexed = indexed_fields(connection) if known is None else {}
    rows = _Matching(connection, since, indexed).rows(simplified(where)) if len(since) else since
    if known is not None:
        rows = np.concatenate((_common(known.rows, live.rows), rows))
    rows.flags.writeable = False
    return Matched(live.generation, rows, live.last)


@dataclass(frozen=True)
class _Matching:
    """Looks for rows among some.

    Attributes:
        connection: see :func:`matching_rows`.
        among: ``(n,)`` the live rows from some row on, ascending; at least one.
        indexed: the numbers of the indexed fields that may help.
    """

    connection: sqlite3.Connection
    among: _Rows
    indexed: dict[Path, int]

    def rows(self, node: Filter) -> _Rows:
        """Return those that match, ascending; what is too large is asked in parts."""
        if isinstance(node, Comparison):
            return self._ask(node)
        if isinstance(node, And | Or) and not node.children:
            return self.among
        alone = node.size <= _ALONE and is_indexed(node, self.indexed)
        if not alone and node.size <= _COMPARISONS and node.depth <= _DEPTH:
            return self._ask(node)
        if isinstance(node, Not):
            child = self.rows(node.child)
            return self.among[np.isin(self.among, child, assume_unique=True, invert=True)]
        parts = [self.rows(part) for part in (node.children if alone else _bundles(node))]
        return reduce(_union if isinstance(node, Or) else _common, parts)

    def _ask(self, node: Filter) -> _Rows:
        parameters: dict[str, Any] = {"first": int(self.among[0])}
        if isinstance(node, Comparison) and is_indexed(node, self.indexed):
            source = index_source(node, parameters, self.indexed)
        else:
            source = f"passages WHERE {to_sql(node, parameters, self.indexed)}"
        found = fetch_rows(self.connection, f"{source} AND row >= :first", parameters)
        return _common(self.among, found)


def _common(one: _Rows, other: _Rows) -> _Rows:
    """Return those of some ascending rows that are among others."""
    return one[np.isin(one, other)]


def _union(one: _Rows, other: _Rows) -> _Rows:
    return np.union1d(one, other)


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
