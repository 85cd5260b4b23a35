"""The mapping that users write, checked and turned into a tree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias, TypeGuard, cast

from ..errors import FilterError, shown, typed
from .meaning import kind_of
from .names import check_path, field_name, require_storable, split_name
from .plain import MAX_INTEGER, NoFormError, plain_form
from .strings import fold, forms
from .tree import ID_PATH, LANGUAGE_PATH, MAX_DEPTH, And, Comparison, Filter, Not, Or, Path

__all__ = [
    "COMPARISONS",
    "LIMITS",
    "LIMITS_OF_VIEWS",
    "LOGIC",
    "MAX_CHARACTERS",
    "MAX_CONDITIONS",
    "MAX_OPERANDS",
    "Limits",
    "Scalar",
    "parse_where",
]

Scalar: TypeAlias = "str | int | float | bool | None"

COMPARISONS = (
    *("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists"),
    *("$contains", "$icontains"),
)
LOGIC = ("$and", "$or", "$not")
MAX_CONDITIONS = 10_000
MAX_OPERANDS = 1_000_000
# Six bytes each as JSON stay below what SQLite takes for a string.
MAX_CHARACTERS = 50_000_000


@dataclass(frozen=True)
class Limits:
    """How large a filter may be; how deep, ``MAX_DEPTH`` says for all.

    Attributes:
        conditions: comparisons in it.
        operands: values of all its lists together.
        characters: of all its strings and names together.
    """

    conditions: int = MAX_CONDITIONS
    operands: int = MAX_OPERANDS
    characters: int = MAX_CHARACTERS


LIMITS = Limits()
"""Those of whoever opens an index."""

LIMITS_OF_VIEWS = Limits(conditions=1_000, operands=10_000, characters=1_000_000)
"""Those of a :class:`~lfm2_colbert_rag.View`, whose callers nobody may know."""


def parse_where(where: Mapping[str, Any], limits: Limits = LIMITS) -> Filter:
    """Check a filter and turn it into a tree.

    Args:
        where: what the user wrote; ``{}`` matches everything.
        limits: how large it may be.

    Returns:
        The tree, with ``$ne`` and ``$nin`` written as negations.

    Raises:
        FilterError: an unknown operator, an operand of the wrong type, a malformed nesting, or
            more of something than the limits.

    Example:
        >>> parse_where({"year": {"$gte": 2024}})
        Comparison(path=('year',), operator='$gte', operand=2024)
    """
    return _Parser(limits).mapping(where, (), 0)


class _Parser:
    """Reads one filter, and counts what it consists of."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
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
        parts = value if _is_many(value) else ()
        children = tuple(self.mapping(child, path, depth) for child in parts)
        if not children:
            raise FilterError(f"{key} takes a non-empty list of filters, not {shown(value)}.")
        return And(children) if key == "$and" else Or(children)

    def _field(self, key: object, value: object, parent: Path, depth: int) -> Filter:
        if not isinstance(key, str):
            raise FilterError(f"field names are strings; got {shown(key)}.")
        is_own = (*parent, key) in (ID_PATH, LANGUAGE_PATH)
        if key.startswith("$") and not is_own:
            raise FilterError(
                f"{shown(key)} is no operator here. Between fields: {' '.join(LOGIC)}; "
                f"inside a field: {' '.join((*COMPARISONS, '$not'))}; for the passage's id "
                f"and language, outside of all fields: {ID_PATH[0]} {LANGUAGE_PATH[0]}."
            )
        self._text(key)
        path = (key,) if is_own else check_path((*parent, *split_name(key)))
        if not isinstance(value, Mapping):
            return self._comparison(path, "$eq", value)
        if not value:
            raise FilterError(
                f"the condition on {shown(key)} is empty; give a value or an operator."
            )
        operators = [isinstance(name, str) and name.startswith("$") for name in value]
        if is_own and not all(operators):
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
        number, most = self._conditions + 1, self._limits.conditions
        self._conditions = _count(number, most, "conditions", _ONE_IN)
        if operator in ("$in", "$nin"):
            operand = self._list(operator, operand)
        elif operator == "$exists":
            wanted = _plain(operand, operator)
            if not isinstance(wanted, bool):
                raise FilterError(f"$exists takes True or False, not {shown(operand)}.")
            operand = wanted
        else:
            operand = self._operand(operator, operand)
        if operator in ("$ne", "$nin"):
            return Not(_in_all_forms(path, {"$ne": "$eq", "$nin": "$in"}[operator], operand))
        return _in_all_forms(path, operator, operand)

    def _list(self, operator: str, operand: object) -> tuple[Scalar, ...]:
        if not _is_many(operand):
            raise FilterError(f"{operator} takes a list, not {shown(operand)}.")
        most = self._limits.operands
        left = most - self._operands
        # An iterator is read here, once, and no further than a filter may be large.
        values = tuple(islice(operand, left + 1))
        number = self._operands + len(values)
        self._operands = _count(number, most, "values in its lists", "Ask in parts.")
        return tuple([self._scalar(one, operator) for one in values])

    def _operand(self, operator: str, value: object) -> Scalar:
        operand = self._scalar(value, operator)
        if operator in ("$contains", "$icontains"):
            if not isinstance(operand, str):
                raise FilterError(
                    f"{operator} takes a string, not {shown(operand)}; for others use $eq."
                )
            return fold(operand) if operator == "$icontains" else operand
        if operator not in ("$eq", "$ne") and kind_of(operand) not in ("number", "string"):
            raise FilterError(f"{operator} takes a number or a string, not {shown(operand)}.")
        return operand

    def _scalar(self, given: object, operator: str) -> Scalar:
        if type(given) is int and -MAX_INTEGER <= given <= MAX_INTEGER:
            return given  # as most of a long list are
        value = _plain(given, operator)
        if isinstance(value, float) and not math.isfinite(value):
            raise FilterError(f"{operator} takes a finite number, not {value!r}.")
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise FilterError(f"{operator} takes integers of at most 64 bits, not {shown(value)}.")
        if isinstance(value, str):
            self._text(value)
        return value

    def _text(self, text: str) -> None:
        number, most = self._characters + len(text), self._limits.characters
        self._characters = _count(number, most, "characters", "Ask for less of them.")
        require_storable(text)

    def _joint(self) -> None:
        # One for the filter itself, and one for what each comparison may be wrapped in.
        most = 3 * self._limits.conditions + 1
        self._joints = _count(self._joints + 1, most, "mappings", _ONE_IN)


