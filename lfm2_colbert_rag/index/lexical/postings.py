"""Posting lists: which passages hold a term and how often.

The lengths of passages are kept as one more list, under the empty term, which no text gives.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .analyser import pair_number, pair_seed, pair_term, read_token

Numbers = npt.NDArray[np.int64]

LENGTHS = ""
"""The term under which the numbers of terms of all passages are kept."""

# Texts that are analysed together.
_PART = 1000


@dataclass(frozen=True, eq=False)
class Postings:
    """The lists of some passages.

    Attributes:
        terms: ascending, each once.
        starts: ``(len(terms) + 1,)`` where each term's entries begin in the two arrays below.
        rows: ``(entries,)`` int64 rows, or places in the texts, ascending within a term.
        counts: ``(entries,)`` int64, how often the term is in the passage.
    """

    terms: Sequence[str]
    starts: Numbers
    rows: Numbers
    counts: Numbers

    @classmethod
    def of(cls, texts: Sequence[str], first: int = 0) -> Postings:
        """Analyse texts; their places, counted from ``first``, take the place of rows.

        Example:
            >>> postings = Postings.of(["red fox", "fox, fox"])
            >>> {term: counts.tolist() for term, _, counts in postings}[""]
            [7, 7]
        """
        vocabulary = _Vocabulary()
        codes = [vocabulary.encode(text) for text in texts]
        lengths = np.array([len(each) // 4 for each in codes], dtype=np.int64)
        numbers = np.frombuffer(b"".join(codes), dtype=np.int32)
        terms, ranks = vocabulary.ranked()
        # Sorted by term, then by place; one number for both sorts faster than two.
        keys = ranks[numbers] * len(texts) + np.repeat(np.arange(len(texts)), lengths)
        keys.sort()
        begins = np.flatnonzero(np.diff(keys, prepend=-1))
        ranked, places = np.divmod(keys[begins], max(1, len(texts)))
        sizes = np.bincount(ranked, minlength=len(terms))
        return cls(
            [LENGTHS, *terms],
            np.cumsum([0, len(texts), *sizes]),
            np.concatenate((np.arange(len(texts)), places)) + first,
            np.concatenate((lengths, np.diff(begins, append=len(keys)))),
        )

    def at(self, rows: Numbers) -> Postings:
        """Return the same with the rows of the passages, which ascend, instead of their places."""
        return Postings(self.terms, self.starts, rows[self.rows], self.counts)

    def __iter__(self) -> Iterator[tuple[str, Numbers, Numbers]]:
        """Yield each term with its rows and counts."""
        bounds = self.starts.tolist()
        for term, start, end in zip(self.terms, bounds, bounds[1:], strict=False):
            yield term, self.rows[start:end], self.counts[start:end]


def in_parts(texts: Sequence[str]) -> list[Postings]:
    """Return the postings of texts, some of them at a time, which needs less memory."""
    return [
        Postings.of(texts[first : first + _PART], first) for first in range(0, len(texts), _PART)
    ]


class _Code(NamedTuple):
    """A token whose terms are numbers.

    Attributes:
        terms: the numbers of its terms, int32, as bytes.
        head: how its first word begins, in UTF-8; empty where it does not begin with a word.
        seed: what its last word contributes to a pair; None where it does not end with a word.
    """

    terms: bytes
    head: bytes
    seed: int | None


class _Vocabulary(dict[str, _Code | None]):
    """The terms of some texts, numbered as they come, and the tokens that were met, by string."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._pairs: dict[int, bytes] = {}

    def encode(self, text: str) -> bytes:
        """Return the numbers of a text's terms, int32, as bytes; in any order."""
        found: list[bytes] = []
        before: int | None = None
        for string in text.split():
            code = self[string]
            if code is None:
                continue
            terms, head, seed = code
            found.append(terms)
            if before is not None and head:
                found.append(self._pair(pair_number(before, head)))
            before = seed
        return b"".join(found)

    def ranked(self) -> tuple[list[str], Numbers]:
        """Return the terms, ascending, and the place of each number among them."""
        terms = sorted(self._numbers)
        ranks = np.empty(len(terms), dtype=np.int64)
        ranks[[self._numbers[term] for term in terms]] = np.arange(len(terms))
        return terms, ranks

    def __missing__(self, string: str) -> _Code | None:
        token = read_token(string)
        code = token and _Code(
            b"".join(map(self._number, token.terms)),
            token.head.encode(),
            pair_seed(token.tail) if token.tail else None,
        )
        self[string] = code
        return code

    def _number(self, term: str) -> bytes:
        return self._numbers.setdefault(term, len(self._numbers)).to_bytes(4, sys.byteorder)

    def _pair(self, number: int) -> bytes:
        if number not in self._pairs:
            self._pairs[number] = self._number(pair_term(number))
        return self._pairs[number]
