"""Plain text and Markdown: a file is a passage."""

from __future__ import annotations

from collections.abc import Iterator

from .encodings import open_text, read_whole
from .options import DEFAULTS, ReadOptions
from .records import Odd, Section, SourceFile

__all__ = ["read_text"]


def read_text(file: SourceFile, options: ReadOptions = DEFAULTS) -> Iterator[Section | Odd]:
    """Read a file as one passage.

    Args:
        file: the file.
        options: how it is read.

    Raises:
        InputError: it is no text, or larger than memory should be asked to hold.
        OSError: it cannot be read.
    """
    with open_text(file, options.encoding, newline=None) as stream:
        yield Section(read_whole(stream))
