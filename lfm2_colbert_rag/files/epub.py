"""EPUB: chapters in the order of reading, which are pages of XHTML in an archive."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

from ..errors import InputError
from .containers import content, open_zip, reading
from .html import decode_page, parse_page
from .outline import sections
from .records import Odd, Section, SourceFile
from .trees import local, parse_xml

__all__ = ["read_epub"]

KIND = "an EPUB book"
_CONTAINER = "META-INF/container.xml"
_RIGHTS = "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


@dataclass(frozen=True)
class _Book:
    title: str
    chapters: list[str]  # names in the archive, in the order of reading


def read_epub(file: SourceFile) -> Iterator[Section | Odd]:
    """Read the chapters of a book; a long one is divided at its headings.

    Args:
        file: the file.

    Yields:
        A chapter, numbered from 1 in the order of reading, with the titles of book and chapter.

    Raises:
        InputError: it is damaged, protected against copying, or holds no text.
        MissingExtraError: the extra ``files`` is not installed.
    """
    found = False
    with open_zip(content(file), KIND) as archive:
        with reading(KIND):
            book = _open(archive)
        for number, name in enumerate(book.chapters, 1):
            place = f"chapter {number}"
            try:
                with reading("a chapter of XHTML"):
                    page = parse_page(decode_page(archive.read(name)))
            except InputError as error:
                yield Odd(place, str(error))
                continue
            facts: dict[str, Any] = {"chapter": number}
            if book.title:
                facts["title"] = book.title
            if page.title and page.title != book.title:
                facts["section"] = page.title
            found = found or bool(page.blocks)
            yield from sections(page.blocks, facts, within=place)
    if not found:
        raise InputError("there is no text in it, only pictures; it needs OCR.")


def _open(archive: ZipFile) -> _Book:
    """Read what lists the chapters of a book.

    Raises:
        InputError: the chapters are encrypted.
        Exception: something else is wrong with the archive.
    """
    names = set(archive.namelist())
    container = parse_xml(archive.read(_CONTAINER))
    package_name = next(
        one.get("full-path") for one in container.iter() if local(one) == "rootfile"
    )
    package = parse_xml(archive.read(package_name))
    folder = posixpath.dirname(package_name)
    items = {}
    for one in package.iter():
        page = local(one) == "item" and one.get("media-type") in _PAGES
        if page and "nav" not in (one.get("properties") or "").split():
            path = posixpath.normpath(posixpath.join(folder, unquote(one.get("href", ""))))
            items[one.get("id")] = path
    spine = [one.get("idref") for one in package.iter() if local(one) == "itemref"]
    chapters = [items[idref] for idref in spine if items.get(idref) in names]
    if not chapters:
        raise InputError("it lists no chapters that are in it; it is damaged.")
    if _RIGHTS in names and _covers(archive.read(_RIGHTS), chapters):
        raise InputError("it is protected against copying (DRM); only its own reader can open it.")
    titles = (one.text for one in package.iter() if local(one) == "title" and one.text)
    return _Book(" ".join(next(titles, "").split()), chapters)


def _covers(rights: bytes, chapters: list[str]) -> bool:
    """Tell whether chapters are encrypted, and not only fonts, as is usual."""
    named = {one.get("URI") for one in parse_xml(rights).iter() if local(one) == "CipherReference"}
    return not named.isdisjoint(chapters)
