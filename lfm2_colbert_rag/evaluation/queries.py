"""Files of queries: JSON Lines, or lines of id, tab and text."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._support.characters import is_blank
from .._support.lines import numbered_lines, parse_object
from ..errors import InputError
from ..filters.strings import composed

__all__ = ["QueriesFile", "read_id", "read_text"]

_HEADERS = ("id", "_id", "qid", "query-id", "query_id", "query id")


@dataclass
class QueriesFile:
    """A file of queries, read once.

    Attributes:
        path: the file.
        key: under which a text is.
        line_break: a mark in texts that stands for a line break.
        texts: the queries by their ids.
        blank: queries without any text, which are left out.
        repeated: queries that are there more than once, with the same text.
        beir: whether the ids are under ``"_id"``, as BEIR writes them.

    Raises:
        InputError: a line that cannot be used, two texts under one id, or no query at all; the
            message names file and line.
    """

    path: Path
    key: str = "text"
    line_break: str | None = None
    texts: dict[str, str] = field(default_factory=dict, init=False)
    blank: int = field(default=0, init=False)
    repeated: int = field(default=0, init=False)
    beir: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Read the file."""
        places: dict[str, int] = {}
        for number, line in numbered_lines(self.path):
            if line.strip() and not (number == 1 and _is_header(line)):
                self._add(line, number, places)
        if not self.texts:
            raise InputError(f"{self.path} holds no query.")

    def notes(self) -> list[str]:
        """Say what was left out."""
        notes = []
        if self.blank:
            notes.append(f"{self.blank:,} queries without any text were left out.")
        if self.repeated:
            notes.append(f"{self.repeated:,} queries that are there twice count once.")
        return notes

    def _add(self, line: str, number: int, places: dict[str, int]) -> None:
        place = f"{self.path}, line {number}"
        id, text = self._read(line, place)
        if is_blank(text):
            self.blank += 1
        elif id not in places:
            self.texts[id], places[id] = text, number
        elif self.texts[id] == text:
            self.repeated += 1
        else:
            raise InputError(
                f"{place}: query {id!r} was there before, in line {places[id]}, with another text."
            )

    def _read(self, line: str, place: str) -> tuple[str, str]:
        if line.lstrip().startswith("{"):
            fields = parse_object(line, place)
            self.beir |= "_id" in fields and "id" not in fields
            return read_id(fields, place), read_text(fields, self.key, place, self.line_break)
        id, text = (part.strip() for part in line.partition("\t")[::2])
        if "\t" not in line or not id:
            raise InputError(
                f"{place}: neither a JSON object nor an id, a tab and a text, but "
                f"{line.strip()[:40]!r}"
            )
        return composed(id), text


def read_id(fields: dict[str, Any], place: str) -> str:
    """Return the id in a line's object.

    Raises:
        InputError: there is none that can be used.
    """
    id = fields.get("id", fields.get("_id"))
    if isinstance(id, int) and not isinstance(id, bool):
        return str(id)  # many exports number their rows
    if not isinstance(id, str) or not id:
        raise InputError(f"{place}: the id must be a text or a whole number, not {id!r:.40}.")
    return composed(id)


def read_text(fields: dict[str, Any], name: str, place: str, line_break: str | None) -> str:
    """Return the text in a line's object; null is none.

    Raises:
        InputError: it is under no such name, or no text.
    """
    text = fields.get(name)
    if text is None and name in fields:
        return ""
    if not isinstance(text, str):
        found = f"it is {text!r:.40}" if name in fields else f"there is no {name!r}"
        raise InputError(f"{place}: the text is under {name!r}, and {found}.")
    return text if line_break is None else text.replace(line_break, "\n")


def _is_header(line: str) -> bool:
    """Tell whether a first line names the columns of id and text."""
    id, text = (part.strip().strip('"').lower() for part in line.partition("\t")[::2])
    return id in _HEADERS and text in ("text", "query", "question")
