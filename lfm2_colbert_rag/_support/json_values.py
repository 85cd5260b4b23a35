"""Metadata as loaders, data frames and programs have them, as JSON.

============================================================  ======================================
value                                                         in JSON
============================================================  ======================================
date, datetime, time, pandas' Timestamp, NumPy's datetime64   ``isoformat()``
tuple, deque, array or series of numbers and strings          a list
set, frozenset                                                a list, sorted
UUID, Path, Decimal                                           its ``str()``
Enum                                                          its value
NumPy's and pandas' scalars                                   the number, string or boolean
NaN, infinity, NaT, pandas' NA, what NumPy masks              null
keys that are no strings                                      as JSON writes them: ``1``, ``true``
============================================================  ======================================

All else is refused by name. NumPy and pandas are known by what their objects can do, so that
neither is imported.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ..errors import InputError, shown, typed
from ..filters.plain import MAX_INTEGER, NoFormError, plain_form
from ..filters.strings import composed
from ..types import Metadata
from .characters import find_unstorable, storable

_MAX_DEPTH = 32
_NAMED = 4  # keys of a place in messages
_SOURCE = "source"
_JSON = "Use strings, numbers, booleans, None, lists and mappings"


@dataclass(frozen=True)
class JsonObject:
    """Metadata as an index keeps them.

    Attributes:
        value: a JSON object that shares nothing with what was given.
        translated: the first value that is another now, in words; None if there is none.
        replaced: the first string of which characters were replaced, in words; None likewise.
    """

    value: dict[str, Any]
    translated: str | None
    replaced: str | None


def to_json_object(metadata: Metadata, what: object, *, strict: bool = False) -> JsonObject:
    """Translate metadata to JSON; see the module's table.

    Args:
        metadata: the caller's.
        what: whose they are, for messages.
        strict: refuse whatever would not come back as it was.

    Raises:
        InputError: a value or a key without a form in JSON, two keys that become one, integers
            beyond 64 bits, or too deep a nesting. The message names what was given, and where.

    Example:
        >>> to_json_object({"on": datetime.date(2024, 1, 5), 7: (1, math.nan)}, "text 0").value
        {'on': '2024-01-05', '7': [1, None]}
    """
    reading = _Reading(what, strict)
    value = reading.mapping(metadata, (), 0)
    return JsonObject(value, reading.translated, reading.replaced)


class _Reading:
    """One passage's metadata being translated."""

    def __init__(self, what: object, strict: bool) -> None:
        self._what = what
        self._strict = strict
        self._open: set[int] = set()  # what the present value lies in
        self.translated: str | None = None
        self.replaced: str | None = None

    def mapping(self, given: Mapping[Any, Any], path: tuple[object, ...], depth: int) -> Any:
        """Translate a mapping, which lies at a path of keys and so deep."""
        self._enter(given, path, depth)
        result: dict[str, Any] = {}
        names: dict[str, object] = {}
        for key, value in given.items():
            inner = (*path, key)
            name = self._key(key, path)
            if name in result:
                raise InputError(
                    f"{self._where(path)} has the keys {shown(names[name])} and {shown(key)}, "
                    f"which are both {name!r} in JSON; rename one."
                )
            names[name] = key
            result[name] = self._value(value, inner, depth + 1)
            if name == _SOURCE and not path and isinstance(result[name], str):
                result[name] = self._source(result[name], inner)
        self._open.discard(id(given))
        return result

    def _value(self, value: object, path: tuple[object, ...], depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._string(value, path)  # type: ignore[arg-type]
        if value is None or kind is bool:
            return value
        if isinstance(value, list):
            return self._list(value, value, path, depth)
        if isinstance(value, Mapping):
            return self.mapping(value, path, depth)
        # Their subclasses, enumerations included, are what they are worth.
        if isinstance(value, str):
            return self._string(str.__str__(value), path)
        if isinstance(value, int):
            return self._integer(int.__int__(value), path)
        if isinstance(value, float):
            return self._float(float.__float__(value), path)
        return self._foreign(value, path, depth)

    def _list(
        self, holder: object, items: Iterable[object], path: tuple[object, ...], depth: int
    ) -> list[Any]:
        self._enter(holder, path, depth)
        result = [self._value(item, path, depth + 1) for item in items]
        self._open.discard(id(holder))
        return result

    def _foreign(self, value: object, path: tuple[object, ...], depth: int) -> Any:
        """Translate what is no JSON by itself."""
        if depth > _MAX_DEPTH:
            self._refuse_depth(path)
        try:
            plain = plain_form(value)
        except NoFormError:
            self._refuse(value, path)
        if self._strict:
            self._refuse(value, path)
        if isinstance(plain, list):
            result = self._list(value, plain, path, depth)
            result = _sorted(result) if isinstance(value, set | frozenset) else result
        else:
            result = self._value(plain, path, depth + 1)
        self._translate(value, result, path)
        return result

    def _string(self, value: str, path: tuple[object, ...]) -> str:
        if (odd := find_unstorable(value)) is None:
            return value
        if self._strict:
            raise InputError(f"{self._where(path)} holds {odd}; remove it.")
        self.replaced = self.replaced or f"{self._where(path)}, {odd}"
        return storable(value)

    def _source(self, value: str, path: tuple[object, ...]) -> str:
        """Let a file be known by one name, whichever way a system writes its accents."""
        result = composed(value)
        if self._strict and result != value:
            raise InputError(
                f"{self._where(path)} is {shown(value)} in decomposed letters; write "
                "unicodedata.normalize('NFC', source)."
            )
        return result  # the same to the eye, so there is nothing to tell

    def _integer(self, value: int, path: tuple[object, ...]) -> int:
        if abs(value) > MAX_INTEGER:
            raise InputError(
                f"{self._where(path)} is {shown(value)}, beyond 64 bits; store it as a string."
            )
        return value

    def _float(self, value: float, path: tuple[object, ...]) -> float | None:
        if math.isfinite(value):
            return value
        if self._strict:
            raise InputError(
                f"{self._where(path)} is {value!r}, which JSON has no word for; use None."
            )
        self._translate(value, None, path)
        return None

    def _key(self, key: object, path: tuple[object, ...]) -> str:
        if type(key) is str:
            return self._string(key, (*path, key))
        if isinstance(key, str):
            return self._string(str.__str__(key), (*path, key))
        if self._strict:
            raise InputError(f"{self._where(path)} has the key {shown(key)}; keys must be strings.")
        name = None if isinstance(key, float) and not math.isfinite(key) else key
        if not isinstance(key, tuple | frozenset):
            name = self._value(name, (*path, key), 0)
        if isinstance(name, str):
            return name
        if isinstance(name, list | dict | tuple | frozenset):
            raise InputError(
                f"{self._where(path)} has the key {shown(key)}; keys must be strings, or have one "
                "in their place, as numbers and dates have."
            )
        name = json.dumps(name)
        self._translate(key, name, (*path, key))
        return name

    def _enter(self, holder: object, path: tuple[object, ...], depth: int) -> None:
        if depth > _MAX_DEPTH or id(holder) in self._open:
            self._refuse_depth(path)
        self._open.add(id(holder))

    def _translate(self, value: object, result: object, path: tuple[object, ...]) -> None:
        if self.translated is None:
            self.translated = f"{self._where(path)} is {typed(value)}, kept as {shown(result)}"

    def _refuse_depth(self, path: tuple[object, ...]) -> NoReturn:
        raise InputError(
            f"{self._where(path)} is nested more than {_MAX_DEPTH} levels deep; flatten it."
        )

    def _refuse(self, value: object, path: tuple[object, ...]) -> NoReturn:
        raise InputError(
            f"{self._where(path)} is {typed(value)}, which is not JSON. {_JSON}; {_hint(value)}."
        ) from None

    def _where(self, path: tuple[object, ...]) -> str:
        names = [*map(shown, path)]
        if len(names) > _NAMED:
            names[_NAMED // 2 : -_NAMED // 2] = ["..."]
        return ", ".join([f"metadata of {self._what}", *names])


def _sorted(items: list[Any]) -> list[Any]:
    """Bring what has no order into one that is the same in every process."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=lambda item: (type(item).__name__, json.dumps(item)))


def _hint(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return "for bytes, their decode()"
    if isinstance(value, datetime.timedelta) or type(value).__name__ == "timedelta64":
        return "for a duration, its total_seconds()"
    if hasattr(type(value), "model_dump"):
        return "for a model of pydantic, its model_dump()"
    if hasattr(type(value), "__dataclass_fields__"):
        return "for a data class, its dataclasses.asdict()"
    if isinstance(value, datetime.date | datetime.time):
        return "for a date, its isoformat()"
    return "for another object, its str()"
