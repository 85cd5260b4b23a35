"""Texts in one normal form, and where each of its characters lies in the text as it was given.

What looks the same may be written with one character or with several: ``é``, or ``e`` and an
accent. Tokenizers see two words there, which some files and systems write one way, some the other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np
import numpy.typing as npt
import regex

from .config import NORMAL_FORM

# Marks that are put in order, and composed with a letter, together: no letter has so many, and
# Unicode compares each of a row with all.
_MARKS = 64
_CHANGING = regex.compile(
    rf"(?s).[\p{{M}}\p{{NFC_Quick_Check=Maybe}}]{{1,{_MARKS}}}|\p{{NFC_Quick_Check=No}}"
)

_TOGETHER = 1 << 14  # spans that are moved in one go: what that takes is many times their size

_NONE = np.empty((0, 4), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class NormalText:
    """A text in its normal form.

    Attributes:
        text: the text.
        changes: ``(n, 4)`` int64, ascending: where what was composed or taken apart begins and
            ends in ``text``, and where it does so in the text as it was given.
    """

    text: str
    changes: npt.NDArray[np.int64] = field(default_factory=lambda: _NONE)

    def as_given(self, spans: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return where in the text as it was given some characters lie.

        Args:
            spans: ``(n, 2)`` characters ``[start, end)`` of :attr:`text`.

        Returns:
            ``(n, 2)`` int32; of what was changed, all that was written in its place.

        Example:
            >>> normal_form("re\u0301sume\u0301").as_given(np.array([[0, 2], [5, 6]], np.int32))
            array([[0, 3],
                   [6, 8]], dtype=int32)
        """
        if not len(self.changes):
            return spans
        moved = np.empty_like(spans)
        for at in range(0, len(spans), _TOGETHER):
            some = slice(at, at + _TOGETHER)
            moved[some, 0] = self._moved(spans[some, 0], "right", 0)
            moved[some, 1] = self._moved(spans[some, 1], "left", 1)
        return moved

    def _moved(self, places: npt.NDArray[np.int32], side: str, edge: int) -> npt.NDArray[np.int64]:
        """Return where places are, those within a change at one of its edges."""
        changes = self.changes
        number = np.searchsorted(changes[:, 0], places, side=side) - 1  # type: ignore[call-overload]
        last = changes[np.maximum(number, 0)]
        within = places < last[:, 1] if edge == 0 else places <= last[:, 1]
        moved = np.where(within, last[:, 2 + edge], places + last[:, 3] - last[:, 1])
        return np.where(number < 0, places, moved)


def normal_form(text: str) -> NormalText:
    r"""Return a text in NFC. Most are in it, and cost next to nothing.

    Args:
        text: any text.

    Example:
        >>> normal_form("re\u0301sume\u0301").text
        'résumé'
    """
    if text.isascii() or unicodedata.is_normalized(NORMAL_FORM, text):
        return NormalText(text)
    parts, changes = [], []
    known = size = 0
    for start, end, new in _changes(text):
        size += start - known
        parts += [text[known:start], new]
        changes.append((size, size + len(new), start, end))
        known, size = end, size + len(new)
    whole = "".join([*parts, text[known:]])
    return NormalText(whole, np.array(changes, dtype=np.int64).reshape(-1, 4))


def _changes(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield what is written otherwise in the normal form: where, and how."""
    for found in _CHANGING.finditer(text):
        new = unicodedata.normalize(NORMAL_FORM, found[0])
        if new != found[0]:
            # A line break may stand before marks, and is no part of what is made of them.
            before = _alike(found[0], new)
            after = _alike(reversed(found[0][before:]), reversed(new[before:]))
            end = len(new) - after
            yield found.start() + before, found.end() - after, new[before:end]


def _alike(one: Iterable[str], other: Iterable[str]) -> int:
    """Count the characters that two different strings begin with alike."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
