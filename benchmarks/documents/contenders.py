"""Libraries that read documents, each used as its own manual says, one function a library.

Every function takes a path and gives the texts of pages, chapters or of the whole file. What a
library reads as one text stays one: whether pages can be told apart is a column of the report.
"""

from __future__ import annotations

import html.parser
from collections.abc import Callable, Iterator
from pathlib import Path

from . import office

Contender = Callable[[Path], Iterator[str]]


def pdfium(path: Path) -> Iterator[str]:
    """Google's engine, by ctypes."""
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        for page in document:
            yield page.get_textpage().get_text_range()


def pypdf(path: Path) -> Iterator[str]:
    """Pure Python."""
    from pypdf import PdfReader

    for page in PdfReader(path).pages:
        yield page.extract_text()


def pdfminer(path: Path) -> Iterator[str]:
    """Pure Python, with an analysis of the layout."""
    from pdfminer.high_level import extract_pages
    from pdfminer.layout import LTTextContainer

    for page in extract_pages(path):
        yield "".join(one.get_text() for one in page if isinstance(one, LTTextContainer))


def pdfplumber(path: Path) -> Iterator[str]:
    """Lines rebuilt from pdfminer's characters."""
    import pdfplumber

    with pdfplumber.open(path) as document:
        for page in document.pages:
            yield page.extract_text()
            page.close()


def selectolax(path: Path) -> Iterator[str]:
    """The Lexbor engine, HTML5."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(path.read_bytes())
    tree.strip_tags(["script", "style", "nav"])
    yield tree.body.text(separator="\n") if tree.body else ""


def beautifulsoup(path: Path) -> Iterator[str]:
    """Over the parser of the standard library."""
    from bs4 import BeautifulSoup

    tree = BeautifulSoup(path.read_bytes(), "html.parser")
    for one in tree(["script", "style", "nav"]):
        one.decompose()
    yield tree.get_text("\n")


def lxml(path: Path) -> Iterator[str]:
    """libxml2, HTML 4."""
    from lxml import html

    tree = html.fromstring(path.read_bytes())
    for one in tree.xpath("//script | //style | //nav | //comment()"):
        one.drop_tree()
    yield tree.text_content()


def trafilatura(path: Path) -> Iterator[str]:
    """Finds the article of a page by rules."""
    from trafilatura import extract

    yield extract(path.read_bytes(), include_tables=True, include_comments=False) or ""


def inscriptis(path: Path) -> Iterator[str]:
    """Draws the page as text."""
    from inscriptis import get_text

    yield get_text(path.read_bytes().decode("utf-8", "replace"))


class _Plain(html.parser.HTMLParser):
    """All texts outside of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "nav")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "nav")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def standard(path: Path) -> Iterator[str]:
    """The parser of the standard library alone."""
    parser = _Plain()
    parser.feed(path.read_text(encoding="utf-8", errors="replace"))
    yield "\n".join(parser.parts)


def ours(path: Path) -> Iterator[str]:
    """The reader of this library, over what was chosen."""
    from lfm2_colbert_rag.files.kinds import READERS
    from lfm2_colbert_rag.files.records import SourceFile

    for section in READERS[path.suffix](SourceFile(path, path.name)):
        yield getattr(section, "text", "")


KINDS: dict[str, dict[Contender, str]] = {
    ".pdf": {pdfium: "pypdfium2", pypdf: "pypdf", pdfminer: "pdfminer.six",
             pdfplumber: "pdfplumber", ours: ""},
    ".html": {selectolax: "selectolax", lxml: "lxml", beautifulsoup: "beautifulsoup4",
              inscriptis: "inscriptis", trafilatura: "trafilatura", standard: "", ours: ""},
    ".docx": {office.python_docx: "python-docx", office.docx2txt: "docx2txt",
              office.mammoth: "mammoth", ours: ""},
    ".xlsx": {office.openpyxl: "openpyxl", office.calamine: "python-calamine"},
    ".odt": {office.odfdo: "odfdo", office.odfpy: "odfpy", ours: ""},
    ".epub": {ours: ""},
}  # fmt: skip
