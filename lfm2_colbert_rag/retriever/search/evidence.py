"""Why a passage was found: which of its words answered which words of the query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import regex

from ..._support.graphemes import CHARACTER, JOINING, widen
from ..._support.scripts import KATAKANA, UNSPACED
from ...index.maxsim import similarities
from ...types import HeatMap, Match, TokenVectors, Window

Span: TypeAlias = tuple[int, int]

_LOOKED_AT = 4096  # characters of a word; none is longer, but mischief
_ALIKE = 1e-3  # strengths closer than this differ by rounding: vectors are kept in 16 bits
_LETTER = r"\p{L}\p{M}\p{N}"
_KATAKANA = rf"[{KATAKANA}]--[\u30fd-\u30ff]--\p{{So}}"
# Words, where spaces are put between them; what is written in katakana; else single characters:
# where words are written without spaces, a token is as near to one as one gets without a
# dictionary.
_PIECES = regex.compile(
    rf"(?V1s)(?:(?=[{_KATAKANA}]){CHARACTER})++"
    rf"|(?:(?=[[{_LETTER}]--[{UNSPACED}]]){CHARACTER})++"
    rf"|{CHARACTER}"
)
_BORDER = regex.compile(
    rf"(?V1r)(?<=[^{JOINING}])[^{JOINING}{_LETTER}]"
    rf"|(?<=[[{UNSPACED}]--[{JOINING}]])[[{UNSPACED}]--[{KATAKANA}]--[{JOINING}]]"
    r"|(?<!\p{Grapheme_Cluster_Break=Prepend})\x20"
)
_WORD = regex.compile(f"[{_LETTER}]")
_ENDS_UNSPACED = regex.compile(rf"(?V1r)[{UNSPACED}]\Z")


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
        One match for each word of the query, strongest first (to three places; equal ones as they
        are asked), all of them within the window. Markers and query expansion have no characters
        and take no part. Where words are written without spaces, a run of tokens that a run of
        tokens answered counts as a word.
    """
    heat = compare_tokens(query, query_text, window, text)
    if not heat.cosines.size:
        return ()
    matches: dict[Span, Match] = {}
    for i, j in enumerate(heat.cosines.argmax(axis=1)):
        (asked, asked_end), (found, found_end) = heat.query_spans[i], heat.passage_spans[j]
        match = Match(
            word_span(query_text, int(asked), int(asked_end)),
            word_span(text, int(found), int(found_end), window.span),
            # float16 vectors are not quite of unit length
            float(np.clip(heat.cosines[i, j], -1.0, 1.0)),
        )
        known = matches.get(match.query_span)
        if known is None or known.strength < match.strength:
            matches[match.query_span] = match
    joined = _join_unspaced(_outermost(list(matches.values())), query_text, text)
    # To three places: what a processor's way of rounding decides is no order.
    return tuple(sorted(joined, key=lambda m: (-round(m.strength, 3), m.query_span)))


def telling_matches(query: str, text: str, matches: Sequence[Match]) -> list[Match]:
    """Return the matches that are above their average, without punctuation.

    Every word of a question has a best match, and how strong matches are differs from model to
    model; only the comparison within one passage says which words made it. Wherever words of a
    passage are set off, it is these.

    Args:
        query: the question as it was asked.
        text: the passage.
        matches: its evidence.

    Returns:
        Matches in the order given.
    """
    words = [
        match
        for match in matches
        if _has_letter(query, match.query_span) and _has_letter(text, match.passage_span)
    ]
    average = sum(match.strength for match in words) / max(1, len(words))
    return [match for match in words if match.strength >= average - _ALIKE]


def _has_letter(text: str, span: Span) -> bool:
    start, end = span
    return any(map(str.isalnum, text[start : min(end, start + _LOOKED_AT)]))


def compare_tokens(query: TokenVectors, query_text: str, window: Window, text: str) -> HeatMap:
    """Compare all tokens that cover more than blanks; see :func:`find_matches`.

    Markers and query expansion have no characters and take no part.
    """
    asked = _visible(query.spans, query_text)
    found = _visible(window.encoded.spans, text)
    cosines = similarities(query.vectors[asked], window.encoded.vectors[found])
    return HeatMap(query.spans[asked], window.encoded.spans[found], cosines)


def _visible(spans: npt.NDArray[np.int32], text: str) -> npt.NDArray[np.int64]:
    """Return the rows of tokens that cover more than blanks."""
    shown = [not text[start:end].isspace() and start < end for start, end in spans.tolist()]
    return np.flatnonzero(np.array(shown, dtype=np.bool_))


def _outermost(matches: list[Match]) -> list[Match]:
    """Drop matches of what is only a part of another match's word."""
    kept: list[Match] = []
    reached = -1
    # The spans differ, and what contains one comes before it.
    for match in sorted(matches, key=lambda one: (one.query_span[0], -one.query_span[1])):
        if match.query_span[1] > reached:
            kept.append(match)
            reached = match.query_span[1]
    return kept


def _join_unspaced(matches: list[Match], query_text: str, text: str) -> list[Match]:
    """Join what follows one another both in the query and in the passage, without spaces.

    Where no spaces separate words, a run of tokens that was answered by a run of tokens is the
    nearest thing to a word; its strength is the mean of theirs.
    """
    runs: list[list[Match]] = []
    for match in sorted(matches, key=lambda one: one.query_span):
        if runs and _follows(runs[-1][-1], match, query_text, text):
            runs[-1].append(match)
        else:
            runs.append([match])
    return [
        Match(
            (run[0].query_span[0], run[-1].query_span[1]),
            (run[0].passage_span[0], run[-1].passage_span[1]),
            sum(match.strength for match in run) / len(run),
        )
        for run in runs
    ]


def _follows(one: Match, other: Match, query_text: str, text: str) -> bool:
    asked, found = one.query_span[1], one.passage_span[1]
    return (
        asked == other.query_span[0]
        and found == other.passage_span[0]
        and all(
            _is_word(piece) and _ENDS_UNSPACED.search(piece[-1:])
            for piece in (query_text[slice(*one.query_span)], text[slice(*one.passage_span)])
        )
        and _is_word(query_text[asked])
        and _is_word(text[found])
    )


def word_span(
    text: str, start: int, end: int, within: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Widen a token's span to the word around it, and drop the blanks at its ends.

    Scripts without spaces keep the token, but a word in katakana, which is written to be seen as
    one, is taken whole. No character is cut in two: letters keep their accents, emoji their parts.
    Nothing outside ``within`` is taken along.
    """
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return widen(text, (start, end), within, _PIECES, _BORDER)


def _is_word(piece: str) -> bool:
    return _WORD.search(piece, 0, _LOOKED_AT) is not None
