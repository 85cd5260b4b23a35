"""Word documents (.docx): paragraphs, headings, tables and notes, in the order of reading."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from .._support.extras import require
from ..errors import InputError
from .containers import content, open_zip, reading
from .outline import Block, sections
from .records import Section, SourceFile
from .trees import local, parse_xml

__all__ = ["read_docx"]

KIND = "a .docx file"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# Each is in the text already, or was taken out of it: the older of two forms of a drawing, deleted
# text and where moved text stood, the codes of fields.
_LEFT_OUT = frozenset({"Fallback", "del", "moveFrom", "instrText", "rPr", "pPr", "sectPr"})
_NOTES = ("/footnotes", "/endnotes")
_STYLE = re.compile(r"(?:heading|title)\s*(\d?)", re.IGNORECASE)


def read_docx(file: SourceFile) -> Iterator[Section]:
    """Read a document; a long one is divided at its headings.

    Args:
        file: the file.

    Yields:
        The document, or its sections, with its title.

    Raises:
        InputError: it is damaged, encrypted, too large, or holds no text.
        MissingExtraError: the extra ``files`` is not installed.
    """
    docx = require("docx", extra="files")
    data = content(file)
    open_zip(data, KIND).close()
    with reading(KIND):
        document = docx.Document(io.BytesIO(data))
        levels = _heading_levels(document)
        blocks = list(_blocks(document.element.body, levels))
        for part in document.part.rels.values():
            if part.reltype.endswith(_NOTES):
                blocks += _blocks(parse_xml(part.target_part.blob), levels)
        title = (document.core_properties.title or "").strip()
    if not blocks:
        raise InputError("there is no text in it, only pictures.")
    yield from sections(blocks, {"title": title} if title else {})


def _heading_levels(document: Any) -> dict[str, int]:
    """Return the level of every style of headings, or based on one; the title stands above all."""
    levels = {}
    for style in document.styles:
        base: Any = style
        for _ in range(10):  # a style may be based on itself in a damaged file
            if base is None:
                break
            outline = base.element.find(f"{_W}pPr/{_W}outlineLvl")
            if outline is not None and int(outline.get(f"{_W}val", "9")) < 9:
                levels[style.style_id] = int(outline.get(f"{_W}val")) + 2
                break
            if match := _STYLE.fullmatch(base.name or ""):
                levels[style.style_id] = int(match[1] or 0) + 1
                break
            base = getattr(base, "base_style", None)
    return levels


def _blocks(element: Any, levels: dict[str, int]) -> Iterator[Block]:
    """Yield the blocks below an element, those within content controls and frames included."""
    for child in element:
        name = local(child)
        if name == "p":
            text = "".join(_words(child)).strip()
            if text:
                yield Block(text, _level(child, levels))
        elif name == "tbl":
            if rows := list(_rows(child)):
                yield Block("\n".join(rows))
        elif name and name not in _LEFT_OUT:
            yield from _blocks(child, levels)


def _level(paragraph: Any, levels: dict[str, int]) -> int:
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    return levels.get(style.get(f"{_W}val"), 0) if style is not None else 0


def _rows(table: Any) -> Iterator[str]:
    for row in _inside(table, "tr"):
        cells = [" ".join("".join(_words(cell)).split()) for cell in _inside(row, "tc")]
        if any(cells):
            yield " | ".join(cells)


def _inside(element: Any, name: str) -> Iterator[Any]:
    """Yield the rows of a table, or the cells of a row, those within content controls included."""
    for child in element:
        if local(child) == name:
            yield child
        elif local(child) in ("sdt", "sdtContent", "ins", "customXml"):
            yield from _inside(child, name)


def _words(element: Any) -> Iterator[str]:
    """Yield the pieces of text below an element."""
    for child in element:
        name = local(child)
        if name in _LEFT_OUT:
            continue
        if name == "t":
            yield child.text or ""
        elif name in ("tab", "ptab"):
            yield "\t"
        elif name in ("br", "cr"):
            yield "\n"
        elif name == "noBreakHyphen":
            yield "-"
        else:
            yield from _words(child)
            if name == "p":  # of a frame, or of a cell
                yield "\n"
