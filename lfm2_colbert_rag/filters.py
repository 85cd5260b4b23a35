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

What is larger than the limits below is a :class:`~lfm2_colbert_rag.errors.FilterError`:

==================  ===========================================================================
``MAX_DEPTH``       mappings within one another, and names of one field: as deep as metadata go
``MAX_CONDITIONS``  comparisons; of mappings there may be three times as many
``MAX_OPERANDS``    values of all lists of ``$in`` and ``$nin`` together
``MAX_CHARACTERS``  of all strings and names together
==================  ===========================================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from .errors import FilterError, shown

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
MAX_DEPTH = 32
MAX_CONDITIONS = 10_000
MAX_OPERANDS = 1_000_000
# Six bytes each as JSON stay below what SQLite takes for a string.
MAX_CHARACTERS = 50_000_000

# A level of what the user writes gives two nodes at most, such as a negation and what it negates.
_MOST_NODES_DEEP = 2 * MAX_DEPTH + 2

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
    size: ClassVar[int] = 1
    depth: ClassVar[int] = 1


@dataclass(frozen=True)
class And:
    """All children hold; true without children.

    Attributes:
        children: the parts.
        size: comparisons in it, at least 1.
        depth: nodes within one another, itself included.

    Raises:
        FilterError: it would be nested too deeply.
    """

    children: tuple[Filter, ...]
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _measure(self, self.children)


@dataclass(frozen=True)
class Or:
    """At least one child holds; see :class:`And`."""

    children: tuple[Filter, ...]
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _measure(self, self.children)


@dataclass(frozen=True)
class Not:
    """The child does not hold; see :class:`And`."""

    child: Filter
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _measure(self, (self.child,))


Filter: TypeAlias = "Comparison | And | Or | Not"


def parse_where(where: Mapping[str, Any]) -> Filter:
    """Check a filter and turn it into a tree.

    Args:
        where: what the user wrote; ``{}`` matches everything.

    Returns:
        The tree, with ``$ne`` and ``$nin`` written as negations.

    Raises:
        FilterError: an unknown operator, an operand of the wrong type, a malformed nesting, or
            more of something than the limits of this module.

    Example:
        >>> parse_where({"year": {"$gte": 2024}})
        Comparison(path=('year',), operator='$gte', operand=2024)
    """
    return _Parser().mapping(where, (), 0)


def matches_everything(node: Filter) -> bool:
    """Tell whether a filter leaves no passage out, whatever they hold; ``{}`` is one.

    Example:
        >>> matches_everything(parse_where({"$and": [{}, {"$not": {"year": {"$in": []}}}]}))
        True
    """
    if isinstance(node, And):
        return all(map(matches_everything, node.children))
    if isinstance(node, Or):
        return any(map(matches_everything, node.children))
    return isinstance(node, Not) and _matches_nothing(node.child)


def _matches_nothing(node: Filter) -> bool:
    if isinstance(node, And):
        return any(map(_matches_nothing, node.children))
    if isinstance(node, Or):
        return all(map(_matches_nothing, node.children))
    if isinstance(node, Not):
        return matches_everything(node.child)
    return node.operator == "$in" and not node.operand


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
        raise FilterError(
            f"a field is named by a string such as 'maker.country', not {shown(name)}."
        )
    return _check_path(_split(name))


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


def _measure(node: And | Or | Not, children: tuple[Filter, ...]) -> None:
    """Note how large a node is: what walks through a tree later need not fear its depth."""
    depth = 1 + max((child.depth for child in children), default=0)
    if depth > _MOST_NODES_DEEP:
        raise FilterError(f"a filter is nested more than {_MOST_NODES_DEEP} nodes deep.")
    object.__setattr__(node, "size", max(1, sum(child.size for child in children)))
    object.__setattr__(node, "depth", depth)


