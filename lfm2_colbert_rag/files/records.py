"""What a reader of files is given, and what it gives."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from .._support.lines import PACKED
from .._support.regular import open_regular

__all__ = ["GZIP", "Encoding", "Odd", "Reader", "Section", "SourceFile"]

GZIP = ".gz"


@dataclass(frozen=True)
class Encoding:
    """How the bytes of a text are read.

    Attributes:
        name: of the codec.
        guessed: nothing in the file says so; a detector does.
        broken: some bytes are none of this encoding; they are read as U+FFFD.
    """

    name: str
    guessed: bool = False
    broken: bool = False


@dataclass(frozen=True)
class SourceFile:
    """A file to read.

    Attributes:
        path: where it is, absolute.
        name: what it is known by: the name of the folder that the user named, and the path in it,
            with forward slashes. It begins the ids of its passages.
        shown: the path as the user would write it, for messages.
        kind: the suffix as which it is read, whatever its own is; empty for its own.
        encoding: how its bytes are read, where that is known.
        lasting: whether it stays where it is, so that it can be read again later.
    """

    path: Path
    name: str
    shown: str = ""
    kind: str = ""
    encoding: Encoding | None = None
    lasting: bool = True

    def __str__(self) -> str:
        """Return the path for messages."""
        return self.shown or str(self.path)

    @property
    def suffix(self) -> str:
        """The suffix that tells its kind, in lower case; what ``.gz`` stands behind counts."""
        name = self.path.name.lower().removesuffix(GZIP)
        return self.kind or Path(name).suffix

    def open(self) -> BinaryIO:
        """Open it for reading bytes, unpacked if gzip packed it; links are followed.

        Raises:
            IrregularFileError: it is a folder, a FIFO, a device or a socket.
            OSError: it is missing, or cannot be opened.
        """
        stream = open_regular(self.path.resolve())
        if stream.peek(len(PACKED))[: len(PACKED)] != PACKED:
            return stream
        return cast(BinaryIO, _Unpacked(stream))


@dataclass(frozen=True)
class Section:
    """What is to be one passage, as a file gives it.

    Attributes:
        text: its text; blank ones are left out later, with one note for all.
        key: tells it from others of its file, such as ``"page 3"``; it must not depend on how many
            came before where that would change when others are removed. None where the file is one
            section, or where it has an id.
        metadata: facts about it, such as ``{"page": 3}``.
        place: where in the file it stands, for people, such as ``"page 3"`` or ``"line 7"``.
        id: the id that the file itself gives it; else one is made of the file's name and the key.
    """

    text: str
    key: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    place: str = ""
    id: str | None = None


@dataclass(frozen=True)
class Odd:
    """A part of a file that cannot be used, while others can: a line, a row, a page.

    Attributes:
        place: where it stands, as in :class:`Section`.
        reason: what is wrong with it, and what helps.
    """

    place: str
    reason: str


Reader: TypeAlias = Callable[[SourceFile], Iterator[Section | Odd]]
"""Reads one kind of file. It raises InputError or OSError where the whole file cannot be used, and
MissingExtraError where the library that reads it is not installed: the file is named with that, and
nothing of it is indexed. Odd parts are yielded instead."""


class _Unpacked(gzip.GzipFile):
    """A packed file that closes what it reads."""

    def __init__(self, stream: io.BufferedReader) -> None:
        super().__init__(fileobj=stream, mode="rb")
        self._packed = stream

    def close(self) -> None:
        """Close both."""
        try:
            super().close()
        finally:
            self._packed.close()
