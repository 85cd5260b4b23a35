"""HTML and XHTML: the text of a page, without what surrounds it on every page of its site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .._support.extras import require
from ..errors import InputError
from .containers import content, reading
from .encodings import find_encoding
from .outline import Block, sections
from .records import Section, SourceFile

__all__ = ["Page", "decode_page", "parse_page", "read_html"]

KIND = "an HTML file"
# What is not the page itself: programs, forms, ways to other pages. DocBook, Sphinx and Doxygen
# wrote most manuals; the first knows no <nav>.
_ASIDE = (
    "script, style, template, noscript, nav, iframe, object, svg, annotation, button, select, "
    "textarea, rt, rp, [hidden], [role=navigation], [role=search], [role=contentinfo], "
    "[role=banner], body > footer, body > header > nav, .navheader, .navfooter, .sphinxsidebar, "
    "a.headerlink, .skip-link"
)
_MAIN = "main, [role=main], body > article:only-of-type"
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
    "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "legend", "li", "main", "menu", "ol", "p",
    "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip
_HEADING = re.compile(r"h([1-6])")
_CELLS = frozenset({"td", "th"})
_META = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]*encoding\s*=\s*["']([\w.:-]+)""")
# As browsers read them: names that pages give, and the larger sets that their texts are written in.
_LABELS = {
    "ascii": "cp1252", "us-ascii": "cp1252", "iso-8859-1": "cp1252", "latin1": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "shift_jis": "cp932",
    "shift-jis": "cp932", "x-sjis": "cp932", "euc-kr": "cp949", "ks_c_5601-1987": "cp949",
    "big5": "big5hkscs", "iso-8859-9": "cp1254", "tis-620": "cp874", "windows-874": "cp874",
    "utf-16": "utf-8", "utf-16le": "utf-8", "utf-16be": "utf-8",  # what can be read here is not
}  # fmt: skip
_UNCLOSED = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)"
    r"([A-Za-z][\w:.-]*)((?:\s[^<>]*?)?)/>",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Page:
    """A page, read.

    Attributes:
        title: what its ``<title>`` says, or its first heading; may be empty.
        blocks: headings, paragraphs, rows of tables.
    """

    title: str
    blocks: list[Block]


def read_html(file: SourceFile) -> Iterator[Section]:
    """Read a page; a long one is divided at its headings.

    Args:
        file: the file.

    Yields:
        The page, or its sections, with its title; nothing where the file is blank.

    Raises:
        InputError: there is no text in it, or it is in an encoding that nobody can tell.
        MissingExtraError: the extra ``files`` is not installed.
    """
    data = content(file, blank=True)
    markup = _announced(data)
    if markup is None:
        found = find_encoding(file)
        markup = data.decode(found.name, "replace")
    with reading(KIND):
        page = parse_page(markup)
    if not page.blocks:
        if not markup.strip("\ufeff \t\r\n\f\0"):
            return
        raise InputError("there is no text in it, only pictures, programs or links to other pages.")
    yield from sections(page.blocks, {"title": page.title} if page.title else {})


def parse_page(markup: str) -> Page:
    """Parse HTML or XHTML.

    Args:
        markup: decoded.

    Raises:
        MissingExtraError: the extra ``files`` is not installed.
    """
    parser = require("selectolax.lexbor", extra="files").LexborHTMLParser
    if "http://www.w3.org/1999/xhtml" in markup[:4096]:
        markup = _UNCLOSED.sub(r"<\1\2></\1>", markup)  # <title/> would swallow all that follows
    tree = parser(markup)
    titles = tree.css_first("head > title")
    title = " ".join(titles.text().split()) if titles is not None else ""
    for one in tree.css(_ASIDE):
        one.decompose()
    root = tree.body
    main = tree.css_first(_MAIN)
    blocks: list[Block] = []
    if main is not None:
        blocks = _Reading().read(main)
    if root is not None and not blocks:
        blocks = _Reading().read(root)
    if not title:
        title = next((" ".join(one.text.split()) for one in blocks if one.level), "")
    return Page(title, blocks)


def decode_page(data: bytes) -> str:
    """Decode a page of which there is no more than its bytes, such as a chapter of a book."""
    return _announced(data) or data.decode("utf-8-sig", "replace")


def _announced(data: bytes) -> str | None:
    """Decode UTF-8, and what says itself how it is encoded, and is; None for all else.

    What is valid UTF-8 is, whatever it says: servers convert pages and leave their words about it.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    named = _XML.search(data[:256]) or _META.search(data[:4096])
    label = named[1].decode("ascii").lower() if named else ""
    for encoding in (
        (label,) if label == "iso-2022-jp" else ("utf-8-sig", _LABELS.get(label, label))
    ):
        try:
            return data.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            continue
    return None


class _Reading:
    """A walk over the nodes of a page, which may be nested deeper than functions may call."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._parts: list[str] = []
        self._level = 0
        self._kept = 0  # inside <pre>

    def read(self, root: Any) -> list[Block]:
        """Return the blocks below a node."""
        node, below = root, True
        while True:
            if below:
                below = self._enter(node)
                child = node.first_child if below else None
                if child is not None:
                    node = child
                    continue
            self._leave(node)
            if node.mem_id == root.mem_id:
                break
            below = node.next is not None
            node = node.next if below else node.parent
        self._end()
        return self._blocks

    def _enter(self, node: Any) -> bool:
        """Take what a node says itself; return whether to go on below it."""
        tag = node.tag
        if tag == "-text":
            self._text(node.text_content or "")
            return False
        if tag == "br":
            self._parts.append("\n")
        elif tag in _CELLS:
            if "".join(self._parts).strip():
                self._parts.append(" | ")
        elif tag in _BLOCKS and not self._in_cell(node):
            self._end()
            if heading := _HEADING.fullmatch(tag):
                self._level = int(heading[1])
            elif tag == "li":
                self._parts.append("- ")
        elif tag in _BLOCKS:
            self._parts.append(" ")
        self._kept += tag == "pre"
        return True

    def _leave(self, node: Any) -> None:
        tag = node.tag
        if tag in _BLOCKS and tag not in _CELLS and not self._in_cell(node):
            self._end()
        elif tag in _BLOCKS:
            self._parts.append(" ")
        self._kept -= tag == "pre"

    @staticmethod
    def _in_cell(node: Any) -> bool:
        """Tell a paragraph in a cell, which stays on its row, from one in a table of layout."""
        parent = node.parent
        return parent is not None and parent.tag in _CELLS and node.tag in ("p", "div", "span")

    def _text(self, text: str) -> None:
        if not self._kept:
            text = re.sub(r"[ \t\r\n\f]+", " ", text)
        self._parts.append(text)

    def _end(self) -> None:
        """Close the paragraph, heading or row that was read."""
        lines = "".join(self._parts).replace("\u00ad", "").split("\n")
        if not self._kept:
            lines = [" ".join(line.split()) for line in lines]
        text = "\n".join(line.rstrip() for line in lines).strip("\n")
        if text.strip() not in ("", "-", "|"):
            self._blocks.append(Block(text, self._level))
            self._parts.clear()
        elif text.strip() != "-":  # the sign of an item stays for its first paragraph
            self._parts.clear()
        self._level = 0
