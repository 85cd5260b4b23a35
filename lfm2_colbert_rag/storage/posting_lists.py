"""The part of the catalog that knows words: posting lists read, filled and pruned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import IndexCorruptError
from ..index.lexical.bm25 import joined
from ..index.lexical.postings import LENGTHS, Numbers, Postings, unpack
from . import posting_sql as tables
from .connections import Connections
from .posting_sql import LexicalState

# Blocks that are pruned in one transaction, so that writers need not wait long.
_PRUNED = 20_000


class PostingLists:
    """The posting lists of an index, in the same file as its passages.

    Args:
        connections: to that file.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def state(self) -> LexicalState | None:
        """Return how complete the posting lists are; None where the index is to have none."""
        with self._connections.reading() as connection:
            return tables.read_state(connection)

    def enable(self) -> None:
        """Keep lists from now on; the passages there are have yet to be filled in."""
        with self._connections.writing() as connection:
            if tables.read_state(connection) is None:
                tables.start_over(connection)

    def disable(self) -> None:
        """Drop the lists."""
        with self._connections.writing() as connection:
            connection.execute("DELETE FROM postings")
            tables.write_state(connection, None)

    def pending(self, limit: int) -> list[tuple[int, str]]:
        """Return the next passages that the lists lack: rows and texts; empty when none does."""
        with self._connections.reading_one_state() as connection:
            return tables.pending(connection, limit)

    def fill(self, rows: Sequence[int], postings: Postings) -> bool:
        """Add passages that :meth:`pending_texts` gave to the lists, in one transaction.

        Args:
            rows: their rows; none says that no more passages are pending.
            postings: of their texts.

        Returns:
            False if somebody else did it, or started over, meanwhile; nothing was changed then.
        """
        with self._connections.writing() as connection:
            state = tables.read_state(connection)
            if state is None or state.is_complete:
                return False
            if [row for row, _ in tables.pending(connection, len(rows) or 1)] != list(rows):
                return False
            if rows:
                tables.append(connection, [postings.at(np.array(rows, dtype=np.int64))])
            done = rows[-1] + 1 if rows else state.last + 1
            tables.write_state(connection, LexicalState(next=done, last=state.last))
        return True

    def read(self, terms: Sequence[str]) -> dict[str, tuple[Numbers, Numbers]] | None:
        """Return the rows and counts of each term that is in some passage, live or dead.

        Returns:
            None while the lists are not complete.
        """
        with self._connections.reading_one_state() as connection:
            state = tables.read_state(connection)
            if state is None or not state.is_complete:
                return None
            found = tables.read(connection, terms)
        return {term: joined(blocks) for term, blocks in found.items()}

    def size(self) -> int:
        """Return the bytes of all posting lists, without what SQLite needs around them."""
        with self._connections.reading() as connection:
            row = connection.execute(
                "SELECT total(length(CAST(term AS BLOB)) + length(entries) + 8) FROM postings"
            ).fetchone()
        return int(row[0])

    def prune(self) -> None:
        """Drop the rows of forgotten passages from the lists, some lists a transaction."""
        with self._connections.reading_one_state() as connection:
            rows = connection.execute("SELECT row FROM passages ORDER BY row")
            held = np.fromiter((row for (row,) in rows), dtype=np.int64)
            newest = tables.last_row(connection)
        last: str | None = None
        while True:
            with self._connections.writing() as connection:
                last = tables.prune(connection, held, newest, last, _PRUNED)
            if last is None:
                return

    def check(self, live: Numbers) -> list[str]:
        """Compare the posting lists with the live passages and with one another.

        Args:
            live: ascending live rows.

        Returns:
            One sentence a problem.
        """
        with self._connections.reading_one_state() as connection:
            state = tables.read_state(connection)
            if state is None or state.analyser != LexicalState().analyser:
                return []
            live = live[(live < state.next) | (live > state.last)]
            if not len(live):
                return []
            lengths, sums, times = (np.zeros(len(live) + 1, np.int64) for _ in range(3))
            for term, first, entries in tables.every_block(connection):
                try:
                    rows, counts = unpack(first, entries)
                except IndexCorruptError as error:
                    return [f"{self._connections.path}: {error}"]
                places = np.searchsorted(live, rows)
                places[(places == len(live)) | (live.take(places, mode="clip") != rows)] = len(live)
                if term == LENGTHS:
                    np.add.at(times, places, 1)
                    np.add.at(lengths, places, counts)
                else:
                    np.add.at(sums, places, counts)
        wrong = live[((times != 1) | (lengths != sums))[:-1]]
        if not len(wrong):
            return []
        shown = ", ".join(map(str, wrong[:3].tolist()))
        return [
            f"{self._connections.path}: the posting lists disagree with {len(wrong):,} passages "
            f"(rows {shown}{', ...' if len(wrong) > 3 else ''}). Leave it out and make it again: "
            "open(lexical=False), then open(lexical=True)."
        ]
