"""Read passages from text, Markdown, CSV and JSON Lines files.

Files are read as streams, so that a corpus larger than memory can be checked from end to end
before the first passage is added, and then read again.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from ..errors import InputError
from ..types import Passage

__all__ = ["SUFFIXES", "Record", "SourceFile", "Sources", "check", "find_sources", "read"]


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


@dataclass
class Sources:
    """What a walk over the user's paths found.

    Attributes:
        files: the files to read, in order.
        skipped: number of other files a suffix.
    """

    files: list[SourceFile] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def find_sources(paths: Sequence[Path], *, exclude: Path | None = None) -> Sources:
    """Find the readable files under some files and folders.

    Args:
        paths: files are taken as they are; folders are walked in sorted order, without hidden
            files and folders, and files of other kinds in them are counted and skipped.
        exclude: a folder never to walk into, such as the index itself.

    Returns:
        The files, and how many were skipped.

    Raises:
        InputError: a named file is of another kind, or nothing readable was found.
    """
    sources = Sources()
    for path in paths:
        if path.is_dir():
            for file in _walk(path, exclude):
                if file.suffix.lower() in _READERS:
                    name = file.relative_to(path).as_posix()
                    sources.files.append(SourceFile(file, name))
                else:
                    sources.skipped[file.suffix.lower() or "no suffix"] += 1
        elif path.suffix.lower() in _READERS:
            sources.files.append(SourceFile(path, path.name))
        else:
            raise InputError(f"{path} is not one of the kinds that can be read: {SUFFIXES}.")
    if not sources.files:
        places = ", ".join(str(path) for path in paths)
        raise InputError(f"{places} holds no file that can be read; the kinds are {SUFFIXES}.")
    return sources


def check(files: Iterable[SourceFile]) -> int:
    """Read everything once, so that a broken line is found before anything is added.

    Args:
        files: the files to read.

    Returns:
        The number of passages in them.

    Raises:
        InputError: a line cannot be used, or two passages have the same id.
    """
    places: dict[str, str] = {}
    for record in read(files):
        first = places.setdefault(record.passage.id, record.place)
        if first is not record.place:  # the id was there already
            raise InputError(
                f"the id {record.passage.id!r} is used twice: in {first}, and in {record.place}. "
                "Give each passage an id of its own."
            )
    return len(places)


def read(files: Iterable[SourceFile]) -> Iterator[Record]:
    """Read passages one by one.

    Args:
        files: the files to read.

    Yields:
        Each passage with its place.

    Raises:
        InputError: a line cannot be used; the message names the file and the line.
    """
    for file in files:
        yield from _READERS[file.path.suffix.lower()](file)


def _walk(folder: Path, exclude: Path | None) -> Iterator[Path]:
    hidden_target = exclude.resolve() if exclude is not None else None

    def refuse(error: OSError) -> NoReturn:
        raise error

    for where, folders, names in os.walk(folder, onerror=refuse):
        root = Path(where)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (root / name).resolve() != hidden_target
        )
        yield from (root / name for name in sorted(names) if not name.startswith("."))


def _read_whole(file: SourceFile) -> Iterator[Record]:
    content = file.path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        _refuse_bytes(f"{file.path}, line {number}")
    yield _record({"text": text}, file.name, str(file.path), {"source": file.name})


def _read_jsonl(file: SourceFile) -> Iterator[Record]:
    for number, line in _lines(file):
        place = f"{file.path}, line {number}"
        if not line.strip():
            continue
        try:
            fields = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place}: not a JSON object ({error}).") from None
        if not isinstance(fields, dict):
            raise InputError(f"{place}: not a JSON object, but {line.strip()[:40]}")
        yield _record(fields, f"{file.name}#{number}", place)


def _read_csv(file: SourceFile) -> Iterator[Record]:
    rows = csv.reader((line for _, line in _lines(file)), strict=True)
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


def _lines(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers; undecodable bytes name their line."""
    with file.path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                _refuse_bytes(f"{file.path}, line {number}")


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
    try:
        json.dumps([identifier, text, metadata], ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{place}: half of a surrogate pair (\\ud8..) is not a character."
        ) from None
    return Record(Passage(identifier, text, metadata), place)


def _refuse_bytes(place: str) -> NoReturn:
    raise InputError(f"{place}: these bytes are not UTF-8. Save the file as UTF-8 and try again.")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_Reader: TypeAlias = Callable[[SourceFile], Iterator[Record]]
_READERS: dict[str, _Reader] = {
    ".txt": _read_whole,
    ".md": _read_whole,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
}
SUFFIXES = ", ".join(_READERS)
