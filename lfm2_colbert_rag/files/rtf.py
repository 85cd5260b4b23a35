"""Rich Text (.rtf)."""

from __future__ import annotations

from collections.abc import Iterator

from .._support.extras import require
from ..errors import InputError
from .containers import content, reading
from .outline import Block, sections
from .records import Section, SourceFile

__all__ = ["read_rtf"]

KIND = "an .rtf file"


def read_rtf(file: SourceFile) -> Iterator[Section]:
    """Read a document as one passage: the format marks no headings.

    Args:
        file: the file.

    Yields:
        The document.

    Raises:
        InputError: it is damaged, or holds no text.
        MissingExtraError: the extra ``files`` is not installed.
    """
    striprtf = require("striprtf.striprtf", extra="files")
    data = content(file)
    if not data.lstrip().startswith(b"{\\rtf"):
        raise InputError(f"it is damaged, or not {KIND} (it does not begin as one does).")
    with reading(KIND):
        text = striprtf.rtf_to_text(data.decode("latin-1"), errors="replace")
    blocks = [Block(line.strip()) for line in text.split("\n") if line.strip()]
    if not blocks:
        raise InputError("there is no text in it, only pictures.")
    yield from sections(blocks, {})
