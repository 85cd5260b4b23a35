"""The kinds of files that hold passages: text and Markdown, CSV, JSON Lines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from .._support.lines import numbered_lines, parse_object, refuse_bytes
from .._support.validation import check_passages
from ..errors import InputError
from ..types import Passage

__all__ = ["READERS", "SUFFIXES", "Record", "SourceFile"]


@dataclass(frozen=True)
class SourceFile:
    """A file to read.

    Attributes:
        path: where it is.
        name: its path relative to the folder the user named, with forward slashes.
    """

    path: Path
    name: str


@dataclass(frozen=True)
class Record:
    """One passage and where it was read.

    Attributes:
        passage: the passage as it will be added.
        place: file and line for people, ``faq/router.jsonl, line 3``.
    """

    passage: Passage
    place: str


def _read_whole(file: SourceFile) -> Iterator[Record]:
    content = file.path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        refuse_bytes(f"{file.path}, line {number}")
    yield _record({"text": text}, file.name, str(file.path), {"source": file.name})


def _read_jsonl(file: SourceFile) -> Iterator[Record]:
    for number, line in numbered_lines(file.path):
        place = f"{file.path}, line {number}"
        if not line.strip():
            continue
        fields = parse_object(line, place)
        yield _record(fields, f"{file.name}#{number}", place)


def _read_csv(file: SourceFile) -> Iterator[Record]:
    rows = csv.reader((line for _, line in numbered_lines(file.path)), strict=True)
    header: list[str] | None = None
    number = 1
    while True:
        place = f"{file.path}, line {number}"
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise InputError(f"{place}: not a row of CSV ({error}).") from None
        if row is None:
            return
        if header is None:
            header = _check_header(row, place)
        elif row:
            if len(row) != len(header):
                raise InputError(
                    f"{place}: {len(row)} values, but the header names {len(header)} columns. "
                    'Put values that contain commas in "quotes".'
                )
            fields = {key: value for key, value in zip(header, row, strict=True) if value}
            yield _record(fields, f"{file.name}#{number}", place)
        number = rows.line_num + 1


def _check_header(row: list[str], place: str) -> list[str]:
    header = [name.strip() for name in row]
    if "text" not in header:
        raise InputError(f"{place}: no column 'text' in the header, only {', '.join(header)}.")
    if "" in header or len(set(header)) < len(header):
        raise InputError(f"{place}: every column needs a name of its own; got {', '.join(header)}.")
    return header


def _record(
    fields: dict[str, Any], default_id: str, place: str, metadata: dict[str, Any] | None = None
) -> Record:
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip():
        found = "there is no text" if text in (None, "") else f"the text is {text!r:.40}"
        raise InputError(f"{place}: {found}. Give this passage a text, or remove it.")
    identifier = fields.get("id", default_id)
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        identifier = str(identifier)  # many exports number their rows
    if not isinstance(identifier, str) or not identifier.strip():
        raise InputError(f"{place}: the id must be a text or a whole number, not {identifier!r}.")
    if metadata is None:
        metadata = {key: value for key, value in fields.items() if key not in ("id", "text")}
    try:  # the rules of ``Retriever.add``, here where the place is known
        passage = check_passages([text], [identifier], [metadata]).passages[0]
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return Record(passage, place)


_Reader: TypeAlias = Callable[[SourceFile], Iterator[Record]]
READERS: dict[str, _Reader] = {
    ".txt": _read_whole,
    ".md": _read_whole,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
}
SUFFIXES = ", ".join(READERS)
