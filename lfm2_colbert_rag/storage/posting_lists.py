"""The posting lists of an index: read, filled and pruned, each in a transaction of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Protocol, TypeAlias

import numpy as np

from .._support.forking import renew_in_child
from ..errors import IndexCorruptError
from ..index.lexical.blocks import Numbers, unpack_lists
from ..index.lexical.postings import LENGTHS, Postings
from . import posting_sql as sql
from .connections import Connections
from .posting_sql import LexicalState
from .schema import last_row

# Blocks that are pruned in one transaction, so that writers need not wait long.
_PRUNED = 20_000

_ENTRY = 16  # bytes of a row and a count

_Entries: TypeAlias = tuple[Numbers, Numbers]


@dataclass(frozen=True)
class FoundPostings:
    """What was found of some terms, and how complete it is.

    Attributes:
        state: of all lists; None where the index is to have none.
        lists: rows and counts of each term that is in some passage, live or dead; empty as long
            as the lists are not complete.
    """

    state: LexicalState | None
    lists: dict[str, _Entries]

    @property
    def is_complete(self) -> bool:
        """Whether no passage is missing."""
        return self.state is not None and self.state.is_complete


class ReadPostings(Protocol):
    """Reads lists of terms, see :meth:`PostingLists.read`."""

    def __call__(self, terms: Sequence[str], above: int = -1) -> FoundPostings:
        """Return the lists of terms."""


class PostingLists:
    """What the catalog keeps for the lexical leg.

    The passages of a commit come in with its own transaction, see
    :func:`~lfm2_colbert_rag.storage.posting_sql.add_commit`.

    Args:
        connections: to the catalog.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._recent = _RecentPostings()

    def state(self) -> LexicalState | None:
        """Return how complete the lists are; None where the index is to have none."""
        return sql.parse_state(self._connections.fetch(sql.STATE))

    def enable(self) -> None:
        """Have lists from now on; the passages that are there already are pending."""
        with self._connections.writing() as connection:
            if sql.read_state(connection) is None:
                sql.write_state(connection, LexicalState(next=1, last=last_row(connection)))

    def disable(self) -> None:
        """Drop the lists, and have none from now on."""
        with self._connections.writing() as connection:
            connection.execute("DELETE FROM postings")
            connection.execute("DELETE FROM recent_postings")
            sql.write_state(connection, None)

    def pending(self, limit: int) -> list[tuple[int, str]]:
        """Return the next passages that the lists lack: rows and texts; empty when none does."""
        with self._connections.reading_one_state() as connection:
            return sql.pending(connection, limit)

    def fill(self, rows: Sequence[int], postings: Postings) -> bool:
        """Add passages that :meth:`pending` gave to the lists, in one transaction.

        Args:
            rows: their rows; none says that no more passages are pending.
            postings: of their texts, by place.

        Returns:
            False if somebody else did it meanwhile; nothing was changed then.
        """
        with self._connections.writing() as connection:
            state = sql.read_state(connection)
            if state is None or state.is_complete:
                return False
            if [row for row, _ in sql.pending(connection, len(rows) or 1)] != list(rows):
                return False
            if rows:
                sql.add(connection, [postings.at(np.array(rows, dtype=np.int64))])
            done = rows[-1] + 1 if rows else state.last + 1
            sql.write_state(connection, LexicalState(next=done, last=state.last))
        return True

    def read(self, terms: Sequence[str], above: int = -1) -> FoundPostings:
        """Return the lists of terms; nothing is filled in by it.

        Args:
            terms: the terms.
            above: only rows above this one are needed, though others may be there.

        Raises:
            IndexCorruptError: a list is damaged.
        """
        with self.reading() as read:
            return read(terms, above)

    @contextmanager
    def reading(self) -> Iterator[ReadPostings]:
        """Give what reads lists as :meth:`read` does, all in one state.

        So those of a great many terms need not be held at once.
        """
        with self._connections.reading_one_state() as connection:
            yield partial(self._read, connection, sql.read_state(connection))

    def _read(
        self,
        connection: sqlite3.Connection,
        state: LexicalState | None,
        terms: Sequence[str],
        above: int = -1,
    ) -> FoundPostings:
        if state is None or not state.is_complete:
            return FoundPostings(state, {})
        found = unpack_lists(sql.read(connection, terms, above))
        for term, entries in self._recent.lists(connection, terms).items():
            found[term] = _joined(found[term], entries) if term in found else entries
        return FoundPostings(state, found)

    def bytes(self) -> int:
        """Return the bytes of all lists, without what SQLite needs around them."""
        with self._connections.reading() as connection:
            row = connection.execute(
                "SELECT total(length(CAST(term AS BLOB)) + length(entries) + 16) + "
                "(SELECT total(length(lists)) FROM recent_postings) FROM postings"
            ).fetchone()
        return int(row[0])

    def prune(self) -> None:
        """Drop the rows of forgotten passages from the lists, some lists a transaction."""
        with self._connections.reading_one_state() as connection:
            rows = connection.execute("SELECT row FROM passages ORDER BY row")
            held = np.fromiter((row for (row,) in rows), dtype=np.int64)
            newest = last_row(connection)
        with self._connections.writing() as connection:
            sql.merge_recent(connection)
        last: str | None = None
        while True:
            with self._connections.writing() as connection:
                last = sql.prune(connection, held, newest, last, _PRUNED)
            if last is None:
                return

    def check(self, live: Numbers) -> list[str]:
        """Compare the lists with the live passages and with one another.

        Args:
            live: ascending live rows.

        Returns:
            One sentence a problem.
        """
        path = self._connections.path
        try:
            wrong = self._wrong(live)
        except IndexCorruptError as error:
            return [f"{path}: {error}"]
        if not len(wrong):
            return []
        shown = ", ".join(map(str, wrong[:3].tolist()))
        return [
            f"{path}: the lexical index disagrees with {len(wrong):,} passages (rows "
            f"{shown}{', ...' if len(wrong) > 3 else ''}). Leave it out and make it again: "
            "open(lexical=False), then open(lexical=True) and optimize()."
        ]

    def _wrong(self, live: Numbers) -> Numbers:
        """Return live rows that have no length, or another one than they have terms."""
        with self._connections.reading_one_state() as connection:
            state = sql.read_state(connection)
            if state is None:
                return np.empty(0, np.int64)
            live = live[(live < state.next) | (live > state.last)]
            lengths, sums, times = (np.zeros(len(live) + 1, np.int64) for _ in range(3))
            for term, rows, counts in sql.every_list(connection):
                places = np.searchsorted(live, rows)
                known = places < len(live)
                known[known] = live[places[known]] == rows[known]
                places[~known] = len(live)
                if term == LENGTHS:
                    np.add.at(times, places, 1)
                    np.add.at(lengths, places, counts)
                else:
                    np.add.at(sums, places, counts)
        return live[((times != 1) | (lengths != sums))[:-1]]


