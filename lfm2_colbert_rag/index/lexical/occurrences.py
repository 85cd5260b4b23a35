"""How often each term occurs in each of some texts."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from .analyser import pair_number, pair_term, read_token
from .blocks import Numbers
from .sorting import sort_terms
from .strings import strings

# Occurrences that are held before they are counted, and distinct strings that are remembered.
_HELD, _KNOWN = 1 << 18, 1 << 14
_KEPT = 32  # a longer string is not remembered


class Occurrences(NamedTuple):
    """How often terms occur in texts.

    Attributes:
        terms: ascending, each once.
        ranks: ``(n,)`` int64, which of the terms, ascending.
        places: ``(n,)`` int64, in which of the texts, ascending within a term.
        counts: ``(n,)`` int64, how often, at least once.
    """

    terms: list[str]
    ranks: Numbers
    places: Numbers
    counts: Numbers


def find_occurrences(texts: Sequence[str]) -> Occurrences:
    """Analyse texts. What several share is looked at once, which most of the speed comes from.

    What it takes beside the distinct terms does not depend on how long the texts are.

    Returns:
        The terms that :func:`~.analyser.analyse` gives for each of them.

    Example:
        >>> found = find_occurrences(["fox, fox"])
        >>> found.terms, found.counts.tolist()
        (['_fox', '_fox_', 'fox_', '~15d9'], [2, 2, 2, 1])
    """
    reader = _Reader(len(texts))
    for place, text in enumerate(texts):
        reader.read(place, text)
    return reader.occurrences()


# How a string begins and ends for pairs, as in a token, and the numbers of its terms, as bytes of
# an array. Of plain values alone, as tokens are, and so is the dictionary of all terms.
_Entry: TypeAlias = tuple[bytes, int | None, bytes]


class _Reader:
    """Numbers the terms as they come, and counts them now and then.

    Args:
        texts: how many there will be.
    """

    def __init__(self, texts: int) -> None:
        self._texts = max(1, texts)
        self._numbers: dict[str, int] = {}
        self._strings: dict[str, _Entry | None] = {}
        self._held = array("i")  # numbers of terms; of pairs, -1 less their own
        self._sizes: list[tuple[int, int]] = []  # places, and how many of those held are theirs
        self._counted: list[tuple[Numbers, Numbers]] = []

    def read(self, place: int, text: str) -> None:
        """Count the terms of the text at a place."""
        seed: int | None = None
        known, held, before = self._strings, self._held, len(self._held)
        for string in strings(text):
            try:
                entry = known[string]
            except KeyError:
                entry = self._learn(string)
            if entry is None:
                continue
            head, next_seed, numbers = entry
            held.frombytes(numbers)
            if head and seed is not None:
                held.append(-1 - pair_number(seed, head))
            seed = next_seed
            if len(held) > _HELD:
                self._sizes.append((place, len(held) - before))
                self._count()
                before = 0
        self._sizes.append((place, len(held) - before))

    def occurrences(self) -> Occurrences:
        """Return what was counted of all texts, by term and place."""
        self._count()
        keys, counts = _summed(self._counted)
        numbers, places = np.divmod(keys, self._texts)
        pairs = numbers[numbers < 0]
        names = {number: pair_term(-1 - number) for number in np.unique(pairs).tolist()}
        terms = sort_terms([*(one for one in self._numbers if one[0] != "~"), *names.values()])
        ranks = self._ranks(terms, names)
        keys = ranks[numbers] * self._texts + places
        order = np.argsort(keys)
        return Occurrences(terms, *np.divmod(keys[order], self._texts), counts[order])

    def _learn(self, string: str) -> _Entry | None:
        entry: _Entry | None = None
        if (token := read_token(string)) is not None:
            terms, _, head, seed = token
            entry = head, seed, self._numbered(terms)
        if len(string) <= _KEPT:
            if len(self._strings) >= _KNOWN:
                self._strings.clear()
            self._strings[string] = entry
        return entry

    def _numbered(self, terms: Sequence[str]) -> bytes:
        """Return the numbers of terms; that of a pair is one, wherever its words stand."""
        numbers = self._numbers
        try:
            return array("i", map(numbers.__getitem__, terms)).tobytes()
        except KeyError:
            for term in terms:
                if term not in numbers:
                    numbers[term] = -1 - int(term[1:], 16) if term[0] == "~" else len(numbers)
        return array("i", map(numbers.__getitem__, terms)).tobytes()

    def _count(self) -> None:
        """Count what is held."""
        places, sizes = np.array(self._sizes, dtype=np.int64).reshape(-1, 2).T
        numbers = np.frombuffer(self._held, dtype=np.intc).astype(np.int64)
        keys = numbers * self._texts + np.repeat(places, sizes)
        self._counted.append(_counted(keys))
        del numbers  # which keeps the array below from shrinking
        del self._held[:]
        self._sizes.clear()

    def _ranks(self, terms: Sequence[str], names: dict[int, str]) -> Numbers:
        """Return the place of each number's term among all; those of pairs lie at the end."""
        lowest = min(names, default=0)
        ranks = np.zeros(len(self._numbers) - lowest, dtype=np.int64)
        pairs = {term: number for number, term in names.items()}
        numbers = self._numbers
        for rank, term in enumerate(terms):
            ranks[pairs[term] if term in pairs else numbers[term]] = rank
        return ranks


def _counted(keys: Numbers) -> tuple[Numbers, Numbers]:
    """Return each key once, ascending, and how often it was there."""
    keys.sort()
    begins = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
    return keys[begins], np.diff(begins, append=len(keys))


def _summed(parts: Sequence[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    """Return the keys of all parts once, ascending, and the sums of their counts."""
    if len(parts) == 1:
        return parts[0]
    keys, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    begins = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
    return keys[begins], np.add.reduceat(counts[order], begins) if len(begins) else counts
