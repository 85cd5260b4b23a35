"""Arguments of tools as models write them, read as what they plainly mean, or refused in one line.

Models send ``"5"`` for 5, ``""`` for nothing, a list or an object as JSON in a string, one id where
a list is asked for, and the names that other tools have for the same argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from .._support.safe_json import JsonError, parse_json
from ..errors import InputError, shown

__all__ = ["read_arguments"]

_Reader: TypeAlias = Callable[[Any, str], Any]

# Other tools' names for the same.
_OTHER_NAMES = {
    "k": "limit top_k topK n n_results num_results max_results count size number",
    "where": "filter filters",
    "query": "question q text",
    "ids": "id passage_ids doc_ids",
    "offset": "start skip",
}
_ALIASES = {other: name for name, others in _OTHER_NAMES.items() for other in others.split()}
_STRINGS_WITHIN = 3  # how often JSON is taken out of a string


def read_arguments(tool: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a tool in their own types; those that are not there are left out.

    Args:
        tool: its name; the arguments of one that is not known are left as they are.
        given: what a client sent.

    Raises:
        InputError: an argument that the tool does not have, or a value that means nothing. Where
            the query may be missing, the search itself says so.

    Example:
        >>> read_arguments("search", {"query": "reset", "limit": "3", "where": ""})
        {'query': 'reset', 'k': 3}
    """
    readers = _TOOLS.get(tool)
    if readers is None:
        return dict(given)
    read: dict[str, Any] = {}
    for name, value in given.items():
        known = name if name in readers else _ALIASES.get(name, name)
        if _is_absent(value, known):
            continue
        if known not in readers:
            raise InputError(f"{tool} has no argument {shown(name)}; {_takes(readers)}.")
        if known in read:
            raise InputError(f"{known} is given twice, once as {shown(name)}; give it once.")
        read[known] = readers[known](value, known)
    return read


def _takes(readers: Mapping[str, _Reader]) -> str:
    *names, last = readers or ("no arguments",)
    return f"it takes {', '.join(names)}{' and ' if names else ''}{last}"


def _is_absent(value: Any, name: str) -> bool:
    if not isinstance(value, str):
        return value is None
    word = value.strip()
    return not word or (word in ("null", "None") and name in ("k", "where", "offset"))


def _read_query(value: Any, name: str) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        raise InputError(f"{name} is one question, not {len(value)}; call search once for each.")
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text such as 'How do I reset it?', not {shown(value)}.")
    return value


def _read_number(value: Any, name: str) -> int:
    number = value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = None
    if isinstance(number, float):
        number = int(number) if number.is_integer() else None
    if isinstance(number, bool) or not isinstance(number, int):
        raise InputError(f"{name} must be a whole number such as 5, not {shown(value)}.")
    return number


def _read_where(value: Any, name: str) -> dict[str, Any]:
    where = _unwrapped(value, name)
    if isinstance(where, list) and len(where) == 1:
        where = where[0]
    if not isinstance(where, dict):
        raise InputError(
            f'{name} must be an object such as {{"year": {{"$gte": 2024}}}}, not {shown(value)}.'
        )
    return where


def _read_ids(value: Any, name: str) -> list[str]:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", '"'):
        with suppress(JsonError):  # then it is an id that begins like that
            value = parse_json(value)
    ids = value if isinstance(value, list) else [value]
    ids = [str(one) if type(one) is int else one for one in ids]
    for one in ids:
        if not isinstance(one, str):
            raise InputError(
                f"{name} must be a list of texts such as ['reset'], and has {shown(one)}."
            )
    return list(dict.fromkeys(one for one in ids if one.strip()))


def _unwrapped(value: Any, name: str) -> Any:
    """Take JSON out of the string it was written into, perhaps more than once."""
    for _ in range(_STRINGS_WITHIN):
        if not isinstance(value, str):
            break
        try:
            value = parse_json(value)
        except JsonError as error:
            raise InputError(f"{name} is a string that holds no JSON ({error}).") from None
    return value


_TOOLS: dict[str, dict[str, _Reader]] = {
    "search": {"query": _read_query, "k": _read_number, "where": _read_where},
    "fetch": {"ids": _read_ids, "offset": _read_number},
    "stats": {},
}
