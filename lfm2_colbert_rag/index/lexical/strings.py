"""Texts cut at their blanks, and what is very long between two blanks where that changes no term.

Chinese and Japanese texts have no blanks at all, and what is no language (a dump of bytes, a row of
dashes) may have none for megabytes. Whoever analyses strings of bounded length needs bounded memory
for each, and gives other threads their turn in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import normalize

from .normalisation import HYPHENS, INVISIBLE, mark_pattern, marks

EDGES = ".,;:!?()[]{}\"'"
"""Characters that have no terms, nor change those of what stands between them."""
LONGEST = 4096
"""Characters of the longest string. Only a row of letters, of marks and of what may join words
(``- . / _ + #``), or digits in groups, that are longer have other terms than as a whole."""

_BLOCK = 1 << 16  # characters that are cut at their blanks together
_BLANK = re.compile(r"\s")
_BLANKS = "[ \u00a0\u2000-\u200a\u202f\u205f\u3000]"  # which compatibility makes a space
# Where characters lie that compatibility makes digits: ², ¼, ①, １ and their like.
_NUMERIC = ((0xB2, 0xBF), (0x2070, 0x2190), (0x2460, 0x2500), (0x3200, 0x3400), (0xFF10, 0xFF1A),
            (0x1D7CE, 0x1D800), (0x1F100, 0x1F10B), (0x1FBF0, 0x1FBFA))  # fmt: skip


def _digits(end: int) -> str:
    """Return the characters whose compatible form begins (0) or ends (-1) with a digit."""
    near = [chr(code) for first, beyond in _NUMERIC for code in range(first, beyond)]
    return "0-9" + "".join(one for one in near if normalize("NFKC", one)[end] in "0123456789")


# Digits in groups, but no long row of numbers, nor what is behind a point or the bar of a fraction;
# and blanks that are certainly not within such a number, which are looked for so far.
_GROUPED = re.compile(
    rf"[1-9](?<![\w.,'\u2044][1-9])(?<![{_digits(-1)}]\s[1-9])[0-9]{{0,2}}"
    rf"(?:{_BLANKS}[0-9]{{3}}){{1,3}}(?!\s?[{_digits(0)}])"
)
_BETWEEN, _FARTHEST = re.compile(r"(?<![0-9])\s|\s(?![0-9]{3})"), 4096
# As far as the last character that neither belongs to a word or code nor decides what does; of
# those beyond the first 65,536 only emoji are looked at.
_LOW = "".join(mark for mark in marks() if mark <= "\uffff")
_APART = re.compile(
    rf"(?s:.*)[^\w./+\#\-{re.escape(_LOW)}{INVISIBLE}{HYPHENS}\U00010000-\U0001efff\U000e0000-\U0010ffff]"
)
_JOINED = re.compile(mark_pattern(INVISIBLE))
_CLUSTER = 32  # characters that a letter and its marks have at most, but for mischief


def strings(text: str) -> Iterator[str]:
    """Yield what stands between the blanks of a text, without :data:`EDGES` around it.

    Blanks between groups of digits are no blanks, but become apostrophes. What is longer than
    :data:`LONGEST` comes in pieces.

    Example:
        >>> list(strings("In short, yes: 10 000."))
        ['In', 'short', 'yes', "10'000"]
    """
    start = 0
    while start < len(text):
        least = start + _BLOCK
        blank = _BETWEEN.search(text, least, least + _FARTHEST) or _BLANK.search(text, least)
        end = blank.start() if blank else len(text)
        for string in _GROUPED.sub(_as_one, text[start:end]).split():
            if len(string) <= LONGEST:
                yield string.strip(EDGES)
            else:
                yield from _pieces(string)
        start = end


def _as_one(number: re.Match[str]) -> str:
    return _BLANK.sub("'", number[0])


def _pieces(string: str) -> Iterator[str]:
    start = 0
    while start < len(string):
        end = start + LONGEST
        if end < len(string):
            found = _APART.match(string, start, end)
            end = found.end() if found else _beside_letter(string, end)
        yield string[start:end].strip(EDGES)
        start = end


def _beside_letter(string: str, place: int) -> int:
    """Return a place to cut that parts no letter from its marks, a little before one."""
    for before in range(place, place - _CLUSTER, -1):
        if not _JOINED.match(string, before):
            return before
    return place