class _RecentPostings:
    """The lists that are kept apart, in memory; safe to use from many threads.

    What is kept apart only grows, until all of it is merged into the lists. So the first row tells
    whether what is known still holds, and rows that an older state lacks do no harm in it.
    """

    def __init__(self) -> None:
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Begin anew: another thread of the parent may have been in the midst of loading."""
        self._changing = threading.Lock()
        self._span: tuple[int, int] | None = None
        # Rows and counts, one after the other. Bytes, since the garbage collector would look at
        # each list of numbers again and again, and hold up all threads meanwhile.
        self._held: dict[str, bytes] = {}

    def lists(self, connection: sqlite3.Connection, terms: Sequence[str]) -> dict[str, _Entries]:
        """Return rows and counts of those terms that are in passages kept apart.

        Args:
            connection: within a transaction.
            terms: the terms.
        """
        span = sql.recent_span(connection)
        with self._changing:
            if span is None:
                self._span, self._held = None, {}
                return {}
            self._load(connection, span)
            held = {term: self._held[term] for term in terms if term in self._held}
        rows, counts = np.frombuffer(b"".join(held.values()), np.int64).reshape(-1, 2).T.copy()
        bounds = [0, *accumulate(len(each) // _ENTRY for each in held.values())]
        return {
            term: (rows[start:end], counts[start:end])
            for term, start, end in zip(held, bounds, bounds[1:], strict=False)
        }

    def _load(self, connection: sqlite3.Connection, span: tuple[int, int]) -> None:
        if self._span is None or self._span[0] != span[0]:
            self._span, self._held = (span[0], -1), {}
        if self._span[1] >= span[1]:
            return
        for whole in sql.recent(connection, self._span[1]):
            # Lists that were dropped and filled again may be cut in other places.
            part = whole.above(self._span[1])
            entries = np.stack((part.rows, part.counts), axis=1).tobytes()
            bounds = (part.starts * _ENTRY).tolist()
            held, known = self._held, self._held.get
            for term, start, end in zip(part.terms, bounds, bounds[1:], strict=False):
                held[term] = known(term, b"") + entries[start:end]
        self._span = span


def _joined(one: _Entries, other: _Entries) -> _Entries:
    return np.concatenate((one[0], other[0])), np.concatenate((one[1], other[1]))
