r"""Metadata filters: the mapping that users write, checked and turned into a small tree.

``{"product": "router", "year": {"$gte": 2024}, "$not": {"lang": {"$in": ["fr", "de"]}}}``

Rules, the same wherever a filter is evaluated:

* Entries of one mapping must all hold. A bare value means ``$eq``.
* A dotted name descends into nested objects: ``"maker.country"``; so does a nested mapping:
  ``{"maker": {"country": "it"}}``. A dot that belongs to the key is written ``"\."``.
* A field that holds a list matches when any of its elements does.
* ``{"title": {"$contains": "reset"}}`` looks for a piece of a string, ``$icontains`` in upper or
  lower case.
* ``$id`` stands where a field's name would, and is the passage's id:
  ``{"$id": {"$in": ["reset", "guest"]}}``.
* Numbers compare with numbers, strings with strings (by code point), booleans with booleans;
  across kinds nothing is equal, less or greater.
* A passage without the field matches only ``$ne``, ``$nin``, ``{"$exists": False}`` and ``$not``
  of what it does not match.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .errors import FilterError

Scalar: TypeAlias = "str | int | float | bool | None"
Path: TypeAlias = tuple[str, ...]

COMPARISONS = (
    *("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists"),
    *("$contains", "$icontains"),
)
ID_PATH: Path = ("$id",)
"""Where the passage's id is found; no field can be named so."""
LOGIC = ("$and", "$or", "$not")
MAX_INTEGER = 2**63 - 1

# What a stored key cannot be reached by, because SQLite's JSON paths have no escape for it.
_UNREACHABLE = re.compile(r'["\\\x00-\x1f]')
_MISSING = object()


@dataclass(frozen=True)
class Comparison:
    """One field against one operand.

    ``operator`` is one of ``$eq $gt $gte $lt $lte $in $exists $contains $icontains``; ``$ne`` and
    ``$nin`` are the negations of ``$eq`` and ``$in``. The operand of ``$icontains`` is casefolded.
    """

    path: Path
    operator: str
    operand: Any


@dataclass(frozen=True)
class And:
    """All children hold; true without children."""

    children: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    """At least one child holds."""

    children: tuple[Filter, ...]


@dataclass(frozen=True)
class Not:
    """The child does not hold."""

    child: Filter


Filter: TypeAlias = "Comparison | And | Or | Not"


def parse_where(where: Mapping[str, Any]) -> Filter:
    """Check a filter and turn it into a tree.

    Args:
        where: what the user wrote; ``{}`` matches everything.

    Returns:
        The tree, with ``$ne`` and ``$nin`` written as negations.

    Raises:
        FilterError: an unknown operator, an operand of the wrong type, or a malformed nesting.

    Example:
        >>> parse_where({"year": {"$gte": 2024}})
        Comparison(path=('year',), operator='$gte', operand=2024)
    """
    return _parse_mapping(where, ())


def matches(node: Filter, metadata: Mapping[str, Any], id: str = "") -> bool:
    """Evaluate a filter on one passage's metadata and id.

    This is the definition of what filters mean; the catalog's SQL is tested against it.
    """
    if isinstance(node, And):
        return all(matches(child, metadata, id) for child in node.children)
    if isinstance(node, Or):
        return any(matches(child, metadata, id) for child in node.children)
    if isinstance(node, Not):
        return not matches(node.child, metadata, id)
    value = id if node.path == ID_PATH else _lookup(metadata, node.path)
    if node.operator == "$exists":
        return (value is not _MISSING) == node.operand
    if value is _MISSING:
        return False
    candidates = value if isinstance(value, list) else [value]
    test = _TESTS[node.operator]
    return any(test(candidate, node.operand) for candidate in candidates)


def parse_field(name: object) -> Path:
    r"""Check a field's name as filters write it, and split it at its dots.

    Raises:
        FilterError: it is no string, an operator, or holds what filters cannot reach.

    Example:
        >>> parse_field(r"maker.country\.code")
        ('maker', 'country.code')
    """
    if not isinstance(name, str) or name.startswith("$"):
        raise FilterError(f"a field is named by a string such as 'maker.country', not {name!r}.")
    return _split(name)


def field_name(path: Path) -> str:
    r"""Write a field's name as filters do; the opposite of :func:`parse_field`."""
    return ".".join(name.replace(".", "\\.") for name in path)


