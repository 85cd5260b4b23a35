"""Filters as SQL, and the indexes that answer them without reading every passage's metadata.

An indexed field has a row in ``filter_indexes``, and one in ``filter_values`` for each scalar that
a passage holds there: the value itself, or the elements of a list. They are written in the
transaction that adds a passage, not by a trigger, since a catalog from elsewhere must not bring
statements of its own. Both tables appear with the first index and go with the last.

SQLite finds a value by its path and looks through a list that stands there. Lists within lists, and
lists of objects on the way, are rare, and no path leads through them: a function of ours does.

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
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from ..filters.meaning import kind_of, values_at
from ..filters.strings import decomposed, fold, has_another_form
from ..filters.tree import ID_PATH, LANGUAGE_PATH, And, Comparison, Filter, Not, Or, Path
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
# What every passage has beside its metadata, always a string.
_COLUMNS = {ID_PATH: "id", LANGUAGE_PATH: "language"}
_SYMBOLS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}

_KIND = """CASE {type} WHEN 'null' THEN 'null' WHEN 'text' THEN 'string'
    WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean'
    WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' ELSE 'other' END"""
# What stands where the path leads, unless it is a list; and what lists hold, there or on the way,
# or what has its name in another normal form, which only paths with more than ASCII can have.
_VALUES = f"""
    SELECT f.field, {_KIND.format(type="json_type(new.metadata, f.path)")},
        CASE json_type(new.metadata, f.path) WHEN 'object' THEN 0
            ELSE coalesce(json_extract(new.metadata, f.path), 0) END, new.row
    FROM passages AS new, filter_indexes AS f
    WHERE {{chosen}} AND json_type(new.metadata, f.path) <> 'array'
    UNION ALL
    SELECT f.field, {_KIND.format(type="e.type")}, coalesce(e.atom, 0), new.row
    FROM passages AS new, filter_indexes AS f, json_each(
        CASE WHEN coalesce(json_type(new.metadata, f.path) = 'array',
            instr(f.path, '"."') OR length(f.path) < length(CAST(f.path AS BLOB)))
        THEN values_at(new.metadata, f.path) END
    ) AS e
    WHERE {{chosen}}"""


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
    if node.path[:1] in _COLUMNS:
        return _by_column(node, _column(node.path), parameters)
    if indexed and is_indexed(node, indexed):
        return f"row IN (SELECT row FROM {index_source(node, parameters, indexed)})"
    return _by_metadata(node, parameters)


def is_indexed(node: Filter, indexed: Mapping[Path, int]) -> bool:
    """Tell whether the indexes know all that a filter asks.

    Args:
        node: the filter.
        indexed: see :func:`to_sql`.
    """
    if isinstance(node, And | Or):
        return bool(node.children) and all(is_indexed(child, indexed) for child in node.children)
    if isinstance(node, Not):
        return is_indexed(node.child, indexed)
    # Passages without a field are found faster in their metadata than by leaving out all others.
    return node.path in indexed and (node.operator != "$exists" or bool(node.operand))


def index_source(node: Comparison, parameters: dict[str, Any], indexed: Mapping[Path, int]) -> str:
    """Return from where SQL selects the rows that an index knows to match; some several times.

    Args:
        node: of an indexed field, see :func:`is_indexed`.
        parameters: see :func:`to_sql`.
        indexed: see there.
    """
    source = f"filter_values WHERE field = {indexed[node.path]}"
    if node.operator == "$exists":
        return source
    test = _test(node, parameters)(lambda kind: f"kind = '{kind}'", "value")
    return f"{source} AND {test}"


def define_functions(connection: sqlite3.Connection) -> None:
    """Give a connection what the conditions of :func:`to_sql` call."""
    connection.create_function("fold", 1, _fold, deterministic=True)
    connection.create_function("values_at", 2, _values_at, deterministic=True)


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


def _fold(value: str | int | float | None) -> str | int | float | None:
    return fold(value) if isinstance(value, str) else value


def _values_at(metadata: str, path: str) -> str | None:
    """Return all that stands at a path, as :func:`~lfm2_colbert_rag.filters.values_at` finds it.

    Lists and objects come empty, since a filter asks no more of them than whether they are there.
    None where nothing is.
    """
    try:
        found = list(values_at(_parsed(metadata), _fields(path)))
    except (ValueError, TypeError, RecursionError):  # a catalog from elsewhere, which others judge
        return None
    kept = [type(one)() if isinstance(one, list | dict) else one for one in found]
    return json.dumps(kept) if kept else None


@lru_cache(maxsize=4)
def _parsed(metadata: str) -> Any:
    """Parse a row's metadata once for all that is asked of it; the result is only read."""
    return json.loads(metadata)


