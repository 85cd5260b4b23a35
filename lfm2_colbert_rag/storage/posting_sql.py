"""The SQL of the posting lists, within whatever transaction the connection is in.

========  =================================================================================
column    content
========  =================================================================================
term      a term of the analyser; the empty one for the lengths of passages
first     the first row of a block of the term's list
last      its last row
entries   its bytes: see :mod:`lfm2_colbert_rag.index.lexical.blocks`
========  =================================================================================

The lists of the newest passages are kept apart in ``recent_postings``, a row a commit, until they
are merged into the table above; see :func:`add`.

Rows of dead passages stay until the passages themselves are forgotten; who reads looks at the rows
that are live in its generation. Lists grow at their ends only: as long as passages are pending,
those of later commits are pending too, and wait behind them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..index.lexical.analyser import VERSION
from ..index.lexical.blocks import BLOCK_BYTES, Block, Ends, pack, unpack
from ..index.lexical.postings import LENGTHS, Numbers, Postings
from .rows import insert_columns, insert_rows

POSTINGS = """
CREATE TABLE postings (
    term TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, entries BLOB NOT NULL,
    PRIMARY KEY (term, first)
) WITHOUT ROWID;
CREATE TABLE recent_postings (
    last INTEGER PRIMARY KEY, first INTEGER NOT NULL, lists BLOB NOT NULL
)"""
SETTING = "lexical"
STATE = f"SELECT value FROM settings WHERE key = '{SETTING}'"
# Passages that are kept apart at most. Whoever reads holds their lists in memory.
RECENT = 256


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
        """Whether every passage is in the lists."""
        return self.next > self.last

    def to_dict(self) -> dict[str, int]:
        """Return the same as a JSON object."""
        return asdict(self)


def read_state(connection: sqlite3.Connection) -> LexicalState | None:
    """Return how complete the lists are; None where the index is to have none."""
    return parse_state(connection.execute(STATE).fetchall())


def parse_state(rows: Sequence[tuple[str]]) -> LexicalState | None:
    """Read what :data:`STATE` selects."""
    value = json.loads(rows[0][0]) if rows else None
    return None if value is None else LexicalState(**value)


def write_state(connection: sqlite3.Connection, state: LexicalState | None) -> None:
    """Say how complete the lists are."""
    value = None if state is None else state.to_dict()
    connection.execute(
        "INSERT OR REPLACE INTO settings VALUES (?, ?)", (SETTING, json.dumps(value))
    )


def last_row(connection: sqlite3.Connection) -> int:
    """Return the last row number that was ever used, 0 for none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchone()
    return 0 if row is None else int(row[0])


def add(connection: sqlite3.Connection, parts: Sequence[Postings]) -> None:
    """Add passages whose rows are above all rows in the lists.

    A few passages have hundreds of terms, and to extend as many lists would write to as many
    pages. So they are kept apart until they are many, and go into the lists together.

    Args:
        connection: within a transaction.
        parts: their postings, each with a passage at least.
    """
    span = recent_span(connection) or (int(parts[0].rows.min()),)
    if int(parts[-1].rows.max()) - span[0] < RECENT:
        _insert_recent(connection, parts)
        return
    merge_recent(connection, parts[:1])
    for part in parts[1:]:
        _append(connection, part)


def merge_recent(connection: sqlite3.Connection, others: Sequence[Postings] = ()) -> None:
    """Move passages that were kept apart into the lists, and others behind them."""
    parts = [*recent(connection), *others]
    connection.execute("DELETE FROM recent_postings")
    if parts:
        _append(connection, Postings.joined(parts))


