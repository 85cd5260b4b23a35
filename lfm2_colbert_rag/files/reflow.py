"""Lines of a printed page, as the running text that they were broken from."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["plain", "reflow"]

HYPHEN = "\ufffe"  # where PDFium found a word divided at the end of a line
# Shapes of letters that only printing knows: joined Latin and Armenian letters, Arabic and Hebrew
# presentation forms, and radicals in place of the Han characters that look like them.
_SHAPES = re.compile("[\ufb00-\ufdfb\ufe70-\ufefc\u2f00-\u2fd5\u2ea0\u2e9f\u2ef3]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\uffff]+")
_DIVIDED = re.compile(rf"(?<=(\w)){HYPHEN}(?=(\w))")
_ITEM = re.compile(r"(?:[•‣◦▪▫–—*·●○■□-]|\(?\d{1,3}(?:\.\d{1,3})*[.)]?|\(?[A-Za-z][.)])\s+\S")
_CLOSED = re.compile(r"[.!?:;。．！？：；।॥؟۔…][\"'»”’)\]」』）]*$")
_UNSPACED = re.compile(r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_WIDE = re.compile(r"[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60]")
_SHORT = 0.8  # of a full line


def plain(text: str) -> str:
    """Put letters in place of the shapes that a page prints them with.

    Args:
        text: as a page has it.

    Example:
        >>> plain("an o\ufb03ce \u2f08")
        'an office 人'
    """
    shaped = _SHAPES.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    return _CONTROLS.sub("", shaped.replace("\u00ad", ""))


def reflow(text: str) -> str:
    r"""Join the lines of a page into paragraphs, and the words divided at their ends.

    A line goes on in the next one if it is about as long as the others of the page and neither it
    ends as a sentence does, nor the next begins as an item of a list does. Lines that are not full,
    such as headings, code and addresses, stay lines.

    Args:
        text: the lines, with U+FFFE where a word is divided.

    Returns:
        A paragraph a line.

    Example:
        >>> lines = "This is a line, as long as they are here;\nthen a word is di\ufffevided."
        >>> reflow(lines)
        'This is a line, as long as they are here; then a word is divided.'
    """
    text = plain(text.replace("\r\n", "\n").replace("\r", "\n")).replace(f"{HYPHEN}\n", HYPHEN)
    lines = [" ".join(line.split()) for line in text.split("\n")]
    full = _full([part for line in lines for part in line.split(HYPHEN)])
    paragraphs: list[str] = []
    going = False
    for line in lines:
        if line:
            if going and not _ITEM.match(line):
                paragraphs[-1] = _joined(paragraphs[-1], line)
            else:
                paragraphs.append(line)
        going = _goes_on(line.rpartition(HYPHEN)[2], full)
    return _DIVIDED.sub(_rejoin, "\n".join(paragraphs)).replace(HYPHEN, "")


def _full(lines: list[str]) -> float:
    """Return the width of a full line: what a quarter of those exceed that are not short."""
    widths = sorted(width for line in lines if (width := _width(line)) > 30)
    return widths[len(widths) * 3 // 4] if widths else float("inf")


def _goes_on(line: str, full: float) -> bool:
    width = _width(line)
    return width >= _SHORT * full and not (_CLOSED.search(line) and width < 0.97 * full)


def _width(line: str) -> int:
    """Return how much room a line takes; letters of Chinese, Japanese and Korean take two."""
    return len(line) + len(_WIDE.findall(line))


def _rejoin(match: re.Match[str]) -> str:
    """Keep the hyphen of ``Debian-Version``, which stood there before the line was broken."""
    return "-" if match[2].isupper() or match[2].isdigit() or match[1].isdigit() else ""


def _joined(before: str, after: str) -> str:
    unspaced = _UNSPACED.match(before[-1]) and _UNSPACED.match(after[0])
    return before + after if unspaced else f"{before} {after}"
