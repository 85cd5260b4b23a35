"""PDF: a page is a passage, so that an answer can name its page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from .._support.extras import require
from ..errors import InputError
from .containers import content, reading
from .records import Odd, Section, SourceFile
from .reflow import plain, reflow

__all__ = ["read_pdf"]

KIND = "a PDF file"
_ENGINE = threading.Lock()  # PDFium is not made for two threads at once


def read_pdf(file: SourceFile) -> Iterator[Section | Odd]:
    """Read the pages of a PDF; those without text give nothing.

    Args:
        file: the file.

    Yields:
        A page, numbered from 1 as viewers number them, with the title of the document.

    Raises:
        InputError: it is damaged, asks for a password, or holds pictures of text only.
        MissingExtraError: the extra ``files`` is not installed.
    """
    pdfium = require("pypdfium2", extra="files")
    data = content(file)
    found = 0
    document = _open(pdfium, data)
    try:
        with _ENGINE, reading(KIND):
            pages = len(document)
            title = plain(document.get_metadata_value("Title") or "").strip()
        facts = {"title": title} if title else {}
        for number in range(pages):
            place = f"page {number + 1}"
            try:
                text = _text(document, number)
            except InputError as error:
                yield Odd(place, str(error))
                continue
            found += bool(text)
            if text:
                yield Section(text, place, {"page": number + 1, **facts}, place)
    finally:
        with _ENGINE:
            document.close()
    if not found:
        raise InputError(
            f"there is no text on its {pages:,} page(s), only pictures; it needs OCR "
            "(ocrmypdf adds the text to the file)."
        )


def _open(pdfium: Any, data: bytes) -> Any:
    try:
        with _ENGINE:
            return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise InputError("it is encrypted with a password; save it without one.") from None
        raise InputError(f"it is damaged, or not {KIND} ({error}).") from None


def _text(document: Any, number: int) -> str:
    with _ENGINE, reading(KIND):
        page = document[number]
        try:
            words = page.get_textpage()
            try:
                text = words.get_text_range()
            finally:
                words.close()
        finally:
            page.close()
    return reflow(text)
