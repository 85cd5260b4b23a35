"""Why a passage was found: which of its words answered which words of the query."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from .characters import continues, whole_characters
from .scoring import similarities
from .types import Match, TokenVectors, Window

# First and last code point of scripts that write words without spaces between them. There a
# token is as near to a word as one gets without a dictionary.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # CJK radicals
    (0x3005, 0x30FF),  # ideographic iteration mark, kana
    (0x31F0, 0x31FF),  # kana extensions
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),  # Han compatibility
    (0x20000, 0x3FFFF),  # Han extensions
)


def find_matches(
    query: TokenVectors,
    query_text: str,
    window: Window,
    text: str,
) -> tuple[Match, ...]:
    """Pair each word of the query with the word of the passage that answered it best.

    Args:
        query: the encoded query.
        query_text: its text.
        window: the part of the passage to look in.
        text: the whole passage's text.

    Returns:
        One match for each word of the query, strongest first; all of them within the window.
        Markers and query expansion have no characters and take no part.
    """
    document, spans = window.encoded.vectors, window.encoded.spans
    query_rows = np.flatnonzero(query.spans[:, 1] > query.spans[:, 0])
    document_rows = np.flatnonzero(spans[:, 1] > spans[:, 0])
    if not len(query_rows) or not len(document_rows):
        return ()
    cosines = similarities(query.vectors[query_rows], document[document_rows])
    best = cosines.argmax(axis=1)
    matches: dict[tuple[int, int], Match] = {}
    for i, j in enumerate(best):
        (asked, asked_end), (found, found_end) = query.spans[query_rows[i]], spans[document_rows[j]]
        match = Match(
            word_span(query_text, int(asked), int(asked_end)),
            word_span(text, int(found), int(found_end), window.span),
            # float16 vectors are not quite of unit length
            float(np.clip(cosines[i, j], -1.0, 1.0)),
        )
        known = matches.get(match.query_span)
        if known is None or known.strength < match.strength:
            matches[match.query_span] = match
    return tuple(sorted(matches.values(), key=lambda m: (-m.strength, m.query_span)))


def word_span(
    text: str, start: int, end: int, within: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Widen a token's span to the word around it, and drop the blanks at its ends.

    Scripts without spaces keep the token, but a word in katakana, which is written to be seen as
    one, is taken whole. No character is cut in two: letters keep their accents, emoji their parts.
    Nothing outside ``within`` is taken along.
    """
    low, high = (0, len(text)) if within is None else within
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    start, end = whole_characters(text, (start, end), (low, high))
    if start == end or not _is_word(text[start:end]):
        return start, end
    while start > low and _belongs(text, start, low):
        start -= 1
    while end < high and _belongs(text, end, low):
        end += 1
    return whole_characters(text, (start, end), (low, high))


def _is_word(piece: str) -> bool:
    return any(unicodedata.category(c)[0] in "LMN" for c in piece)


def _belongs(text: str, place: int, low: int) -> bool:
    """Tell whether the characters before and at a place are parts of one word."""
    before, here = place - 1, text[place]
    if continues(text, place):
        return True
    while before > low and continues(text, before):
        before -= 1  # to the letter that carries what stands here
    letter = text[before]
    if _is_katakana(letter) and _is_katakana(here):
        return True
    return _is_word(letter) and _is_word(here) and not (_is_unspaced(letter) or _is_unspaced(here))


def _is_unspaced(character: str) -> bool:
    point = ord(character)
    return any(first <= point <= last for first, last in _UNSPACED)


def _is_katakana(character: str) -> bool:
    return "\u30a1" <= character <= "\u30fa" or character == "\u30fc"


def merge_spans(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join overlapping and touching spans; the result ascends."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
