"""JSON: lines of objects, and files of one value."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from .._support.lines import parse_object
from .._support.safe_json import JsonError, parse_json
from ..errors import InputError
from .encodings import open_text, read_whole
from .options import DEFAULTS, ReadOptions
from .records import Odd, Section, SourceFile
from .rows import Columns, to_section

__all__ = ["read_json", "read_jsonl"]

_WANTED = (
    "Wanted are a list of objects with a text each, one such object, or an object that holds such "
    "a list."
)


_BARE = Columns(("text",))


def read_jsonl(file: SourceFile, options: ReadOptions = DEFAULTS) -> Iterator[Section | Odd]:
    """Read a passage a line; blank lines are left out.

    Args:
        file: the file.
        options: how it is read.

    Raises:
        InputError: it is no text.
        OSError: it cannot be read.
    """
    with open_text(file, newline=None) as stream:
        yield from _lines(stream, options.columns)


def read_json(file: SourceFile, options: ReadOptions = DEFAULTS) -> Iterator[Section | Odd]:
    """Read a list of objects or of texts, a single object, or an object that holds such a list.

    What is named ``.json`` and holds JSON Lines is read as these.

    Args:
        file: the file.
        options: how it is read.

    Raises:
        InputError: it is no JSON, or holds no texts where they are looked for.
        OSError: it cannot be read.
    """
    with open_text(file, newline=None) as stream:
        text = read_whole(stream)
    try:
        value = parse_json(text)
    except JsonError as error:
        first = text.lstrip().partition("\n")[0]
        if not _is_object(first):
            raise InputError(f"not JSON ({error}).") from None
        yield from _lines(io.StringIO(text), options.columns)
        return
    if isinstance(value, dict):
        value = _list_in(value, options.columns)
    if isinstance(value, dict):
        yield to_section(value, options.columns.find(value), "")
        return
    if not isinstance(value, list):
        raise InputError(f"it holds {value!r:.40} and no texts. {_WANTED}")
    for number, item in enumerate(value, 1):
        place = f"item {number}"
        if isinstance(item, str):
            yield to_section({"text": item}, _BARE, place)
        else:
            yield _section(item, options.columns, place)


def _lines(stream: Iterator[str] | io.TextIOBase, columns: Columns) -> Iterator[Section | Odd]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            fields = parse_object(str(line), "")
        except InputError as error:
            yield Odd(f"line {number}", str(error).removeprefix(": "))
        else:
            yield _section(fields, columns, f"line {number}")


def _section(fields: object, columns: Columns, place: str) -> Section | Odd:
    if not isinstance(fields, Mapping):
        return Odd(place, f"not an object with a text, but {fields!r:.40}")
    try:
        found = _found(columns, tuple(fields))
    except InputError as error:
        return Odd(place, str(error).replace("column", "key", 1))
    return to_section(fields, found, place)


@lru_cache(maxsize=64)
def _found(columns: Columns, names: tuple[str, ...]) -> Columns:
    """Find the keys of a line: most files have the same in all of them."""
    return columns.find(names)


def _list_in(value: dict[str, Any], columns: Columns) -> Any:
    """Return the list of passages that an object holds, or the object if it is one itself."""
    try:
        columns.find(value)
    except InputError:
        lists = [
            name
            for name, one in value.items()
            if isinstance(one, list) and one and all(isinstance(item, dict) for item in one)
        ]
        if len(lists) != 1:
            held = ", ".join(repr(name) for name in list(value)[:10])
            raise InputError(f"an object with {held or 'nothing in it'}. {_WANTED}") from None
        return value[lists[0]]
    return value


def _is_object(line: str) -> bool:
    try:
        parse_object(line, "")
    except InputError:
        return False
    return True
