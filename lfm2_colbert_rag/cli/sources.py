"""Find the files that the user named, and read their passages.

Files are read as streams, so that a corpus larger than memory can be checked from end to end
before the first passage is added, and then read again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from .._support.lines import IdDigests
from ..errors import InputError
from .records import READERS, SUFFIXES, Record, SourceFile

__all__ = ["Record", "SourceFile", "Sources", "check", "find_sources", "read"]


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
                if file.suffix.lower() in READERS:
                    name = file.relative_to(path).as_posix()
                    sources.files.append(SourceFile(file, name))
                else:
                    sources.skipped[file.suffix.lower() or "no suffix"] += 1
        elif path.suffix.lower() in READERS:
            sources.files.append(SourceFile(path, path.name))
        else:
            raise InputError(f"{path} is not one of the kinds that can be read: {SUFFIXES}.")
    if not sources.files:
        places = ", ".join(str(path) for path in paths)
        raise InputError(f"{places} holds no file that can be read; the kinds are {SUFFIXES}.")
    return sources


def check(files: Sequence[SourceFile]) -> int:
    """Read everything once, so that a broken line is found before anything is added.

    Eight bytes a passage are kept meanwhile.

    Args:
        files: the files to read.

    Returns:
        The number of passages in them.

    Raises:
        InputError: a line cannot be used, or two passages have the same id.
    """
    seen = IdDigests()
    for record in read(files):
        seen.add(record.passage.id)
    if suspects := seen.repeated():
        _refuse_repeated(files, suspects)
    return len(seen)


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
        yield from READERS[file.path.suffix.lower()](file)


def _refuse_repeated(files: Iterable[SourceFile], suspects: set[int]) -> None:
    """Look for two passages of the same id among those whose digests are not unique."""
    places: dict[str, str] = {}
    for record in read(files):
        id = record.passage.id
        if IdDigests.digest(id) not in suspects:
            continue
        if id in places:
            raise InputError(
                f"the id {id!r} is used twice: in {places[id]}, and in {record.place}. "
                "Give each passage an id of its own."
            )
        places[id] = record.place


def _walk(folder: Path, exclude: Path | None) -> Iterator[Path]:
    target = exclude.resolve() if exclude is not None else None

    def refuse(error: OSError) -> NoReturn:
        raise error

    for where, folders, names in os.walk(folder, onerror=refuse):
        root = Path(where)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (root / name).resolve() != target
        )
        yield from (root / name for name in sorted(names) if not name.startswith("."))
