"""Files of LibreOffice (.odt, .ods, .odp): one XML format for texts, sheets and slides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import InputError
from .containers import content, open_zip, reading
from .options import DEFAULTS, ReadOptions
from .outline import Block, sections
from .records import Odd, Section, SourceFile
from .sheet_rows import Cells, sheet_sections
from .trees import local, parse_xml

__all__ = ["read_odp", "read_ods", "read_odt"]

KIND = "an OpenDocument file"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_LEFT_OUT = frozenset({
    "tracked-changes", "annotation", "annotation-end", "forms", "sequence-decls",
    "table-of-content", "shapes", "alphabetical-index", "ruby-text", "bookmark", "title", "desc",
    "settings",
})  # fmt: skip
_MOST = 1024  # repetitions of a cell: more are the rest of an empty row


def read_odt(file: SourceFile) -> Iterator[Section]:
    """Read a text document; a long one is divided at its headings.

    Args:
        file: the file.

    Yields:
        The document, or its sections, with its title.

    Raises:
        InputError: it is damaged, encrypted, too large, or holds no text.
        MissingExtraError: the extra ``files`` is not installed.
    """
    body, facts = _open(file)
    blocks = list(_blocks(body))
    if not blocks:
        raise InputError("there is no text in it, only pictures.")
    yield from sections(blocks, facts)


def read_odp(file: SourceFile) -> Iterator[Section]:
    """Read the slides of a presentation, with their notes; those without text give nothing.

    Args:
        file: the file.

    Yields:
        A slide, numbered from 1.

    Raises:
        InputError: it is damaged, encrypted, too large, or holds no text.
        MissingExtraError: the extra ``files`` is not installed.
    """
    body, facts = _open(file)
    found = False
    for number, page in enumerate(body.iter(f"{_DRAW}page"), 1):
        text = "\n".join(block.text for block in _blocks(page))
        if text:
            found = True
            place = f"slide {number}"
            yield Section(text, place, {"slide": number, **facts}, place)
    if not found:
        raise InputError("there is no text on its slides, only pictures.")


def read_ods(file: SourceFile, options: ReadOptions = DEFAULTS) -> Iterator[Section | Odd]:
    """Read the rows of all sheets.

    Args:
        file: the file.
        options: which columns are text and id.

    Yields:
        A row, under the names of its columns, with its sheet and its number.

    Raises:
        InputError: it is damaged, encrypted, too large, or all its cells are empty.
        MissingExtraError: the extra ``files`` is not installed.
    """
    body, facts = _open(file)
    found = False
    for table in body.iter(f"{_TABLE}table"):
        name = table.get(f"{_TABLE}name", "")
        for section in sheet_sections(name, _rows(table), facts, options):
            found = True
            yield section
    if not found:
        raise InputError("all its cells are empty.")


def _open(file: SourceFile) -> tuple[Any, dict[str, Any]]:
    """Return the body of a document, and its title as metadata."""
    with open_zip(content(file), KIND) as archive, reading(KIND):
        if "encryption-data" in archive.read("META-INF/manifest.xml").decode("utf-8", "replace"):
            raise InputError("it is encrypted with a password; save it without one.")
        body = parse_xml(archive.read("content.xml")).find(f"{_OFFICE}body")
        if body is None:
            raise InputError(f"it is damaged, or not {KIND} (it has no body).")
        facts: dict[str, Any] = {}
        if "meta.xml" in archive.namelist():
            titles = (one for one in parse_xml(archive.read("meta.xml")).iter())
            title = next((one.text for one in titles if local(one) == "title" and one.text), "")
            facts = {"title": title.strip()} if title.strip() else {}
    return body, facts


def _blocks(element: Any) -> Iterator[Block]:
    for child in element:
        name = local(child)
        if name in ("p", "h"):
            text = "\n".join(" ".join(line.split()) for line in _words(child).split("\n")).strip()
            level = min(9, int(child.get(f"{_TEXT}outline-level", "1"))) if name == "h" else 0
            if text:
                yield Block(text, level)
        elif name == "table":
            rows = (" | ".join(cell for cell in row if cell) for row in _rows(child))
            if text := "\n".join(row for row in rows if row):
                yield Block(text)
        elif name and name not in _LEFT_OUT:
            yield from _blocks(child)


def _words(element: Any) -> str:
    """Return the text below an element, with what its tags stand for."""
    parts = [element.text or ""]
    for child in element:
        name = local(child)
        if name == "s":
            parts.append(" " * min(int(child.get(f"{_TEXT}c", "1")), 80))
        elif name in ("tab", "line-break"):
            parts.append("\t" if name == "tab" else "\n")
        elif name == "note":
            parts.append(f" ({_words(child[-1]).strip()})" if len(child) else "")
        elif name not in _LEFT_OUT:
            parts.append(_words(child))
            if name == "p":  # of a frame, or of a note
                parts.append("\n")
        parts.append(child.tail or "")
    return "".join(parts)


def _rows(table: Any) -> Iterator[Cells]:
    """Yield the rows of a table; rows repeated without content once, cells as often as they are."""
    for row in table:
        if local(row) in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(row)
        if local(row) != "table-row":
            continue
        cells: list[str] = []
        for cell in row:
            if local(cell) not in ("table-cell", "covered-table-cell"):
                continue
            times = int(cell.get(f"{_TABLE}number-columns-repeated", "1"))
            cells += [" ".join(_words(cell).split())] * min(times, _MOST)
        repeated = int(row.get(f"{_TABLE}number-rows-repeated", "1"))
        yield from [cells] * (repeated if any(cells) and repeated <= _MOST else 1)
