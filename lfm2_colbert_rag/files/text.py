"""Plain text and Markdown: a file is a passage."""

from __future__ import annotations

from collections.abc import Iterator

from .._support.characters import is_blank
from .encodings import open_text, read_whole
from .records import Odd, Section, SourceFile

__all__ = ["read_text"]


def read_text(file: SourceFile) -> Iterator[Section | Odd]:
    """Read a file as one passage; a blank one gives none.

    Args:
        file: the file.

    Raises:
        InputError: it is no text, or larger than memory should be asked to hold.
        OSError: it cannot be read.
    """
    with open_text(file, newline=None) as stream:
        text = read_whole(stream)
    if not is_blank(text):
        yield Section(text)
