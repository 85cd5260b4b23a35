"""Posting lists: which passages hold a term and how often, and the bytes that they become.

The lengths of passages are kept as one more list, under the empty term, which no text gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import IndexCorruptError
from .analyser import analyse

Numbers = npt.NDArray[np.int64]

LENGTHS = ""
"""The term under which the numbers of terms of all passages are kept."""

# A block of a list is appended to until it has so many entries.
BLOCK = 1024
# Texts that are analysed together.
_PART = 1000
_WIDTHS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True, eq=False)
class Postings:
    """The lists of some passages.

    Attributes:
        terms: each once, in no order.
        starts: ``(len(terms) + 1,)`` where each term's entries begin in the two arrays below.
        rows: ``(entries,)`` integer rows, or places in the texts, ascending within a term.
        counts: ``(entries,)`` integers, how often the term is in the passage; at least 1.
    """

    terms: Sequence[str]
    starts: Numbers
    rows: npt.NDArray[np.integer]
    counts: npt.NDArray[np.integer]

    @classmethod
    def of(cls, texts: Sequence[str], first: int = 0) -> Postings:
        """Analyse texts; their places, counted from ``first``, take the place of rows.

        Example:
            >>> postings = Postings.of(["red fox", "fox, fox"])
            >>> {term: counts.tolist() for term, _, counts in postings}[""]
            [7, 7]
        """
        vocabulary: dict[str, int] = {LENGTHS: 0}
        numbers: list[int] = []
        places: list[int] = []
        counts: list[int] = []
        for place, text in enumerate(texts, first):
            found = Counter(analyse(text))
            numbers += [0, *(vocabulary.setdefault(term, len(vocabulary)) for term in found)]
            counts += [sum(found.values()), *found.values()]
            places += [place] * (len(found) + 1)
        order = np.argsort(np.array(numbers, dtype=np.int64), kind="stable")
        sizes = np.bincount(np.array(numbers, dtype=np.int64), minlength=len(vocabulary))
        return cls(
            list(vocabulary),
            np.concatenate(([0], np.cumsum(sizes))),
            np.array(places, dtype=np.int32)[order],
            np.array(counts, dtype=np.int32)[order],
        )

    def at(self, rows: Numbers) -> Postings:
        """Return the same with the rows of the passages, which ascend, instead of their places."""
        return Postings(self.terms, self.starts, rows[self.rows], self.counts)

    def __iter__(self) -> Iterator[tuple[str, Numbers, Numbers]]:
        """Yield each term with its rows and counts."""
        bounds = self.starts.tolist()
        for term, start, end in zip(self.terms, bounds, bounds[1:], strict=False):
            yield (
                term,
                self.rows[start:end].astype(np.int64),
                self.counts[start:end].astype(np.int64),
            )


def in_parts(texts: Sequence[str]) -> list[Postings]:
    """Return the postings of texts, some of them at a time, which needs less memory."""
    return [
        Postings.of(texts[first : first + _PART], first) for first in range(0, len(texts), _PART)
    ]


def pack(rows: Numbers, counts: Numbers) -> bytes:
    """Write ascending rows and their counts, as steps of few bytes; the first row is left out.

    Example:
        >>> unpack(7, pack(np.array([7, 9, 300]), np.array([1, 2, 1])))[0].tolist()
        [7, 9, 300]
    """
    steps = np.diff(rows, prepend=rows[:1])
    wide, high = _width(int(steps.max())), _width(int(counts.max()))
    return (
        bytes((wide << 4 | high,))
        + steps.astype(_WIDTHS[wide]).tobytes()
        + counts.astype(_WIDTHS[high]).tobytes()
    )


def unpack(first: int, block: bytes) -> tuple[Numbers, Numbers]:
    """Read what :func:`pack` wrote.

    Args:
        first: the first row.
        block: the bytes.

    Returns:
        ``(n,)`` int64 rows, ascending, and their counts.

    Raises:
        IndexCorruptError: these are no such bytes.
    """
    wide, high = divmod(block[0], 16) if block else (0, 0)
    if wide not in _WIDTHS or high not in _WIDTHS or (len(block) - 1) % (wide + high):
        raise IndexCorruptError(
            "a posting list of the lexical index is damaged. Restore the index from a backup, or "
            "leave the lexical index out and make it again: open(lexical=False), then "
            "open(lexical=True)."
        )
    size = size_of(block)
    steps = np.frombuffer(block, _WIDTHS[wide], size, 1)
    counts = np.frombuffer(block, _WIDTHS[high], size, 1 + size * wide)
    return first + np.cumsum(steps, dtype=np.int64), counts.astype(np.int64)


def size_of(block: bytes) -> int:
    """Return the number of entries of a block."""
    return (len(block) - 1) // max(1, sum(divmod(block[0], 16))) if block else 0


def merged(one: tuple[Numbers, Numbers], other: tuple[Numbers, Numbers]) -> tuple[Numbers, Numbers]:
    """Put the entries of two blocks of one term together, ascending."""
    rows, counts = np.concatenate((one[0], other[0])), np.concatenate((one[1], other[1]))
    if len(one[0]) and len(other[0]) and one[0][-1] > other[0][0]:
        order = np.argsort(rows)
        return rows[order], counts[order]
    return rows, counts


def _width(largest: int) -> int:
    return next(width for width in _WIDTHS if largest < 1 << 8 * width)
