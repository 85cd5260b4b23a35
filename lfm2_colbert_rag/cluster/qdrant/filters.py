"""Filters in the words of Qdrant, asked of what :mod:`..fields` laid out flat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..._support.extras import require
from ...errors import FilterError
from ...filters import ID_PATH, LANGUAGE_PATH, And, Comparison, Filter, Not, Or, field_name, kind_of
from ..fields import EXACT, field_key, name_of
from ..plan import Selection

# Where a point keeps what filters ask for.
ID, WINDOW, REV, LANGUAGE, OWNER = "pid", "w", "rev", "lang", "owner"
STRINGS, NUMBERS, OTHERS, PRESENT = "s", "n", "o", "p"

_RANGES = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_ORDERED: dict[str, Callable[[bool, bool], bool]] = {
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}


def models() -> Any:
    """Return the module of Qdrant's data classes.

    Raises:
        MissingExtraError: the ``qdrant`` extra is not installed.
    """
    return require("qdrant_client.models", extra="qdrant")


def selected(selection: Selection) -> Any | None:
    """Return a selection as a filter of Qdrant; None where it leaves nothing out.

    Raises:
        FilterError: Qdrant cannot answer it; the message names the operator.
    """
    m = models()
    must = [] if selection.where == And(()) else [_condition(m, selection.where)]
    if selection.owner is not None:
        must.append(_one_of(m, OWNER, [selection.owner]))
    if selection.ids is not None:
        must.append(_one_of(m, ID, selection.ids))
    if selection.heads:
        must.append(m.FieldCondition(key=WINDOW, match=m.MatchValue(value=0)))
    if selection.before is not None:
        must.append(m.FieldCondition(key=REV, range=m.Range(lt=selection.before)))
    return m.Filter(must=must) if must else None


def _condition(m: Any, node: Filter) -> Any:
    if isinstance(node, And):
        return m.Filter(must=[_condition(m, child) for child in node.children])
    if isinstance(node, Or):
        return _any_of(m, [_condition(m, child) for child in node.children])
    if isinstance(node, Not):
        return m.Filter(must_not=[_condition(m, node.child)])
    if node.path[:1] == ID_PATH:
        return _of_passage(m, ID, node)
    if node.path == LANGUAGE_PATH:
        return _of_passage(m, LANGUAGE, node)
    return _of_field(m, field_key(node.path), node)


def _of_passage(m: Any, key: str, node: Comparison) -> Any:
    """Translate what is asked of the id or the language, which every passage has as a string."""
    if node.operator == "$exists":
        return m.Filter(must=[]) if node.operand else _nothing(m)
    if node.operator in ("$eq", "$in"):
        wanted = node.operand if node.operator == "$in" else (node.operand,)
        return _one_of(m, key, [one for one in wanted if isinstance(one, str)])
    if isinstance(node.operand, str):
        raise _refused(node)
    return _nothing(m)


def _of_field(m: Any, key: str, node: Comparison) -> Any:
    if node.operator == "$exists":
        present = _one_of(m, PRESENT, [key])
        return present if node.operand else m.Filter(must_not=[present])
    if node.operator in ("$eq", "$in"):
        wanted = node.operand if node.operator == "$in" else (node.operand,)
        return _any_of(m, list(_equals(m, key, wanted, node)))
    kind = kind_of(node.operand)
    if node.operator not in _RANGES or kind == "string":
        raise _refused(node)
    if kind == "number":
        limits = {_RANGES[node.operator]: _number(node.operand, node)}
        return m.FieldCondition(key=f"{NUMBERS}.{key}", range=m.Range(**limits))
    if kind == "boolean":
        holds = _ORDERED[node.operator]
        names = [name_of(one) for one in (False, True) if holds(one, node.operand)]
        return _one_of(m, f"{OTHERS}.{key}", names)
    return _nothing(m)


def _equals(m: Any, key: str, wanted: Iterable[Any], node: Comparison) -> Iterable[Any]:
    """Yield what holds where a field is one of some values: a condition a kind."""
    listed = list(wanted)
    strings = [one for one in listed if isinstance(one, str)]
    others = [name_of(one) for one in listed if one is None or isinstance(one, bool)]
    if strings:
        yield _one_of(m, f"{STRINGS}.{key}", strings)
    if others:
        yield _one_of(m, f"{OTHERS}.{key}", others)
    for one in listed:
        if kind_of(one) == "number":
            number = _number(one, node)
            yield m.FieldCondition(key=f"{NUMBERS}.{key}", range=m.Range(gte=number, lte=number))


def _number(value: float, node: Comparison) -> float:
    if isinstance(value, int) and abs(value) > EXACT:
        raise FilterError(
            f"{field_name(node.path)} {node.operator} {value}: Qdrant compares numbers up to "
            f"{EXACT:,} exactly. Keep larger ones as strings."
        )
    return float(value)


def _one_of(m: Any, key: str, values: Sequence[str]) -> Any:
    if not values:
        return _nothing(m)
    return m.FieldCondition(key=key, match=m.MatchAny(any=list(dict.fromkeys(values))))


def _any_of(m: Any, conditions: list[Any]) -> Any:
    # An empty "should" would match everything.
    return m.Filter(should=conditions) if conditions else _nothing(m)


def _nothing(m: Any) -> Any:
    """Return what no point matches."""
    return m.HasIdCondition(has_id=[])


def _refused(node: Comparison) -> FilterError:
    what = {"$contains": "looks for pieces of strings", "$icontains": "looks for pieces of strings"}
    why = what.get(node.operator, "orders strings")
    return FilterError(
        f"{field_name(node.path)} {node.operator}: an index in Qdrant never {why}. Ask for whole "
        "strings with $eq or $in, and keep what is to be ordered, such as dates, as numbers."
    )