def recent_span(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """Return the first and the last row that are kept apart; None where none is."""
    first, last = connection.execute(
        "SELECT (SELECT first FROM recent_postings ORDER BY last LIMIT 1), "
        "(SELECT max(last) FROM recent_postings)"
    ).fetchone()
    return None if first is None else (first, last)


def recent(connection: sqlite3.Connection, above: int = -1) -> list[Postings]:
    """Return the postings that are kept apart, ascending, of commits with rows above one."""
    found = connection.execute(
        "SELECT lists FROM recent_postings WHERE last > ? ORDER BY last", (above,)
    )
    return [Postings.from_bytes(lists) for (lists,) in found]


def _insert_recent(connection: sqlite3.Connection, parts: Sequence[Postings]) -> None:
    rows = [(int(part.rows.max()), int(part.rows.min()), part.to_bytes()) for part in parts]
    insert_rows(connection, "INSERT INTO recent_postings", rows)


def _append(connection: sqlite3.Connection, postings: Postings) -> None:
    """Extend lists; all last blocks are looked up in one statement, in the order of the table."""
    ends = Ends(len(postings.terms))
    found = connection.execute(
        "SELECT terms.key, first, last, entries FROM json_each(?) AS terms JOIN postings ON "
        "term = terms.value AND first = (SELECT max(first) FROM postings WHERE term = terms.value) "
        "WHERE length(entries) < ?",
        (json.dumps(postings.terms, ensure_ascii=False), BLOCK_BYTES),
    )
    for place, first, last, entries in found:
        ends.firsts[place], ends.lasts[place], ends.entries[place] = first, last, entries
    ends.extend(postings.starts, postings.rows, postings.counts)
    columns = postings.terms, ends.firsts, ends.lasts, ends.entries
    insert_columns(connection, "INSERT OR REPLACE INTO postings", columns)


def add_commit(
    connection: sqlite3.Connection, rows: Sequence[int], parts: Sequence[Postings]
) -> None:
    """Add the passages of a commit, where the index is to have lists.

    Args:
        connection: within the commit's transaction.
        rows: rows of the passages, ascending.
        parts: their postings, by place, as :func:`lfm2_colbert_rag.index.lexical.postings.in_parts`
            gives them. Where they are missing, since lists were not wanted when the commit was
            prepared, the passages are pending.
    """
    state = read_state(connection) if rows else None
    if state is None:
        return
    if parts and state.is_complete:
        numbers = np.array(rows, dtype=np.int64)
        add(connection, [part.at(numbers) for part in parts])
    else:
        first = rows[0] if state.is_complete else state.next
        write_state(connection, LexicalState(next=first, last=rows[-1]))


def read(connection: sqlite3.Connection, terms: Sequence[str]) -> dict[str, list[Block]]:
    """Return the blocks of each term that has some, ascending."""
    found: dict[str, list[Block]] = {}
    rows = connection.execute(
        "SELECT term, first, last, entries FROM postings "
        "WHERE term IN (SELECT value FROM json_each(?)) ORDER BY term, first",
        (json.dumps(list(terms), ensure_ascii=False),),
    )
    for term, first, last, entries in rows:
        found.setdefault(term, []).append(Block(first, last, entries))
    return found


def pending(connection: sqlite3.Connection, limit: int) -> list[tuple[int, str]]:
    """Return the next passages to be filled in: rows and texts."""
    state = read_state(connection)
    if state is None:
        return []
    rows = connection.execute(
        "SELECT row, text FROM passages WHERE row BETWEEN ? AND ? ORDER BY row LIMIT ?",
        (state.next, state.last, limit),
    )
    return rows.fetchall()


def prune(
    connection: sqlite3.Connection, held: Numbers, newest: int, after: str | None, limit: int
) -> str | None:
    """Drop the rows of passages that the catalog no longer holds from some of the lists.

    Args:
        connection: within a transaction.
        held: ascending rows that it held when its last row was ``newest``; later ones stay.
        newest: see ``held``.
        after: the last term that was done; None to begin.
        limit: blocks to read, about.

    Returns:
        The last term done now; None once all are.
    """
    terms = connection.execute(
        f"SELECT term, count(*) FROM postings WHERE term {'>=' if after is None else '>'} ? "
        "GROUP BY term ORDER BY term LIMIT ?",
        (after or LENGTHS, limit),
    ).fetchall()
    done, last = 0, None
    for term, number in terms:
        if done >= limit:
            return last
        done, last = done + number, term
        _prune_term(connection, term, held, newest)
    return last


def _prune_term(connection: sqlite3.Connection, term: str, held: Numbers, newest: int) -> None:
    rows, counts = unpack(read(connection, [term])[term])
    kept = (rows > newest) | np.isin(rows, held)
    if kept.all():
        return
    connection.execute("DELETE FROM postings WHERE term = ?", (term,))
    blocks = [(term, *block) for block in pack(rows[kept], counts[kept])]
    insert_rows(connection, "INSERT INTO postings", blocks)


def every_list(connection: sqlite3.Connection) -> Iterator[tuple[str, Numbers, Numbers]]:
    """Yield rows and counts of all terms, a term as often as there are pieces of its list."""
    found = connection.execute("SELECT term, first, last, entries FROM postings")
    for term, first, last, entries in found:
        yield term, *unpack([Block(first, last, entries)])
    for part in recent(connection):
        yield from part
