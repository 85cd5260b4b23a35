"""Filters as SQL, and the indexes that answer them without reading every passage's metadata.

An indexed field has a row in ``filter_indexes``, and one in ``filter_values`` for each scalar that
a passage holds there: the value itself, or the elements of a list. They are written in the
transaction that adds a passage, not by a trigger, since a catalog from elsewhere must not bring
statements of its own. Both tables appear with the first index and go with the last.

=========  =======================================================================================
column     content
=========  =======================================================================================
field      which indexed field
kind       null, boolean, number or string; ``other`` says that there is a list or an object
value      the scalar as SQL compares it; 0 where the kind says all
row        the passage's row
=========  =======================================================================================
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..filters import ID_PATH, And, Comparison, Filter, Not, Or, Path, kind_of
from .schema import FILTER_TABLES

_IsKind: TypeAlias = Callable[[str], str]

_JSON_TYPES = {
    "null": "'null'",
    "boolean": "'true', 'false'",
    "number": "'integer', 'real'",
    "string": "'text'",
}
_DISAGREE = (
    "the filter indexes in the catalog disagree with the metadata of the passages. Restore the "
    "index from a backup, or build it again from the texts."
)
_SYMBOLS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}

_VALUES = """
    SELECT f.field, 'other', 0, new.row FROM passages AS new, filter_indexes AS f
    WHERE {chosen} AND json_type(new.metadata, f.path) IN ('array', 'object')
    UNION ALL
    SELECT f.field, CASE e.type WHEN 'null' THEN 'null' WHEN 'text' THEN 'string'
        WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' ELSE 'number' END,
        coalesce(e.atom, 0), new.row
    FROM passages AS new, filter_indexes AS f, json_each(new.metadata, f.path) AS e
    WHERE {chosen} AND json_type(new.metadata, f.path) <> 'object'
        AND e.type NOT IN ('array', 'object')"""


def to_sql(
    node: Filter, parameters: dict[str, Any], indexed: Mapping[Path, int] | None = None
) -> str:
    """Translate a filter to a condition on a row of passages.

    Args:
        node: the filter.
        parameters: operands by name; those of this filter are added.
        indexed: numbers of the indexed fields, see :func:`indexed_fields`.

    Returns:
        SQL that is never NULL, whatever the metadata.

    Example:
        >>> parameters = {}
        >>> to_sql(Comparison(("lang",), "$exists", True), parameters, {("lang",): 1})
        'row IN (SELECT row FROM filter_values WHERE field = 1)'
        >>> _ = to_sql(Comparison(("lang",), "$eq", "es"), parameters, {("lang",): 1})
        >>> parameters
        {'p0': 'es'}
    """
    if isinstance(node, And | Or):
        if not node.children:
            return "1"
        joint = " AND " if isinstance(node, And) else " OR "
        return "(" + joint.join(to_sql(child, parameters, indexed) for child in node.children) + ")"
    if isinstance(node, Not):
        return f"NOT {to_sql(node.child, parameters, indexed)}"
    if node.path == ID_PATH:
        return _by_id(node, parameters)
    # Passages without a field are found faster in their metadata than by leaving out all others.
    if indexed and node.path in indexed and (node.operator != "$exists" or node.operand):
        return _by_index(node, indexed[node.path], parameters)
    return _by_metadata(node, parameters)


def define_functions(connection: sqlite3.Connection) -> None:
    """Give a connection what the conditions of :func:`to_sql` call."""
    connection.create_function("casefold", 1, _casefold, deterministic=True)


def indexed_fields(connection: sqlite3.Connection) -> dict[Path, int]:
    """Return the number of each indexed field.

    It holds as long as the connection's transaction: ask and use it within one.
    """
    if not _have_tables(connection):
        return {}
    rows = connection.execute("SELECT path, field FROM filter_indexes ORDER BY path")
    return {_fields(str(path)): field for path, field in rows}


def create_index(connection: sqlite3.Connection, path: Path) -> None:
    """Index a field for all passages there are and will be; nothing happens if it is indexed."""
    for statement in FILTER_TABLES:
        connection.execute(statement)
    if path in indexed_fields(connection):
        return
    connection.execute("INSERT INTO filter_indexes (path) VALUES (?)", (_json_path(path),))
    values = _VALUES.format(chosen="f.field = :field")
    field = indexed_fields(connection)[path]
    connection.execute(f"INSERT OR IGNORE INTO filter_values {values}", {"field": field})


def index_passages(connection: sqlite3.Connection, first: int) -> None:
    """Note in the indexes what passages hold that were just added, from a row on."""
    if _have_tables(connection):
        values = _VALUES.format(chosen="new.row >= :first")
        connection.execute(f"INSERT OR IGNORE INTO filter_values {values}", {"first": first})


def drop_index(connection: sqlite3.Connection, path: Path) -> None:
    """Forget the index of a field; nothing happens if there is none."""
    field = indexed_fields(connection).get(path)
    if field is None:
        return
    connection.execute("DELETE FROM filter_values WHERE field = ?", (field,))
    connection.execute("DELETE FROM filter_indexes WHERE field = ?", (field,))
    if not indexed_fields(connection):
        connection.execute("DROP TABLE filter_values")
        connection.execute("DROP TABLE filter_indexes")


def prune_indexes(connection: sqlite3.Connection) -> None:
    """Forget the values of passages that the catalog no longer holds at all."""
    if _have_tables(connection):
        connection.execute("DELETE FROM filter_values WHERE row NOT IN (SELECT row FROM passages)")


def damaged_indexes(connection: sqlite3.Connection) -> list[str]:
    """Compare the values of indexed fields with the metadata that they are copied from."""
    if not _have_tables(connection):
        return []
    paths = connection.execute("SELECT path FROM filter_indexes").fetchall()
    if not all(isinstance(path, str) and path == _json_path(_fields(path)) for (path,) in paths):
        return [_DISAGREE]
    meant = f"SELECT * FROM ({_VALUES.format(chosen='1')})"
    held = "SELECT field, kind, value, row FROM filter_values"
    lacking = connection.execute(f"SELECT 1 FROM ({meant} EXCEPT {held}) LIMIT 1").fetchone()
    extra = connection.execute(f"SELECT 1 FROM ({held} EXCEPT {meant}) LIMIT 1").fetchone()
    if lacking is None and extra is None:
        return []
    return [_DISAGREE]


def _casefold(value: str | int | float | None) -> str | int | float | None:
    return value.casefold() if isinstance(value, str) else value


def _have_tables(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'filter_indexes'")
    return found.fetchone() is not None


def _by_id(node: Comparison, parameters: dict[str, Any]) -> str:
    if node.operator == "$exists":
        return "1" if node.operand else "0"
    return _holds(node, lambda kind: "1" if kind == "string" else "0", "id", parameters)


def _by_index(node: Comparison, field: int, parameters: dict[str, Any]) -> str:
    chosen = f"SELECT row FROM filter_values WHERE field = {field}"
    if node.operator == "$exists":
        return f"row IN ({chosen})"
    test = _holds(node, lambda kind: f"kind = '{kind}'", "value", parameters)
    return f"row IN ({chosen} AND {test})"


def _by_metadata(node: Comparison, parameters: dict[str, Any]) -> str:
    path = _bind(parameters, _json_path(node.path))
    found = f"json_type(metadata, {path})"
    if node.operator == "$exists":
        return f"({found} IS {'NOT ' if node.operand else ''}NULL)"
    scalar = _holds(node, _is_json(found), f"json_extract(metadata, {path})", parameters)
    element = _holds(node, _is_json("type"), "atom", parameters)
    return (
        f"CASE {found} WHEN 'array' "
        f"THEN EXISTS (SELECT 1 FROM json_each(metadata, {path}) WHERE {element}) "
        f"ELSE coalesce({scalar}, 0) END"
    )


def _is_json(json_type: str) -> _IsKind:
    return lambda kind: f"{json_type} IN ({_JSON_TYPES[kind]})"


def _holds(node: Comparison, is_kind: _IsKind, value: str, parameters: dict[str, Any]) -> str:
    """Compare one value, given as SQL for its kind and its content, with the operand."""
    if node.operator == "$in":
        return _is_among(node.operand, is_kind, value, parameters)
    if node.operator in ("$contains", "$icontains"):
        text = f"casefold({value})" if node.operator == "$icontains" else value
        return f"({is_kind('string')} AND instr({text}, {_bind(parameters, node.operand)}) > 0)"
    condition = is_kind(kind_of(node.operand) or "null")
    if node.operand is not None:
        condition += f" AND {value} {_SYMBOLS[node.operator]} {_bind(parameters, node.operand)}"
    return f"({condition})"


def _is_among(
    operands: Sequence[Any], is_kind: _IsKind, value: str, parameters: dict[str, Any]
) -> str:
    """One sub-select for each kind of operand, so that long lists stay short as SQL."""
    tests = []
    for name in sorted({kind_of(operand) or "null" for operand in operands}):
        test = is_kind(name)
        if name != "null":
            chosen = json.dumps([operand for operand in operands if kind_of(operand) == name])
            test += f" AND {value} IN (SELECT value FROM json_each({_bind(parameters, chosen)}))"
        tests.append(f"({test})")
    return "(" + (" OR ".join(tests) or "0") + ")"


def _json_path(path: Path) -> str:
    return "$" + "".join(f'."{name}"' for name in path)


def _fields(path: str) -> Path:
    """Undo :func:`_json_path`."""
    return tuple(re.findall(r'\."([^"]*)"', path))


def _bind(parameters: dict[str, Any], value: Any) -> str:
    name = f"p{len(parameters)}"
    parameters[name] = value
    return f":{name}"
