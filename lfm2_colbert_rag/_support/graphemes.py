"""What readers see as one character, which may be several code points; and what terminals obey."""

from __future__ import annotations

import unicodedata

_ZWNJ, _ZWJ = "\N{ZERO WIDTH NON-JOINER}", "\N{ZERO WIDTH JOINER}"
_VIRAMA = 9  # the combining class of signs that fuse two consonants into one shape

_PLAIN = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}")
_PLAIN |= dict.fromkeys(map(ord, "\t\n\v\f\r\x85"), " ")


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
    low, high = (0, len(text)) if within is None else within
    start, end = (max(low, min(edge, high)) for edge in span)
    if start >= end:
        return start, start
    while low < start and continues(text, start):
        start -= 1
    while end < high and continues(text, end):
        end += 1
    return start, end


def continues(text: str, position: int) -> bool:
    """Tell whether the code point at a position belongs to the same character as the one before.

    Args:
        text: any text.
        position: from 1 to ``len(text) - 1``.
    """
    here, before = text[position], text[position - 1]
    if _extends(here):
        return True
    if _is_fused(text, position):
        return True
    if before == _ZWJ:  # families of emoji; a letter after it begins a character of its own
        return unicodedata.category(here)[0] not in "LZC"
    if _is_flag_half(here) and _is_flag_half(before):
        return _flag_halves_before(text, position) % 2 == 1
    return _joins_hangul(before, here) or (before == "\r" and here == "\n")


def plain(text: str) -> str:
    """Replace what could drive a terminal, one character for one so that spans stay true.

    Line breaks and tabs become spaces; other control characters (an escape sequence in a stored
    text, say) become the replacement character.
    """
    return text.translate(_PLAIN)


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character)[0] == "M"  # accents, vowel signs, variation selectors
        or character in (_ZWNJ, _ZWJ)
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags, of the flags of England or Wales
        or character in "\u0e33\u0eb3"  # am, a vowel of Thai and Lao with a sign above
        or character in "\uff9e\uff9f"  # voicing marks of half-width kana
    )


def _is_fused(text: str, position: int) -> bool:
    """Tell whether a consonant follows a virama, with nothing but other signs between them."""
    if unicodedata.category(text[position]) != "Lo":
        return False
    at = position - 1
    while at >= 0 and _extends(text[at]) and text[at] != _ZWNJ:
        if unicodedata.combining(text[at]) == _VIRAMA:
            return True
        at -= 1
    return False


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_halves_before(text: str, position: int) -> int:
    first = position
    while first > 0 and _is_flag_half(text[first - 1]):
        first -= 1
    return position - first


def _joins_hangul(before: str, here: str) -> bool:
    """Tell whether two code points are parts of one decomposed syllable."""
    leading = "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c"
    vowel_or_final = "\u1160" <= here <= "\u11ff" or "\ud7b0" <= here <= "\ud7fb"
    return vowel_or_final or (
        leading
        and (
            "\u1100" <= here <= "\u115f"
            or "\ua960" <= here <= "\ua97c"
            or "\uac00" <= here <= "\ud7a3"
        )
    )