def _have_tables(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'filter_indexes'")
    return found.fetchone() is not None


def _column(path: Path) -> str:
    """Return as SQL what every passage has, without some characters at its beginning."""
    name = _COLUMNS[path[:1]]
    return f"substr({name}, {int(path[1]) + 1})" if len(path) > 1 else name


def _by_column(node: Comparison, column: str, parameters: dict[str, Any]) -> str:
    if node.operator == "$exists":
        return "1" if node.operand else "0"
    holds = _test(node, parameters)
    return holds(lambda kind: "1" if kind == "string" else "0", column)


def _by_metadata(node: Comparison, parameters: dict[str, Any]) -> str:
    path = _bind(parameters, _json_path(node.path))
    found = f"json_type(metadata, {path})"
    elsewhere = _elsewhere(node.path, path, parameters)
    if node.operator == "$exists":
        there = f"{found} IS NOT NULL"
        if elsewhere:
            there += (
                f" OR CASE WHEN {elsewhere} THEN values_at(metadata, {path}) NOTNULL ELSE 0 END"
            )
        return f"({'' if node.operand else 'NOT '}({there}))"
    holds = _test(node, parameters)
    scalar = holds(_is_json(found), f"json_extract(metadata, {path})")
    element = holds(_is_json("type"), "atom")
    deep = f"EXISTS (SELECT 1 FROM json_each(values_at(metadata, {path})) WHERE {element})"
    other = f"coalesce({scalar}, 0)"
    if elsewhere:  # each call of a function counts, of hundreds of thousands of passages
        other = (
            f"CASE WHEN {found} IS NOT NULL THEN {other} WHEN {elsewhere} THEN {deep} ELSE 0 END"
        )
    return (
        f"CASE {found} WHEN 'array' "
        f"THEN EXISTS (SELECT 1 FROM json_each(metadata, {path}) "
        f"WHERE CASE type WHEN 'array' THEN {deep} ELSE {element} END) ELSE {other} END"
    )


def _elsewhere(path: Path, bound: str, parameters: dict[str, Any]) -> str:
    """Ask whether a field may be where its path does not lead; nothing where it cannot be.

    That is so behind a list in place of an object, and where a name was stored in another normal
    form.
    """
    if any(map(has_another_form, path)):
        missing = f"json_type(metadata, {bound}) IS NULL"
        if len(path) > 1:  # each name may be in either form
            return missing
        other = _bind(parameters, _json_path(tuple(map(decomposed, path))))
        return f"{missing} AND json_type(metadata, {other}) IS NOT NULL"
    ends = [len(_json_path(path[:names])) for names in range(1, len(path))]
    tests = [f"json_type(metadata, substr({bound}, 1, {end})) = 'array'" for end in ends]
    return f"coalesce({' OR '.join(tests)}, 0)" if tests else ""


def _is_json(json_type: str) -> _IsKind:
    return lambda kind: f"{json_type} IN ({_JSON_TYPES[kind]})"


def _test(node: Comparison, parameters: dict[str, Any]) -> Callable[[_IsKind, str], str]:
    """Bind the operand, and return what compares a value with it as SQL.

    What is returned takes the value as SQL for its kind and its content, and may be called again.
    """
    if node.operator == "$in":
        return _among(node, parameters)
    if node.operator in ("$contains", "$icontains"):
        piece = _bind(parameters, node.operand)
        text = "fold({})" if node.operator == "$icontains" else "{}"
        return lambda is_kind, value: (
            f"({is_kind('string')} AND instr({text.format(value)}, {piece}) > 0)"
        )
    kind, operand = kind_of(node.operand) or "null", ""
    if node.operand is not None:
        operand = f" {_SYMBOLS[node.operator]} {_bind(parameters, node.operand)}"
    return lambda is_kind, value: f"({is_kind(kind)}{operand and f' AND {value}{operand}'})"


def _among(node: Comparison, parameters: dict[str, Any]) -> Callable[[_IsKind, str], str]:
    """One sub-select for each kind of operand, so that long lists stay short as SQL."""
    lists: dict[str, str] = {}
    for name in sorted({kind_of(operand) or "null" for operand in node.operand}):
        chosen = [operand for operand in node.operand if kind_of(operand) == name]
        values = f"(SELECT value FROM json_each({_bind(parameters, json.dumps(chosen))}))"
        lists[name] = "" if name == "null" else f" IN {values}"

    def holds(is_kind: _IsKind, value: str) -> str:
        tests = [
            f"({is_kind(name)}{listed and f' AND {value}{listed}'})"
            for name, listed in lists.items()
        ]
        return "(" + (" OR ".join(tests) or "0") + ")"

    return holds


def _json_path(path: Path) -> str:
    return "$" + "".join(f'."{name}"' for name in path)


@lru_cache(maxsize=1024)
def _fields(path: str) -> Path:
    """Undo :func:`_json_path`."""
    return tuple(re.findall(r'\."([^"]*)"', path))


def _bind(parameters: dict[str, Any], value: Any) -> str:
    name = f"p{len(parameters)}"
    parameters[name] = value
    return f":{name}"
