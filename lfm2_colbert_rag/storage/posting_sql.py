"""The posting lists in the catalog, and what is known of how complete they are.

========  =================================================================================
column    content
========  =================================================================================
term      a term of the analyser; the empty one for the lengths of passages
first     the first row of a block of the term's list
entries   the block: see :func:`lfm2_colbert_rag.index.lexical.postings.pack`
========  =================================================================================

Rows of dead passages stay until the passages themselves are forgotten; who reads looks at the rows
that are live in its generation. An index that was made before there were such lists, or by another
analyser, is filled from the stored texts in ascending rows: from ``next`` up to ``last``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..index.lexical.analyser import VERSION
from ..index.lexical.postings import (
    BLOCK,
    LENGTHS,
    Numbers,
    Postings,
    in_parts,
    merged,
    pack,
    size_of,
    unpack,
)

POSTINGS = """
CREATE TABLE postings (
    term TEXT NOT NULL, first INTEGER NOT NULL, entries BLOB NOT NULL, PRIMARY KEY (term, first)
) WITHOUT ROWID"""
SETTING = "lexical"


@dataclass(frozen=True)
class LexicalState:
    """How complete the posting lists are.

    Attributes:
        analyser: version of the analyser that made them.
        next: the first row that may be missing.
        last: the last row that may be missing; below ``next`` when all are there.
    """

    analyser: int = VERSION
    next: int = 1
    last: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every passage is in the lists, as this version would write it."""
        return self.analyser == VERSION and self.next > self.last

    def to_dict(self) -> dict[str, int]:
        """Return the same as a JSON object."""
        return asdict(self)


def read_state(connection: sqlite3.Connection) -> LexicalState | None:
    """Return how complete the lists are; None where the index is to have none."""
    row = connection.execute("SELECT value FROM settings WHERE key = ?", (SETTING,)).fetchone()
    value = None if row is None else json.loads(row[0])
    return None if value is None else LexicalState(**value)


def write_state(connection: sqlite3.Connection, state: LexicalState | None) -> None:
    """Say how complete the lists are."""
    value = None if state is None else state.to_dict()
    connection.execute(
        "INSERT OR REPLACE INTO settings VALUES (?, ?)", (SETTING, json.dumps(value))
    )


def start_over(connection: sqlite3.Connection) -> LexicalState:
    """Empty the lists; all passages are to be filled in."""
    connection.execute("DELETE FROM postings")
    state = LexicalState(next=1, last=last_row(connection))
    write_state(connection, state)
    return state


def last_row(connection: sqlite3.Connection) -> int:
    """Return the last row number that was ever used, 0 for none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchone()
    return 0 if row is None else int(row[0])


def append(connection: sqlite3.Connection, parts: Iterable[Postings]) -> None:
    """Add passages that are in no list yet; the last block of a list is filled up first."""
    for part in parts:
        blocks: list[tuple[str, int, bytes]] = []
        for term, rows, counts in part:
            last = connection.execute(
                "SELECT first, entries FROM postings WHERE term = ? AND first <= ? "
                "ORDER BY first DESC LIMIT 1",
                (term, int(rows[0])),
            ).fetchone()
            entries = (rows, counts)
            if last is not None and size_of(last[1]) < BLOCK:
                entries = merged(unpack(*last), entries)
            blocks += _blocks(term, *entries)
        _insert(connection, blocks)


def add_commit(
    connection: sqlite3.Connection,
    passages: Sequence[tuple[int, str]],
    parts: Sequence[Postings],
) -> None:
    """Add the passages of a commit, where the index is to have lists.

    Args:
        connection: within the commit's transaction, which has added the passages already.
        passages: their rows and texts.
        parts: their postings, by place, as :func:`lfm2_colbert_rag.index.lexical.postings.in_parts`
            gives them; empty where they were not expected to be needed.
    """
    state = read_state(connection) if passages else None
    if state is None:
        return
    if state.analyser != VERSION:  # the old lists are of no use: all is filled in when asked for
        start_over(connection)
        return
    rows = np.array([row for row, _ in passages], dtype=np.int64)
    given = parts or in_parts([text for _, text in passages])
    append(connection, (part.at(rows) for part in given))


def read(
    connection: sqlite3.Connection, terms: Sequence[str]
) -> dict[str, list[tuple[Numbers, Numbers]]]:
    """Return the blocks of each term that has some."""
    found: dict[str, list[tuple[Numbers, Numbers]]] = {}
    rows = connection.execute(
        "SELECT term, first, entries FROM postings WHERE term IN (SELECT value FROM json_each(?))",
        (json.dumps(list(terms)),),
    )
    for term, first, entries in rows:
        found.setdefault(term, []).append(unpack(first, entries))
    return found


def pending(connection: sqlite3.Connection, most: int) -> list[tuple[int, str]]:
    """Return the next passages to be filled in: rows and texts."""
    state = read_state(connection)
    if state is None:
        return []
    rows = connection.execute(
        "SELECT row, text FROM passages WHERE row BETWEEN ? AND ? ORDER BY row LIMIT ?",
        (state.next, state.last, most),
    )
    return rows.fetchall()


def prune(
    connection: sqlite3.Connection, held: Numbers, newest: int, after: str | None, most: int
) -> str | None:
    """Drop the rows of passages that the catalog no longer holds from some of the lists.

    Args:
        connection: within a transaction.
        held: ascending rows that it held when its last row was ``newest``; later ones stay.
        newest: see ``held``.
        after: the last term that was done; None to begin.
        most: blocks to read, about.

    Returns:
        The last term done now; None once all are.
    """
    terms = connection.execute(
        f"SELECT term, count(*) FROM postings WHERE term {'>=' if after is None else '>'} ? "
        "GROUP BY term ORDER BY term LIMIT ?",
        (after or LENGTHS, most),
    ).fetchall()
    done, last = 0, None
    for term, number in terms:
        if done >= most:
            return last
        done, last = done + number, term
        _prune_term(connection, term, number, held, newest)
    return last


def _prune_term(
    connection: sqlite3.Connection, term: str, number: int, held: Numbers, newest: int
) -> None:
    blocks = read(connection, [term])[term]
    rows = np.concatenate([block[0] for block in blocks])
    counts = np.concatenate([block[1] for block in blocks])
    kept = (rows > newest) | np.isin(rows, held)
    if kept.all() and number <= -(-len(rows) // BLOCK) + 1:
        return
    order = np.argsort(rows[kept])
    connection.execute("DELETE FROM postings WHERE term = ?", (term,))
    _insert(connection, _blocks(term, rows[kept][order], counts[kept][order]))


def every_block(connection: sqlite3.Connection) -> Iterable[tuple[str, int, bytes]]:
    """Yield the blocks of all terms: term, first row, bytes."""
    return connection.execute("SELECT term, first, entries FROM postings")


def _blocks(term: str, rows: Numbers, counts: Numbers) -> list[tuple[str, int, bytes]]:
    parts = [slice(start, start + BLOCK) for start in range(0, len(rows), BLOCK)]
    return [(term, int(rows[part][0]), pack(rows[part], counts[part])) for part in parts]


def _insert(connection: sqlite3.Connection, blocks: list[tuple[str, int, bytes]]) -> None:
    blocks.sort(key=lambda block: block[:2])
    connection.executemany("INSERT OR REPLACE INTO postings VALUES (?, ?, ?)", blocks)
