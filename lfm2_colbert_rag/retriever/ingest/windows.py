"""Long texts in overlapping windows, each of which an encoder reads whole.

A window ends where a paragraph or a sentence does, if one ends in its second half, and begins
where a sentence begins, if one begins within the overlap. Failing that, borders are at line breaks,
at words, and last between characters: scripts that write neither blanks nor full stops, such as
Thai, are cut where their tokens begin.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ...encoder.protocol import Encoder
from ...errors import ConfigError

Span: TypeAlias = tuple[int, int]
_Places: TypeAlias = npt.NDArray[np.int32]

# A full stop ends a sentence before a blank only ("3.14", "example.org"); the marks of other
# scripts do so wherever they stand.
_STOPS, _MARKS = ".!?…", "。！？｡．؟۔։।॥။៕።፧༎"
_CLOSING = "\"'”’»›)\\]}）」』】》〉〕］｣"
# Each kind of border twice: how it begins, which is found fast, and what it is there as a whole.
_SENTENCE = (
    re.compile(rf"[{_STOPS}{_MARKS}][{_STOPS}]*+"),
    re.compile(rf"(?:[{_STOPS}]++[{_CLOSING}]*+(?=\s)|[{_MARKS}]++[{_CLOSING}]*+)\s*+"),
)
_PARAGRAPH = re.compile(r"[\n\u2029]"), re.compile(r"\n[^\S\n]*+\n\s*+|\u2029\s*+")
_LINE = re.compile(r"[\n\u2028]"), re.compile(r"[\n\u2028]\s*+")
_BLANK = re.compile(r"\s"), re.compile(r"\s++")
_JOINER = "\N{ZERO WIDTH JOINER}"

# A paragraph may end a window this far before it is full, in parts of its tokens; a sentence or
# a word that far.
_PARAGRAPH_REACH, _REACH = 4, 2
_OVERLAP = 8
_PIECES = 256  # windows of which the tokens are counted together
_TOGETHER = 1 << 15  # characters that are looked at in one go, so that other threads get theirs


def check_overlap(overlap: int | None, room: int) -> int:
    """Return how many tokens consecutive windows may share.

    Args:
        overlap: what the caller wants; None for an eighth of a window.
        room: tokens that a window holds.

    Raises:
        ConfigError: it is no whole number from 0 to ``room - 1``.

    Example:
        >>> check_overlap(None, 509)
        63
    """
    if overlap is None:
        return max(0, room // _OVERLAP)
    if isinstance(overlap, bool) or not isinstance(overlap, int) or not 0 <= overlap < room:
        raise ConfigError(
            f"window_overlap must be a whole number of tokens from 0 to {room - 1}, one less than "
            f"the model reads of a text, not {overlap!r}."
        )
    return overlap


def find_windows(
    encoder: Encoder,
    texts: Sequence[str],
    overlap: int,
    *,
    room: int | None = None,
    least: int | None = None,
) -> list[list[Span]]:
    """Cut each text into windows that the encoder reads whole.

    Args:
        encoder: its tokens are counted, in each whole text and again in each window.
        texts: of any length; the time grows in proportion to it.
        overlap: tokens of the text that consecutive windows share at most.
        room: tokens that a window holds; as many as the encoder reads of a passage when None.
        least: end a window with the first sentence that ends after so many tokens, not with the
            last that there is room for.

    Returns:
        For each text the characters ``[start, end)`` of its windows, which cover all of it; a
        single one if the text fits. A character that alone takes more tokens than there is room
        for is a window of its own, and the only thing that is ever cut off.

    Example:
        >>> from lfm2_colbert_rag.testing import HashEncoder
        >>> text = "One two three. Four five six. Seven eight."
        >>> windows = find_windows(HashEncoder(document_length=8), [text], overlap=0)[0]
        >>> [text[start:end] for start, end in windows]
        ['One two three. Four five six. ', 'Seven eight.']
    """
    if room is None:
        room = encoder.document_room
    all_spans = encoder.token_spans(texts)
    windows = [[(0, len(text))] for text in texts]
    borders = {
        i: Borders(texts[i], spans) for i, spans in enumerate(all_spans) if len(spans) > room
    }
    del all_spans  # of a text without blanks they take as much as all that is kept of it
    # A piece of a text may have a few tokens more than it had within the text, so each is counted
    # by itself, and texts with a piece too long are cut again with less in a window.
    lengths = dict.fromkeys(borders, max(1, room))
    while lengths:
        for i, length in lengths.items():
            windows[i] = borders[i].cut(length, overlap, least)
        excess = dict.fromkeys(lengths, 0)
        cuts = [(i, span) for i in lengths for span in windows[i]]
        for at in range(0, len(cuts), _PIECES):
            some = cuts[at : at + _PIECES]
            counted = encoder.token_spans([texts[i][start:end] for i, (start, end) in some])
            for (i, _), spans in zip(some, counted, strict=True):
                excess[i] = max(excess[i], len(spans) - room)
        lengths = {
            i: max(1, length - excess[i])
            for i, length in lengths.items()
            if excess[i] > 0 and length > 1
        }
    return windows


class Borders:
    """Where a text may be cut, best places first, and the tokens between.

    Args:
        text: the text.
        spans: ``(num_tokens, 2)`` characters of its tokens, ascending; at least one.

    Example:
        >>> spans = np.array([(0, 3), (3, 4), (5, 8), (8, 9)])
        >>> Borders("One. Two.", spans).cut(2, overlap=0)
        [(0, 5), (5, 9)]
    """

    def __init__(self, text: str, spans: npt.NDArray[np.integer]) -> None:
        self._text = text
        # Each in a row of its own: to search one that is not would mean to copy it every time.
        self._starts, self._stops = (
            np.maximum.accumulate(spans[:, side], dtype=np.int32) for side in (0, 1)
        )
        self._paragraphs = _ends(_PARAGRAPH, text)
        self._sentences = np.union1d(self._paragraphs, _ends(_SENTENCE, text))
        self._lines = np.union1d(self._sentences, _ends(_LINE, text))
        self._words = _ends(_BLANK, text)

    def cut(self, length: int, overlap: int, least: int | None = None) -> list[Span]:
        """Cut the text into windows.

        Args:
            length: tokens of the text that lie in a window, whole or in part; at least 1.
            overlap: tokens that begin within two consecutive windows, at most.
            least: see :func:`find_windows`.

        Returns:
            Characters ``[start, end)``, each window starting after the one before it.
        """
        overlap = min(overlap, length - 1)
        windows: list[Span] = []
        start, done = 0, 0
        while done < len(self._text):
            end = self._first_sentence(start, length, least) or self._end(start, length, overlap)
            if end > done:  # else before a character of more tokens than a window holds
                windows.append((start, end))
                done = end
            start = self._next_start(start, end, overlap)
        return windows

    @property
    def sentences(self) -> _Places:
        """Where sentences, and paragraphs, end."""
        return self._sentences

    def _first_sentence(self, start: int, length: int, least: int | None) -> int | None:
        """Return where the first sentence ends that makes a window long enough."""
        if least is None:
            return None
        first = self._before(start)
        if first + least > len(self._starts):
            return None
        low = int(self._starts[first + min(least, length) - 1]) + 1
        beyond = first + length
        high = int(self._starts[beyond]) if beyond < len(self._starts) else len(self._text)
        return _first(self._sentences, low, high + 1)

    def _end(self, start: int, length: int, overlap: int) -> int:
        """Return where the window ends that begins here."""
        first = self._before(start)
        if first and self._stops[first - 1] > start:  # the window begins within a token
            first -= 1
        if first + length >= len(self._starts):
            return len(self._text)
        last = int(self._starts[first + length])
        if last <= start:  # all the tokens of one character; the window must still get ahead
            following = self._before(start + 1)
            return (
                int(self._starts[following]) if following < len(self._starts) else len(self._text)
            )

        def reach(part: int) -> int:
            # More than the overlap must be new, or the next window would not get ahead.
            low = self._starts[first + max(overlap, length - length // part - 1)]
            return max(start, int(low)) + 1

        return (
            _last(self._paragraphs, reach(_PARAGRAPH_REACH), last)
            or _last(self._sentences, reach(_REACH), last)
            or _last(self._lines, reach(_REACH), last)
            or _last(self._words, reach(_REACH), last)
            or _last(self._harmless, reach(_REACH), last)
            or last
        )

    def _next_start(self, start: int, end: int, overlap: int) -> int:
        """Return where the window begins that follows one from start to end."""
        tokens = self._before(end)
        if not overlap or tokens - overlap <= self._before(start):
            return end
        low = int(self._starts[tokens - overlap - 1]) + 1
        return (
            _first(self._sentences, low, end)
            or _first(self._lines, low, end)
            or _first(self._words, low, end)
            or _first(self._harmless, low, end)
            or end
        )

    def _before(self, place: int) -> int:
        """Count the tokens that begin before a place."""
        return _count_below(self._starts, place)

    @cached_property
    def _harmless(self) -> _Places:
        """Where tokens begin that a cut parts from no letter, no bracket and no emoji before."""
        return _find_harmless(self._text, self._starts)


def _find_harmless(text: str, starts: _Places) -> _Places:
    found = []
    for begin in range(0, len(text), _TOGETHER):
        first, beyond = (_count_below(starts, at) for at in (begin, begin + _TOGETHER))
        places = starts[first:beyond]
        # One character before, too: a blank stands for what is before the first.
        part = text[begin - 1 : begin + _TOGETHER] if begin else f" {text[:_TOGETHER]}"
        codes = np.frombuffer(part.encode("utf-32-le", "surrogatepass"), np.uint32)
        before, own = codes[places - begin], codes[places - begin + 1]
        distinct, numbers = np.unique(own, return_inverse=True)
        clings = np.array([_clings(chr(code)) for code in distinct.tolist()], dtype=np.bool_)
        found.append(places[~clings[numbers] & (before != ord(_JOINER))])
    return np.concatenate(found)


@lru_cache(maxsize=1 << 12)
def _clings(character: str) -> bool:
    """Tell whether a character belongs to the one before it."""
    category = unicodedata.category(character)
    return category[0] == "M" or category in ("Pe", "Pf", "Po") or character == _JOINER


def _ends(kind: tuple[re.Pattern[str], re.Pattern[str]], text: str) -> _Places:
    return np.fromiter(_find_ends(*kind, text), dtype=np.int32)


def _find_ends(beginning: re.Pattern[str], border: re.Pattern[str], text: str) -> Iterator[int]:
    place = 0
    while found := beginning.search(text, place):
        whole = border.match(text, found.start())
        place = whole.end() if whole else found.end()
        if whole:
            yield place


def _last(places: _Places, low: int, high: int) -> int | None:
    """Return the last place from low to high; None if there is none."""
    found = _count_below(places, high + 1) - 1
    return int(places[found]) if found >= 0 and places[found] >= low else None


def _first(places: _Places, low: int, high: int) -> int | None:
    """Return the first place from low to before high; None if there is none."""
    found = _count_below(places, low)
    return int(places[found]) if found < len(places) and places[found] < high else None


def _count_below(places: _Places, place: int) -> int:
    return int(places.searchsorted(np.int32(place)))