class _Parser:
    """Reads one filter, and counts what it consists of."""

    def __init__(self) -> None:
        self._conditions = self._joints = self._operands = self._characters = 0

    def mapping(self, where: object, path: Path, depth: int) -> Filter:
        """Read the conditions of a mapping, at a path of the metadata and a depth of the filter."""
        if not isinstance(where, Mapping):
            raise FilterError(
                "a filter must be a mapping such as {'year': {'$gte': 2024}}, not "
                f"{shown(where)}."
            )
        _check_depth(depth)
        self._joint()
        children = [
            self._logic(key, value, path, depth + 1)
            if isinstance(key, str) and key in LOGIC
            else self._field(key, value, path, depth + 1)
            for key, value in where.items()
        ]
        return children[0] if len(children) == 1 else And(tuple(children))

    def _logic(self, key: str, value: object, path: Path, depth: int) -> Filter:
        if key == "$not":
            return Not(self.mapping(value, path, depth))
        if isinstance(value, str) or not isinstance(value, Sequence) or not _length(value):
            raise FilterError(f"{key} takes a non-empty list of filters, not {shown(value)}.")
        children = tuple(self.mapping(child, path, depth) for child in value)
        return And(children) if key == "$and" else Or(children)

    def _field(self, key: object, value: object, parent: Path, depth: int) -> Filter:
        if not isinstance(key, str):
            raise FilterError(f"field names are strings; got {shown(key)}.")
        is_id = (*parent, key) == ID_PATH
        if key.startswith("$") and not is_id:
            raise FilterError(
                f"{shown(key)} is no operator here. Between fields: {' '.join(LOGIC)}; "
                f"inside a field: {' '.join((*COMPARISONS, '$not'))}; for the passage's id, "
                f"outside of all fields: {ID_PATH[0]}."
            )
        self._text(key)
        path = ID_PATH if is_id else _check_path((*parent, *_split(key)))
        if not isinstance(value, Mapping):
            return self._comparison(path, "$eq", value)
        if not value:
            raise FilterError(
                f"the condition on {shown(key)} is empty; give a value or an operator."
            )
        operators = [isinstance(name, str) and name.startswith("$") for name in value]
        if is_id and not all(operators):
            raise FilterError(f"{key} is a string and takes no nested names: {shown(list(value))}.")
        if not any(operators):
            return self.mapping(value, path, depth)
        if not all(operators):
            raise FilterError(
                f"the condition on {shown(key)} mixes operators and nested names: "
                f"{shown(list(value))}."
            )
        return self._operators(path, value, depth)

    def _operators(self, path: Path, operators: Mapping[str, Any], depth: int) -> Filter:
        _check_depth(depth)
        self._joint()
        children: list[Filter] = []
        for name, operand in operators.items():
            if name == "$not":
                if not isinstance(operand, Mapping) or not operand:
                    raise FilterError(f"$not inside a field takes operators, not {shown(operand)}.")
                children.append(Not(self._operators(path, operand, depth + 1)))
            else:
                children.append(self._comparison(path, name, operand))
        return children[0] if len(children) == 1 else And(tuple(children))

    def _comparison(self, path: Path, operator: object, operand: Any) -> Filter:
        if operator not in COMPARISONS or not isinstance(operator, str):
            raise FilterError(
                f"unknown operator {shown(operator)} on {shown(field_name(path))}; "
                f"known: {' '.join((*COMPARISONS, '$not'))}."
            )
        self._conditions = _count(self._conditions + 1, MAX_CONDITIONS, "conditions", _ONE_IN)
        if operator in ("$in", "$nin"):
            operand = self._list(operator, operand)
        elif operator == "$exists":
            if not isinstance(operand, bool):
                raise FilterError(f"$exists takes True or False, not {shown(operand)}.")
        else:
            operand = self._operand(operator, operand)
        if operator in ("$ne", "$nin"):
            return Not(Comparison(path, {"$ne": "$eq", "$nin": "$in"}[operator], operand))
        return Comparison(path, operator, operand)

    def _list(self, operator: str, operand: object) -> tuple[Scalar, ...]:
        if isinstance(operand, str | bytes | bytearray | Mapping) or not isinstance(
            operand, Sequence
        ):
            raise FilterError(f"{operator} takes a list, not {shown(operand)}.")
        number = self._operands + _length(operand)
        self._operands = _count(number, MAX_OPERANDS, "values in its lists", "Ask in parts.")
        return tuple(self._scalar(one, operator) for one in operand)

    def _operand(self, operator: str, value: object) -> Scalar:
        operand = self._scalar(value, operator)
        if operator in ("$contains", "$icontains"):
            if not isinstance(operand, str):
                raise FilterError(
                    f"{operator} takes a string, not {shown(operand)}; for others use $eq."
                )
            return operand.casefold() if operator == "$icontains" else operand
        if operator not in ("$eq", "$ne") and kind_of(operand) not in ("number", "string"):
            raise FilterError(f"{operator} takes a number or a string, not {shown(operand)}.")
        return operand

    def _scalar(self, value: object, operator: str) -> Scalar:
        if type(value) is int and -MAX_INTEGER <= value <= MAX_INTEGER:
            return value  # as most of a long list are
        if isinstance(value, list | tuple | set):
            raise FilterError(
                f"{operator} takes a single value, not {shown(value)}; for any of several use $in."
            )
        if kind_of(value) is None:
            raise FilterError(
                f"{operator} takes a string, a number, a boolean or None, not "
                f"{type(value).__name__}."
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise FilterError(f"{operator} takes a finite number, not {value!r}.")
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise FilterError(f"{operator} takes integers of at most 64 bits, not {shown(value)}.")
        if isinstance(value, str):
            self._text(value)
        return value  # type: ignore[return-value]

    def _text(self, text: str) -> None:
        number = self._characters + len(text)
        self._characters = _count(number, MAX_CHARACTERS, "characters", "Ask for less of them.")
        _require_storable(text)

    def _joint(self) -> None:
        # One for the filter itself, and one for what each comparison may be wrapped in.
        most = 3 * MAX_CONDITIONS + 1
        self._joints = _count(self._joints + 1, most, "mappings", _ONE_IN)


_ONE_IN = "Write alternatives of one field as one $in, or ask in parts."


def _count(number: int, most: int, what: str, remedy: str) -> int:
    if number > most:
        raise FilterError(f"a filter may have {most:,} {what}; this one has more. {remedy}")
    return number


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FilterError(f"the filter is nested more than {MAX_DEPTH} levels deep; flatten it.")


def _check_path(path: Path) -> Path:
    if len(path) > MAX_DEPTH:
        raise FilterError(
            f"a field is named by {len(path):,} names within one another; metadata are nested at "
            f"most {MAX_DEPTH} levels deep."
        )
    return path


def _length(values: Sequence[Any]) -> int:
    try:
        return len(values)
    except OverflowError:  # a range beyond what the processor counts to
        return MAX_OPERANDS + 1


def _split(name: str) -> Path:
    r"""Split a dotted name; ``\.`` is a dot of the key itself."""
    parts = tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", name))
    for part in parts:
        if _UNREACHABLE.search(part):
            raise FilterError(
                f"the field name {shown(part)} holds a quote, a backslash or a control character, "
                "which filters cannot reach; rename the field."
            )
        _require_storable(part)
    return parts


def _require_storable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FilterError(
            f"{shown(text)} holds a lone surrogate; such text is not stored."
        ) from None
    if "\0" in text:
        raise FilterError(f"{shown(text)} holds a NUL character; such metadata is not stored.")
