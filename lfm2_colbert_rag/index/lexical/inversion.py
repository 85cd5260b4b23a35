"""Texts to posting lists: analysed, and their terms counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .occurrences import find_occurrences
from .postings import LENGTHS, Postings

# Texts that are analysed together, and their characters.
_PART, _CHARACTERS = 1000, 4_000_000


def invert_texts(texts: Sequence[str], first: int = 0) -> Postings:
    """Analyse texts; their places, counted from ``first``, take the place of rows.

    Example:
        >>> postings = invert_texts(["red fox", "fox, fox"])
        >>> {term: counts.tolist() for term, _, counts in postings}[""]
        [7, 7]
    """
    found = find_occurrences(texts)
    lengths = np.bincount(found.places, weights=found.counts, minlength=len(texts))
    sizes = np.bincount(found.ranks, minlength=len(found.terms))
    return Postings(
        [LENGTHS, *found.terms],
        np.cumsum(np.concatenate(([0, len(texts)], sizes))),
        np.concatenate((np.arange(len(texts)), found.places)) + first,
        np.concatenate((lengths.astype(np.int64), found.counts)),
    )


def in_parts(texts: Sequence[str]) -> list[Postings]:
    """Return the postings of texts, some of them at a time, which needs less memory."""
    return [invert_texts(texts[start:end], start) for start, end in _parts(texts)]


def _parts(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    start, characters = 0, 0
    for place, text in enumerate(texts):
        characters += len(text)
        if place > start and (place - start == _PART or characters > _CHARACTERS):
            yield start, place
            start, characters = place, len(text)
    if start < len(texts):
        yield start, len(texts)
