"""Show which words of a passage answered the question."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from .._support.graphemes import plain, whole_characters
from ..retriever.search.evidence import telling_matches

if TYPE_CHECKING:
    from rich.text import Text

    from ..types import Hit

__all__ = ["highlight_passage", "highlight_query", "highlight_words"]

Span: TypeAlias = tuple[int, int]

STYLES = ((0.7, "bold underline green"), (-1.0, "underline yellow"))
"""From this strength up, this style; it must read without colours too."""

_LEAD_IN = 60  # characters shown before the first match of a long passage


def highlight_passage(
    query: str, hit: Hit, *, limit: int | None = None, marks: bool = False
) -> Text:
    """Return a hit's text with the words highlighted that answered the question.

    Args:
        query: the question as it was searched for.
        hit: what the search returned.
        limit: characters to show, around the strongest match; the whole text when omitted.
        marks: put ``*`` around each word as well, for output that carries no styles.

    Returns:
        A rich text in one line.
    """
    from rich.text import Text

    telling = telling_matches(query, hit.text, hit.evidence)
    matches = [(match.passage_span, match.strength) for match in telling]
    anchor = matches[0][0][0] if matches else (hit.window or (0, 0))[0]
    start, end = _window(hit.text, anchor, limit)
    inside = [((a - start, b - start), s) for (a, b), s in matches if a >= start and b <= end]
    text = highlight_words(hit.text[start:end], inside, marks=marks)
    if start > 0:
        text = Text("…") + text
    return text.append("…") if end < len(hit.text) else text


def highlight_query(query: str, hit: Hit, *, marks: bool = False) -> Text:
    """Return the question with the words highlighted that a hit answered.

    Args:
        query: the question as it was searched for.
        hit: what the search returned.
        marks: put ``*`` around each word as well.

    Returns:
        A rich text in one line.
    """
    telling = telling_matches(query, hit.text, hit.evidence)
    matches = [(match.query_span, match.strength) for match in telling]
    return highlight_words(query, matches, marks=marks)


def highlight_words(
    text: str, matches: Iterable[tuple[Span, float]], *, marks: bool = False
) -> Text:
    """Highlight spans of a text, stronger matches over weaker ones.

    Args:
        text: any text; what could drive a terminal is shown as a replacement character.
        matches: character spans with their strengths.
        marks: put ``*`` around each highlighted stretch as well.

    Returns:
        A rich text in one line.
    """
    from rich.text import Text

    styles: list[str | None] = [None] * len(text)
    for span, strength in sorted(matches, key=lambda match: match[1]):
        chosen = next(style for lowest, style in STYLES if strength >= lowest)
        start, end = whole_characters(text, span)
        styles[start:end] = [chosen] * (end - start)
    same = _both_or_neither if marks else operator.eq
    result = Text()
    shown, start = plain(text), 0
    while start < len(text):
        end = start + 1
        while end < len(text) and same(styles[end], styles[start]):
            end += 1
        stretch, style = shown[start:end], styles[start]
        result.append(f"*{stretch}*" if marks and style else stretch, style)
        start = end
    return result


def _both_or_neither(one: object, other: object) -> bool:
    return bool(one) == bool(other)


def _window(text: str, anchor: int, limit: int | None) -> Span:
    if limit is None or len(text) <= limit:
        return 0, len(text)
    start = min(max(0, anchor - _LEAD_IN), len(text) - limit)
    return whole_characters(text, (start, start + limit))
