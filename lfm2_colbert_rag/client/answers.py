"""What a server answers, checked before anything is made of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._support.safe_json import JsonError, parse_json
from ..types import Passage, ViewStats

T = TypeVar("T")

MAX_BYTES = 256 << 20
"""Bytes of an answer at most, and of a line of one that comes in lines."""


class ShapeError(ValueError):
    """An answer is of another shape. Never reaches users: callers say whose it was."""


def parse(content: bytes) -> Any:
    """Return an answer's JSON.

    Raises:
        ShapeError: it is none.
    """
    try:
        return parse_json(content)
    except JsonError as error:
        raise ShapeError(f"its answer is no JSON: {error}") from None


def item(holder: Any, name: str) -> Any:
    """Return a member of an object.

    Raises:
        ShapeError: there is none.
    """
    if not isinstance(holder, Mapping) or name not in holder:
        raise ShapeError(f"its answer has no {name!r} where there should be one")
    return holder[name]


def text(holder: Any, name: str) -> str:
    """Return a string of an object."""
    return _of(str, item(holder, name), name)


def number(holder: Any, name: str) -> float:
    """Return a number of an object."""
    value = item(holder, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(name)
    return float(value)


def whole(holder: Any, name: str) -> int:
    """Return a count of an object."""
    value = item(holder, name)
    if type(value) is not int or value < 0:
        raise _wrong(name)
    return value


def mapping(holder: Any, name: str) -> dict[str, Any]:
    """Return an object of an object."""
    return _of(dict, item(holder, name), name)


def each(holder: Any, name: str, read: Callable[[Any], T]) -> list[T]:
    """Return what a list of an object holds."""
    return [read(one) for one in _of(list, item(holder, name), name)]


def span(value: Any, end: int) -> tuple[int, int]:
    """Return a span of characters of something that has so many."""
    if not isinstance(value, list) or len(value) != 2 or {type(one) for one in value} != {int}:
        raise _wrong("span")
    if not 0 <= value[0] <= value[1] <= end:
        raise ShapeError("its answer names characters that are not there")
    return value[0], value[1]


def string(value: Any) -> str:
    """Return a value that is a string."""
    return _of(str, value, "list of strings")


def passage(value: Any) -> Passage:
    """Return a passage."""
    return Passage(text(value, "id"), text(value, "text"), mapping(value, "metadata"))


def pair(value: Any) -> tuple[str, float]:
    """Return an id with its score."""
    if not isinstance(value, list) or len(value) != 2:
        raise _wrong("ranking")
    return string(value[0]), number({"score": value[1]}, "score")


def stats(value: Any) -> ViewStats:
    """Return what an index holds."""
    languages = mapping(value, "languages")
    return ViewStats(
        **{name: whole(value, name) for name in ("passages", "windows", "vectors", "dim")},
        languages={name: whole(languages, name) for name in languages},
    )


def _of(kind: type[T], value: Any, name: str) -> T:
    if type(value) is not kind:
        raise _wrong(name)
    return value


def _wrong(name: str) -> ShapeError:
    return ShapeError(f"{name!r} of its answer is not what it should be")
