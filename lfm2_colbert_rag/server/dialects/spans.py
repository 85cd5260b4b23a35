"""The parts of a text that answer a query, made of the words that do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...types import Hit, Match

_GAP = 2  # characters between words of one part: a blank, or a comma and a blank


@dataclass(frozen=True)
class Span:
    """A part of a text.

    Attributes:
        start: its first character.
        end: the one after its last.
        score: the strength of its strongest word, 0 to 1.
    """

    start: int
    end: int
    score: float


def spans_of(hit: Hit, least: float, most: int | None) -> list[Span]:
    """Return the parts of a hit that answer the query, strongest first.

    Words side by side are one part.

    Args:
        hit: the hit.
        least: the score below which a part is left out.
        most: how many there are at most; None for all.

    Example:
        >>> words = (Match((0, 5), (4, 9), 0.9), Match((6, 9), (10, 13), 0.5))
        >>> hit = Hit("1", 1.0, 1.0, "The reset key", {}, _find_evidence=lambda: words)
        >>> spans_of(hit, 0.1, None)
        [Span(start=4, end=13, score=0.9)]
    """
    # What is weaker joins no part either: a part should be about what was asked.
    words = [one for one in hit.evidence if one.strength >= least]
    found = sorted(_joined(words), key=lambda span: (-span.score, span.start))
    return found[:most]


def _joined(words: Iterable[Match]) -> Iterator[Span]:
    last: Span | None = None
    for word in sorted(words, key=lambda one: one.passage_span):
        start, end = word.passage_span
        score = min(1.0, max(0.0, float(word.strength)))
        if last is not None and start <= last.end + _GAP:
            last = Span(last.start, max(last.end, end), max(last.score, score))
            continue
        if last is not None:
            yield last
        last = Span(start, end, score)
    if last is not None:
        yield last