def kind_of(value: object) -> str | None:
    """Name the comparable kind of a value: boolean, number, string, null; None for others."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else None


def _equal(value: Any, operand: Any) -> bool:
    return kind_of(value) == kind_of(operand) and bool(value == operand)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, operand: kind_of(value) == kind_of(operand) and compare(value, operand)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$in": lambda value, operand: any(_equal(value, one) for one in operand),
    "$gt": _ordered(lambda a, b: a > b),
    "$gte": _ordered(lambda a, b: a >= b),
    "$lt": _ordered(lambda a, b: a < b),
    "$lte": _ordered(lambda a, b: a <= b),
    "$contains": lambda value, operand: isinstance(value, str) and operand in value,
    "$icontains": lambda value, operand: isinstance(value, str) and operand in value.casefold(),
}


def _lookup(metadata: Mapping[str, Any], path: Path) -> Any:
    value: Any = metadata
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _parse_mapping(where: object, path: Path) -> Filter:
    if not isinstance(where, Mapping):
        raise FilterError(
            f"a filter must be a mapping such as {{'year': {{'$gte': 2024}}}}, not {where!r}."
        )
    children = [
        _parse_logic(key, value, path) if key in LOGIC else _parse_field(key, value, path)
        for key, value in where.items()
    ]
    return children[0] if len(children) == 1 else And(tuple(children))


def _parse_logic(key: str, value: object, path: Path) -> Filter:
    if key == "$not":
        return Not(_parse_mapping(value, path))
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise FilterError(f"{key} takes a non-empty list of filters, not {value!r}.")
    children = tuple(_parse_mapping(child, path) for child in value)
    return And(children) if key == "$and" else Or(children)


def _parse_field(key: object, value: object, parent: Path) -> Filter:
    if not isinstance(key, str):
        raise FilterError(f"field names are strings; got {key!r}.")
    is_id = (*parent, key) == ID_PATH
    if key.startswith("$") and not is_id:
        raise FilterError(
            f"{key!r} is no operator here. Between fields: {' '.join(LOGIC)}; "
            f"inside a field: {' '.join((*COMPARISONS, '$not'))}; for the passage's id, outside of "
            f"all fields: {ID_PATH[0]}."
        )
    path = ID_PATH if is_id else (*parent, *_split(key))
    if not isinstance(value, Mapping):
        return _comparison(path, "$eq", value)
    if not value:
        raise FilterError(f"the condition on {key!r} is empty; give a value or an operator.")
    operators = [isinstance(name, str) and name.startswith("$") for name in value]
    if is_id and not all(operators):
        raise FilterError(f"{key} is a string and takes no nested names: {list(value)}.")
    if not any(operators):
        return _parse_mapping(value, path)
    if not all(operators):
        raise FilterError(
            f"the condition on {key!r} mixes operators and nested names: {list(value)}."
        )
    return _parse_operators(path, value)


def _parse_operators(path: Path, operators: Mapping[str, Any]) -> Filter:
    children: list[Filter] = []
    for name, operand in operators.items():
        if name == "$not":
            if not isinstance(operand, Mapping) or not operand:
                raise FilterError(f"$not inside a field takes operators, not {operand!r}.")
            children.append(Not(_parse_operators(path, operand)))
        else:
            children.append(_comparison(path, name, operand))
    return children[0] if len(children) == 1 else And(tuple(children))


def _comparison(path: Path, operator: str, operand: Any) -> Filter:
    if operator not in COMPARISONS:
        raise FilterError(
            f"unknown operator {operator!r} on {'.'.join(path)!r}; "
            f"known: {' '.join((*COMPARISONS, '$not'))}."
        )
    if operator in ("$in", "$nin"):
        if isinstance(operand, str | Mapping) or not isinstance(operand, Sequence):
            raise FilterError(f"{operator} takes a list, not {operand!r}.")
        operand = tuple(_scalar(one, operator) for one in operand)
    elif operator == "$exists":
        if not isinstance(operand, bool):
            raise FilterError(f"$exists takes True or False, not {operand!r}.")
    else:
        operand = _operand(operator, operand)
    if operator in ("$ne", "$nin"):
        return Not(Comparison(path, {"$ne": "$eq", "$nin": "$in"}[operator], operand))
    return Comparison(path, operator, operand)


def _operand(operator: str, value: object) -> Scalar:
    operand = _scalar(value, operator)
    if operator in ("$contains", "$icontains"):
        if not isinstance(operand, str):
            raise FilterError(f"{operator} takes a string, not {operand!r}; for others use $eq.")
        return operand.casefold() if operator == "$icontains" else operand
    if operator not in ("$eq", "$ne") and kind_of(operand) not in ("number", "string"):
        raise FilterError(f"{operator} takes a number or a string, not {operand!r}.")
    return operand


def _scalar(value: object, operator: str) -> Scalar:
    if isinstance(value, list | tuple | set):
        raise FilterError(
            f"{operator} takes a single value, not {value!r}; for any of several use $in."
        )
    if kind_of(value) is None:
        raise FilterError(
            f"{operator} takes a string, a number, a boolean or None, not {type(value).__name__}."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise FilterError(f"{operator} takes a finite number, not {value!r}.")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise FilterError(f"{operator} takes integers of at most 64 bits, not {value!r}.")
    if isinstance(value, str):
        _require_storable(value)
    return value  # type: ignore[return-value]


def _split(name: str) -> Path:
    r"""Split a dotted name; ``\.`` is a dot of the key itself."""
    parts = tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", name))
    for part in parts:
        if _UNREACHABLE.search(part):
            raise FilterError(
                f"the field name {part!r} holds a quote, a backslash or a control character, "
                "which filters cannot reach; rename the field."
            )
        _require_storable(part)
    return parts


def _require_storable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FilterError(f"{text!r} holds a lone surrogate; such text is not stored.") from None
    if "\0" in text:
        raise FilterError(f"{text!r} holds a NUL character; such metadata is not stored.")
