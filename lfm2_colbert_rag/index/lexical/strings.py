"""Texts cut at their blanks, and what is very long between two blanks where that changes no term.

Chinese and Japanese texts have no blanks at all, and what is no language (a dump of bytes, a row of
dashes) may have none for megabytes. Whoever analyses strings of bounded length needs bounded memory
for each, and gives other threads their turn in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .normalisation import marks

EDGES = ".,;:!?()[]{}\"'"
"""Characters that have no terms, nor change those of what stands between them."""
WITHIN = "\u00ad\u200c\u200d\u2060\ufeff"
"""Characters that are not seen, and are no end of a word."""
LONGEST = 4096
"""Characters of the longest string. Only a row of letters, of marks and of what may join words
(``- . / _ + #``) that is longer has other terms than it would have as a whole."""

_BLOCK = 1 << 16  # characters that are cut at their blanks together
_BLANK = re.compile(r"\s")
# As far as the last character that neither belongs to a word or code nor decides what does; of
# those beyond the first 65,536 only emoji are looked at.
_LOW = "".join(mark for mark in marks() if mark <= "\uffff")
_APART = re.compile(
    rf"(?s:.*)[^\w./+\#\-{re.escape(_LOW)}{WITHIN}\U00010000-\U0001efff\U000e0000-\U0010ffff]"
)
_JOINED = frozenset(marks() + WITHIN)
_CLUSTER = 32  # characters that a letter and its marks have at most, but for mischief


def strings(text: str) -> Iterator[str]:
    """Yield what stands between the blanks of a text, without :data:`EDGES` around it.

    What is longer than :data:`LONGEST` comes in pieces.

    Example:
        >>> list(strings("In short, yes."))
        ['In', 'short', 'yes']
    """
    start = 0
    while start < len(text):
        blank = _BLANK.search(text, start + _BLOCK)
        end = blank.start() if blank else len(text)
        for string in text[start:end].split():
            if len(string) <= LONGEST:
                yield string.strip(EDGES)
            else:
                yield from _pieces(string)
        start = end


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
        if string[before] not in _JOINED:
            return before
    return place
