"""Posting lists: which passages hold a term and how often.

The lengths of passages are kept as one more list, under the empty term, which no text gives.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from .blocks import Numbers, damaged

_TOGETHER, _CUT = 1 << 14, 1 << 17  # lists, and bytes of terms, that are looked at in one go

LENGTHS = ""
"""The term under which the numbers of terms of all passages are kept."""


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

    def at(self, rows: Numbers) -> Postings:
        """Return the same with the rows of the passages, which ascend, instead of their places."""
        return Postings(self.terms, self.starts, rows[self.rows], self.counts)

    def above(self, row: int) -> Postings:
        """Return the entries of rows above one; a term may have none."""
        chosen = self.rows > row
        if chosen.all():
            return self
        ends = np.concatenate(([0], np.cumsum(chosen)))[self.starts]
        return Postings(self.terms, ends, self.rows[chosen], self.counts[chosen])

    @classmethod
    def joined(cls, parts: Sequence[Postings]) -> Postings:
        """Put lists of passages together, whose rows ascend from part to part."""
        if len(parts) == 1:
            return parts[0]
        # Merged rather than sorted, which would let no other thread run meanwhile.
        terms = [term for term, _ in groupby(heapq.merge(*(part.terms for part in parts)))]
        ranks = {term: rank for rank, term in enumerate(terms)}
        entries = np.concatenate(
            [
                np.repeat(np.fromiter(map(ranks.__getitem__, some.terms), np.int64), some.sizes)
                for part in parts
                for some in part.in_slices()
            ]
        )
        order = np.argsort(entries, kind="stable")
        return cls(
            terms,
            np.cumsum([0, *np.bincount(entries, minlength=len(terms))]),
            np.concatenate([part.rows for part in parts])[order],
            np.concatenate([part.counts for part in parts])[order],
        )

    def in_slices(self, terms: int = _TOGETHER) -> Iterator[Postings]:
        """Yield the same, some thousand lists at a time, so that other threads get their turn."""
        for start in range(0, len(self.terms), terms):
            starts = self.starts[start : start + terms + 1]
            entries = slice(starts[0], starts[-1])
            some = self.terms[start : start + terms]
            yield Postings(some, starts - starts[0], self.rows[entries], self.counts[entries])

    @property
    def sizes(self) -> Numbers:
        """``(len(terms),)`` in how many passages each term is."""
        return np.diff(self.starts)

    def to_bytes(self) -> bytes:
        """Write all lists as one piece."""
        terms = b"\n".join(["\n".join(some.terms).encode() for some in self.in_slices()])
        first = self.rows.min(initial=self.rows[0])
        columns = [_narrow(column) for column in (self.sizes, self.rows - first, self.counts)]
        head = [first, len(terms), *(column.itemsize for column in columns), len(self.terms)]
        return b"".join([np.array(head, "<i8").tobytes(), terms, *(c.tobytes() for c in columns)])

    @classmethod
    def from_bytes(cls, data: bytes) -> Postings:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            IndexCorruptError: these are no such bytes.
        """
        try:
            first, length, *widths, number = np.frombuffer(data, "<i8", 6).tolist()
            at = 48 + length
            terms = list(_lines(data[48:at]))
            sizes = np.frombuffer(data, f"<u{widths[0]}", number, at).astype(np.int64)
            at += number * widths[0]
            total = int(sizes.sum())
            rows = np.frombuffer(data, f"<u{widths[1]}", total, at)
            counts = np.frombuffer(data, f"<u{widths[2]}", total, at + total * widths[1])
            whole = at + total * (widths[1] + widths[2]) == len(data) and len(terms) == number
        except (ValueError, TypeError):
            whole = False
        if not whole:
            raise damaged()
        starts = np.concatenate(([0], np.cumsum(sizes)))
        return cls(terms, starts, rows.astype(np.int64) + first, counts.astype(np.int64))

    def __iter__(self) -> Iterator[tuple[str, Numbers, Numbers]]:
        """Yield each term with its rows and counts."""
        bounds = self.starts.tolist()
        for term, start, end in zip(self.terms, bounds, bounds[1:], strict=False):
            yield term, self.rows[start:end], self.counts[start:end]


def _lines(data: bytes) -> Iterator[str]:
    """Yield the terms that stand in some bytes, one a line."""
    start = 0
    while (end := data.find(b"\n", start + _CUT)) >= 0:
        yield from data[start:end].decode().split("\n")
        start = end + 1
    yield from data[start:].decode().split("\n")


def _narrow(column: Numbers) -> npt.NDArray[np.unsignedinteger]:
    largest = int(column.max(initial=0))
    width = next(width for width in (1, 2, 4, 8) if largest < 1 << 8 * width)
    return column.astype(f"<u{width}")
