"""Rows of tables and JSON objects as passages: which field is the text, which the id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..types import RESERVED_KEYS
from .records import Odd, Section

__all__ = ["ANY", "Columns", "to_section"]

TEXT = "text"
WHOLE = "*"
IDS = ("id", "_id")
_TEXT_OPTION = f"--text-column, or take whole rows with --text-column '{WHOLE}'"


@dataclass(frozen=True)
class Columns:
    """Which fields of a row are its text and its id, by their names in any case.

    Attributes:
        text: the fields that make the text, a line each; ``text`` where none is named. Where it is
            ``*``, the text is the whole row, a line ``name: value`` for each of its fields.
        id: the field that is the id; ``id`` or ``_id``, if there is one, where none is named.
    """

    text: tuple[str, ...] = ()
    id: str | None = None

    @property
    def whole(self) -> bool:
        """Whether the text is the whole row."""
        return self.text == (WHOLE,)

    def find(self, names: Iterable[str]) -> Columns:
        """Return the same with names as they stand in a file.

        Raises:
            InputError: one of them is not there, or there twice; the message names what is there.
        """
        there = list(names)
        texts = self.text or (TEXT,)
        text = texts if self.whole else tuple(_find(name, there, _TEXT_OPTION) for name in texts)
        if self.id is not None:
            return Columns(text, _find(self.id, there, "--id-column"))
        ids = (_matching(name, there) for name in IDS)
        return Columns(text, next((found[0] for found in ids if found), None))


ANY = Columns()
"""The fields as most files name them."""


def to_section(fields: Mapping[str, Any], columns: Columns, place: str) -> Section | Odd:
    """Turn a row into a passage; what is neither text nor id is its metadata.

    A row without an id is known by its content, not by where it stands: the same row is the same
    passage wherever others were removed or put in. An object under ``metadata``, as exports of
    this library and many others have one, is taken for the metadata themselves.

    Args:
        fields: the row, by the names of its columns.
        columns: which of them are text and id, as :meth:`Columns.find` returns them.
        place: where it stands, for people.
    """
    parts: list[Any] = [fields.get(name) for name in columns.text]
    if columns.whole:
        shown = (pair for pair in fields.items() if _is_shown(*pair, columns))
        parts = [f"{name}: {value}" for name, value in shown]
    strange = next((one for one in parts if one is not None and not isinstance(one, str)), None)
    if strange is not None:
        return Odd(place, f"the text is {strange!r:.40}. Write it as a text, in quotes.")
    named = None if columns.id is None else fields.get(columns.id)
    id = _id(named)
    if id is None:
        return Odd(place, f"the id must be a text or a whole number, not {named!r:.40}.")
    used = {*columns.text, columns.id}
    metadata = {name: value for name, value in fields.items() if name not in used}
    nested = metadata.get("metadata")
    if isinstance(nested, dict):
        del metadata["metadata"]
        metadata |= nested
    text = "\n".join(part for part in parts if part and part.strip())
    if id:
        return Section(text, metadata=metadata, place=place, id=id)
    return Section(text, _digest(text, metadata), metadata, place)


def _is_shown(name: str, value: object, columns: Columns) -> bool:
    """Tell whether a field is a line of a whole row."""
    return name != columns.id and isinstance(value, str | int | float) and str(value).strip() != ""


def _id(value: object) -> str | None:
    """Return an id as a text; empty where there is none, and None where it cannot be one."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # many exports number their rows
    return value.strip() if isinstance(value, str) else None


def _digest(text: str, metadata: Mapping[str, Any]) -> str:
    known = {name: value for name, value in metadata.items() if name not in RESERVED_KEYS}
    content = json.dumps([text, known], sort_keys=True, default=str)
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _find(name: str, there: list[str], option: str) -> str:
    found = _matching(name, there)
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{len(found)} columns are named {name!r}. Rename all but one.")
    names = ", ".join(repr(one) for one in there[:20]) + (", ..." if len(there) > 20 else "")
    raise InputError(f"no column {name!r} among {names}. Name the right one with {option}.")


def _matching(name: str, there: list[str]) -> list[str]:
    """Return the names that are meant: the exact one, or else those that differ in case."""
    if there.count(name) == 1:
        return [name]
    wanted = name.strip().casefold()
    return [one for one in there if one.strip().casefold() == wanted]
