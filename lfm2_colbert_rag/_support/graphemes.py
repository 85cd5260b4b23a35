"""What readers see as one character, which may be several code points; and what terminals obey."""

from __future__ import annotations

import regex

_PLAIN = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}")
_PLAIN |= dict.fromkeys(map(ord, "\t\n\v\f\r\x85"), " ")

_EXTEND = r"\p{M}\p{Grapheme_Cluster_Break=Extend}\p{Grapheme_Cluster_Break=SpacingMark}\u200d"
_PREPEND = r"\p{Grapheme_Cluster_Break=Prepend}"

CHARACTER = (
    # ``\X`` counts the flags before one anew for each; in pairs a long row of them stays linear.
    rf"(?:\p{{Regional_Indicator}}{{2}}|\X)[{_EXTEND}]*+"
    # A consonant fused with the one before by a virama, whichever version of Unicode ``\X`` knows.
    rf"(?:(?=\p{{Lo}})(?<=\p{{ccc=Virama}}[[{_EXTEND}]--[\u200c]]*)\p{{Lo}}[{_EXTEND}]*+)*+"
)
"""One character of a reader, as a pattern of :mod:`regex`, version 1.

A grapheme cluster (UAX #29), with all its combining marks, and with the consonants that are fused
with it in any script. It has to be matched from a border of characters onwards.
"""

# Characters that are looked at on either side of one: no word or character is longer, but mischief.
_REACH = 4096
_CHUNK = 1 << 16  # characters that are replaced in one go, in which no other thread runs

JOINING = (
    rf"{_EXTEND}{_PREPEND}\p{{Regional_Indicator}}\p{{Extended_Pictographic}}\r\n"
    r"\p{Grapheme_Cluster_Break=L}\p{Grapheme_Cluster_Break=V}\p{Grapheme_Cluster_Break=T}"
    r"\p{Grapheme_Cluster_Break=LV}\p{Grapheme_Cluster_Break=LVT}"
)
"""Code points that may be one character with a neighbour, as the inside of a set; of two others
that follow one another, each is a character of its own."""

_CHARACTERS = regex.compile(rf"(?V1s){CHARACTER}")
# Searched backwards (``r``): the nearest place that is certainly a border.
_BORDER = regex.compile(rf"(?V1r)(?<=[^{JOINING}])[^{JOINING}]|(?<![{_PREPEND}])\x20")


def whole_characters(
    text: str, span: tuple[int, int], within: tuple[int, int] | None = None
) -> tuple[int, int]:
    r"""Widen a span so that it cuts no character in two.

    Letters keep their accents and vowel signs, emoji their skin tones and families, flags their
    halves, and fused consonants each other. The result may join more than Unicode's grapheme
    clusters do (UAX #29), and never cuts one.

    Args:
        text: any text.
        span: characters ``[start, end)``; what lies outside the text is cut off.
        within: nothing outside these characters is taken along.

    Returns:
        The widened span; an empty one stays empty.

    Example:
        >>> whole_characters("e\u0301te\u0301", (2, 4))
        (2, 5)
    """
    return widen(text, span, within, _CHARACTERS, _BORDER)


def widen(
    text: str,
    span: tuple[int, int],
    within: tuple[int, int] | None,
    pieces: regex.Pattern[str],
    border: regex.Pattern[str],
) -> tuple[int, int]:
    """Widen a span so that it cuts no piece of a text in two, or of longer pieces some thousands.

    Args:
        text: any text.
        span: characters ``[start, end)``; what lies outside the text is cut off.
        within: nothing outside these characters is taken along.
        pieces: matches one piece, from where it begins; any text is a row of them.
        border: matches, searched backwards, where a piece begins; not everywhere it does.

    Returns:
        The widened span; an empty one stays empty.
    """
    low, high = (0, len(text)) if within is None else within
    start, end = (max(low, min(edge, high)) for edge in span)
    if start >= end:
        return start, start
    left, right = _piece_at(text, start, pieces, border)
    if right < end:
        right = _piece_at(text, end - 1, pieces, border)[1]
    return max(low, min(start, left)), min(high, max(end, right))


def _piece_at(
    text: str, place: int, pieces: regex.Pattern[str], border: regex.Pattern[str]
) -> tuple[int, int]:
    """Return where the piece around a character begins and ends, as far as one looks."""
    # From an even place, as most rows of flags begin at one: halves of two flags are none.
    low, high = max(0, place - _REACH) & ~1, min(len(text), place + _REACH)
    known = border.search(text, low, place + 1)
    found = (place, place + 1)
    for piece in pieces.finditer(text, known.start() if known else low, high):
        found = piece.span()
        if found[1] > place:
            break
    return found


def plain(text: str) -> str:
    """Replace what could drive a terminal, one character for one so that spans stay true.

    Line breaks and tabs become spaces; other control characters (an escape sequence in a stored
    text, say) become the replacement character.
    """
    parts = range(0, len(text), _CHUNK)
    return "".join([text[start : start + _CHUNK].translate(_PLAIN) for start in parts])
