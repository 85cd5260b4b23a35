"""The SQL of the posting lists, within whatever transaction the connection is in.

The table ``postings``, which :mod:`~.schema` makes:

========  =================================================================================
column    content
========  =================================================================================
term      a term of the analyser; the empty one for the lengths of passages
first     the first row of a block of the term's list
last      its last row
entries   its bytes: see :mod:`lfm2_colbert_rag.index.lexical.blocks`
checksum  of all these: see :mod:`~.checksums`
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
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..errors import REMEDY, IndexCorruptError
from ..index.described import whole
from ..index.lexical.analyser import VERSION
from ..index.lexical.blocks import BLOCK_BYTES, Block, Ends, Numbers, damaged, pack, unpack
from ..index.lexical.postings import LENGTHS, Postings
from .checksums import block_sum, list_seed
from .passage_rows import read_passages
from .rows import insert_columns, insert_rows
from .schema import stored_value, write_values

SETTING = "lexical"
STATE = f"SELECT value, checksum FROM settings WHERE key = '{SETTING}'"
_BLOCKS = "term, first, last, entries, checksum"
# Passages that are kept apart at most. Whoever reads holds their lists in memory.
RECENT = 256


@dataclass(frozen=True)
class LexicalState:
    """How complete the posting lists are.

    Attributes:
        analyser: version of the analyser that made them.
        next: the first row that may be missing.
        last: the last row that may be missing; below ``next`` when all are there.

    Raises:
        IndexCorruptError: one is no whole number.
    """

    analyser: int = VERSION
    next: int = 1
    last: int = 0

    def __post_init__(self) -> None:
        whole("the versions of the analyser", self.analyser)
        whole("the rows that the lexical index may lack", self.next)
        whole("the rows that the lexical index may lack", self.last)

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


def parse_state(rows: Sequence[tuple[Any, ...]]) -> LexicalState | None:
    """Read what :data:`STATE` selects.

    Raises:
        IndexCorruptError: it is damaged, or no such state.
    """
    value = stored_value("setting", SETTING, *rows[0]) if rows else None
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {one.name for one in fields(LexicalState)}:
        raise IndexCorruptError(f"the catalog's setting {SETTING!r} is {value!a:.100}. {REMEDY}")
    return LexicalState(**value)


def write_state(connection: sqlite3.Connection, state: LexicalState | None) -> None:
    """Say how complete the lists are."""
    value = None if state is None else state.to_dict()
    write_values(connection, "settings", {SETTING: value})


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
        "SELECT last, first, lists, checksum FROM recent_postings WHERE last > ? ORDER BY last",
        (above,),
    ).fetchall()
    return [_recent(*row) for row in found]


def _recent(last: int, first: Any, lists: Any, checksum: Any) -> Postings:
    return Postings.from_bytes(_block(0, first, last, lists, checksum).entries)


def _insert_recent(connection: sqlite3.Connection, parts: Sequence[Postings]) -> None:
    rows = []
    for part in parts:
        first, last, lists = int(part.rows.min()), int(part.rows.max()), part.to_bytes()
        rows.append((last, first, lists, block_sum(0, first, last, lists)))
    insert_rows(connection, "INSERT INTO recent_postings", rows)


def _append(connection: sqlite3.Connection, postings: Postings) -> None:
    """Extend lists, some at a time, so that other threads get their turn."""
    for some in postings.in_slices():
        _append_some(connection, some)


def _append_some(connection: sqlite3.Connection, postings: Postings) -> None:
    """Extend lists; all last blocks are looked up in one statement, in the order of the table."""
    ends = Ends(len(postings.terms))
    found = connection.execute(
        "SELECT terms.key, first, last, entries, checksum "
        "FROM json_each(?) AS terms JOIN postings ON "
        "term = terms.value AND first = (SELECT max(first) FROM postings WHERE term = terms.value) "
        "WHERE length(entries) < ?",
        (json.dumps(postings.terms, ensure_ascii=False), BLOCK_BYTES),
    )
    seeds = list(map(list_seed, postings.terms))
    for place, *block in found:
        ends.firsts[place], ends.lasts[place], ends.entries[place] = _block(seeds[place], *block)
    ends.extend(postings.starts, postings.rows, postings.counts)
    sums = list(map(block_sum, seeds, ends.firsts, ends.lasts, ends.entries))
    columns = postings.terms, ends.firsts, ends.lasts, ends.entries, sums
    insert_columns(connection, "INSERT OR REPLACE INTO postings", columns)


def add_commit(
    connection: sqlite3.Connection, rows: Sequence[int], parts: Sequence[Postings]
) -> None:
    """Add the passages of a commit, where the index is to have lists.

    Args:
        connection: within the commit's transaction.
        rows: rows of the passages, ascending.
        parts: their postings, by place, as
            :func:`lfm2_colbert_rag.index.lexical.inversion.in_parts` gives them. Where they are
            missing, since lists were not wanted when the commit was prepared, the passages are
            pending.
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


def read(
    connection: sqlite3.Connection, terms: Sequence[str], above: int = -1
) -> dict[str, list[Block]]:
    """Return the blocks of each term that has some with rows above one, ascending."""
    found: dict[str, list[Block]] = {}
    rows = connection.execute(
        f"SELECT {_BLOCKS} FROM postings "
        "WHERE term IN (SELECT value FROM json_each(?)) AND last > ? ORDER BY term, first",
        (json.dumps(list(terms), ensure_ascii=False), above),
    )
    seeds = {term: list_seed(term) for term in terms}
    for term, *block in rows:
        found.setdefault(term, []).append(_block(seeds[term], *block))
    return found


def _block(seed: int, first: Any, last: Any, entries: Any, checksum: Any) -> Block:
    """Return a block that agrees with its checksum."""
    try:
        sound = checksum == block_sum(seed, first, last, entries)
    except TypeError:
        sound = False
    if not sound:
        raise damaged()
    return Block(first, last, entries)


def check_sums(connection: sqlite3.Connection) -> None:
    """Compare every block and all that is kept apart with its checksum.

    Raises:
        IndexCorruptError: one differs.
    """
    blocks = connection.execute(f"SELECT {_BLOCKS} FROM postings")
    try:  # all in one expression: there are tens of thousands of them in an index that is small
        sound = all(
            checksum == block_sum(list_seed(term), first, last, entries)
            for term, first, last, entries, checksum in blocks
        )
    except (TypeError, AttributeError):
        sound = False
    if not sound:
        raise damaged()
    recent(connection)


def pending(connection: sqlite3.Connection, limit: int) -> list[tuple[int, str]]:
    """Return the next passages to be filled in: rows and texts."""
    state = read_state(connection)
    if state is None:
        return []
    rows = connection.execute(
        "SELECT row FROM passages WHERE row BETWEEN ? AND ? ORDER BY row LIMIT ?",
        (state.next, state.last, limit),
    ).fetchall()
    passages = read_passages(connection, [row for (row,) in rows])
    return [(row, passages[row].text) for (row,) in rows]


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
    seed = list_seed(term)
    blocks = [(term, *block, block_sum(seed, *block)) for block in pack(rows[kept], counts[kept])]
    insert_rows(connection, "INSERT INTO postings", blocks)


def every_list(connection: sqlite3.Connection) -> Iterator[tuple[str, Numbers, Numbers]]:
    """Yield rows and counts of all terms, a term as often as there are pieces of its list."""
    for term, *block in connection.execute(f"SELECT {_BLOCKS} FROM postings"):
        if not isinstance(term, str):
            raise damaged()
        yield term, *unpack([_block(list_seed(term), *block)])
    for part in recent(connection):
        yield from part