_ONE_IN = "Write alternatives of one field as one $in, or ask in parts."


def _count(number: int, most: int, what: str, remedy: str) -> int:
    if number > most:
        raise FilterError(f"a filter may have {most:,} {what}; this one has more. {remedy}")
    return number


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FilterError(f"the filter is nested more than {MAX_DEPTH} levels deep; flatten it.")


def _in_all_forms(path: Path, operator: str, operand: Any) -> Filter:
    """Compare as well with what is stored in another of Unicode's normal forms."""
    if operator in ("$eq", "$in"):
        values = (operand,) if operator == "$eq" else operand
        values = tuple([form for value in values for form in forms(value)])
        single = operator == "$eq" and len(values) == 1
        return Comparison(path, "$eq", operand) if single else Comparison(path, "$in", values)
    pieces = forms(operand) if operator == "$contains" else (operand,)
    tests = tuple(Comparison(path, operator, piece) for piece in pieces)
    return tests[0] if len(tests) == 1 else Or(tests)


def _is_many(value: object) -> TypeGuard[Iterable[Any]]:
    """Tell whether a value is a list of values, in whatever iterable they are."""
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping):
        return False
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) == 1


def _plain(value: Any, operator: str) -> Scalar:
    """Return what a value is stored as where it is one of the metadata.

    Raises:
        FilterError: it would be a list or an object, is missing, or has no form in JSON.
    """
    if value is None or type(value) in (bool, int, float, str):
        return cast("Scalar", value)
    # Their subclasses, enumerations included, are what they are worth.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    try:
        plain = value if isinstance(value, list | Mapping) else plain_form(value)
    except NoFormError:
        raise FilterError(
            f"{operator} takes a string, a number, a boolean or None, not {typed(value)}."
        ) from None
    if isinstance(plain, list | Mapping):
        raise FilterError(
            f"{operator} takes a single value, not {shown(value)}; for any of several use $in."
        )
    if plain is None:
        raise FilterError(f"{operator} takes a value, not {shown(value)}; for null write None.")
    return _plain(plain, operator)
