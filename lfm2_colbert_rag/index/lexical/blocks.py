"""The bytes of posting lists: blocks of entries, to which more entries can be appended.

======  ===========================================================================================
bytes   content
======  ===========================================================================================
1       widths in bytes of a step and of a count: 1, 2, 4 or 8 each, ``step << 4 | count``
others  one entry after the other: its step from the row before it, and its count, little-endian;
        the first step of a block is 0
======  ===========================================================================================

Beside its bytes, the first and the last row of each block are kept. So an entry is appended without
reading those before it, and long lists are read without a loop over their blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import IndexCorruptError

Numbers = npt.NDArray[np.int64]

# Nothing is appended to a block of so many bytes. SQLite keeps what is longer than a quarter of
# its page on pages of its own.
BLOCK_BYTES = 900
_WIDTHS = (1, 2, 4, 8)
# Entries of a new list whose next steps are taken to need two bytes.
_RARE = 4


class Block(NamedTuple):
    """A stretch of one posting list.

    Attributes:
        first: its first row.
        last: its last row.
        entries: its bytes.
    """

    first: int
    last: int
    entries: bytes


class Ends:
    """The last block of each of several lists, to which entries can be appended.

    Columns rather than an object a block: there are tens of thousands of them in a commit.

    Args:
        number: of lists.

    Attributes:
        firsts: the first row of each block.
        lasts: the last row of each block.
        entries: the bytes of each block; empty where a new one is to begin.
    """

    def __init__(self, number: int) -> None:
        self.firsts = [0] * number
        self.lasts = [0] * number
        self.entries = [b""] * number

    def extend(self, starts: Numbers, rows: Numbers, counts: Numbers) -> None:
        """Append entries.

        Args:
            starts: ``(number + 1,)`` where the new entries of each list, at least one, begin in
                the two arrays below.
            rows: ``(entries,)`` rows, ascending within a list, above those of its block.
            counts: ``(entries,)`` their counts.

        Example:
            >>> ends = Ends(1)
            >>> ends.extend(np.array([0, 2]), np.array([7, 9]), np.array([1, 2]))
            >>> ends.extend(np.array([0, 1]), np.array([300]), np.array([1]))
            >>> unpack([Block(ends.firsts[0], ends.lasts[0], ends.entries[0])])[0].tolist()
            [7, 9, 300]
        """
        if len(starts) < 2:
            return
        begins = rows[starts[:-1]]
        new = np.array([not entries for entries in self.entries])
        steps = np.diff(rows, prepend=0)
        steps[starts[:-1]] = np.where(new, 0, begins - np.array(self.lasts))
        headers = _headers(self.entries, starts, steps, counts)
        pieces = _encode(headers, starts, steps, counts)
        self.firsts = np.where(new, begins, self.firsts).tolist()
        self.lasts = rows[starts[1:] - 1].tolist()
        self.entries = [
            (old if old and old[0] == header else _begun(old, header)) + piece
            for old, header, piece in zip(self.entries, headers.tolist(), pieces, strict=True)
        ]


def pack(rows: Numbers, counts: Numbers) -> list[Block]:
    """Write one list, as blocks that are filled up to :data:`BLOCK_BYTES`, about.

    Args:
        rows: ``(n,)`` ascending rows.
        counts: ``(n,)`` their counts.
    """
    size = BLOCK_BYTES // 2
    starts = np.append(np.arange(0, len(rows), size), len(rows))
    ends = Ends(len(starts) - 1)
    ends.extend(starts, rows, counts)
    return list(map(Block, ends.firsts, ends.lasts, ends.entries))


def unpack(blocks: Sequence[Block]) -> tuple[Numbers, Numbers]:
    """Read one list.

    Args:
        blocks: of the list, ascending; at least one.

    Returns:
        ``(n,)`` int64 rows, ascending, and their counts.

    Raises:
        IndexCorruptError: these are no such blocks.
    """
    return unpack_lists({"": blocks})[""]


def unpack_lists(lists: Mapping[str, Sequence[Block]]) -> dict[str, tuple[Numbers, Numbers]]:
    """Read several lists at once, each as :func:`unpack` does; none of them may be empty."""
    blocks = [block for each in lists.values() for block in each]
    if not blocks:
        return {}
    layouts = [_layout(block.entries[0]) if block.entries else None for block in blocks]
    sizes = np.array(
        [
            0
            if layout is None or (len(block.entries) - 1) % layout.itemsize
            else (len(block.entries) - 1) // layout.itemsize
            for block, layout in zip(blocks, layouts, strict=True)
        ]
    )
    if not sizes.all():
        raise damaged()
    steps, counts = _decode(blocks, sizes)
    ends = np.cumsum(sizes)
    lasts = np.array([block.last for block in blocks])
    # One sum over all blocks: each begins as far from the one before as its first row is.
    steps[ends - sizes] += [block.first for block in blocks] - np.append(0, lasts[:-1])
    rows = np.cumsum(steps)
    if (rows[ends - 1] != lasts).any():
        raise damaged()
    bounds = np.append(0, ends)[np.cumsum([0, *map(len, lists.values())])].tolist()
    return {
        term: (rows[start:end], counts[start:end])
        for term, start, end in zip(lists, bounds, bounds[1:], strict=False)
    }


def _headers(
    blocks: Sequence[bytes], starts: Numbers, steps: Numbers, counts: Numbers
) -> npt.NDArray[np.uint8]:
    """Return the first byte of each block, wide enough for old entries and for new ones."""
    old = np.frombuffer(b"".join([entries[:1] or b"\0" for entries in blocks]), np.uint8)
    # The next passage with a rare term will be far away: that need not be written anew then.
    rare = np.where(np.diff(starts) <= _RARE, np.uint8(0x21), np.uint8(0x11))
    old = np.where(old == 0, rare, old)
    wide = np.maximum(_needed(np.maximum.reduceat(steps, starts[:-1])), old >> 4)
    high = np.maximum(_needed(np.maximum.reduceat(counts, starts[:-1])), old & 15)
    return wide << 4 | high


def _needed(largest: Numbers) -> npt.NDArray[np.uint8]:
    table = np.array(_WIDTHS, dtype=np.uint8)
    return table[np.searchsorted([1 << 8, 1 << 16, 1 << 32], largest, side="right")]


def _encode(
    headers: npt.NDArray[np.uint8], starts: Numbers, steps: Numbers, counts: Numbers
) -> list[bytes]:
    """Return the bytes of the new entries of each list."""
    sizes = np.diff(starts)
    pieces = np.empty(len(headers), dtype=object)
    for header in np.unique(headers).tolist():
        lists = np.flatnonzero(headers == header)
        chosen = np.repeat(headers == header, sizes)
        entries = np.empty(int(chosen.sum()), dtype=_layout(header))
        entries["step"], entries["count"] = steps[chosen], counts[chosen]
        data = entries.tobytes()
        ends = (np.cumsum(sizes[lists]) * entries.itemsize).tolist()
        pieces[lists] = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return list(pieces)


def _begun(entries: bytes, header: int) -> bytes:
    """Return the bytes of a block in other widths, or of one without entries."""
    if not entries:
        return bytes((header,))
    old = np.frombuffer(entries, _layout(entries[0]), offset=1)
    return bytes((header,)) + old.astype(_layout(header)).tobytes()


def _decode(blocks: Sequence[Block], sizes: Numbers) -> tuple[Numbers, Numbers]:
    """Return steps and counts of blocks, given how many each has."""
    headers = np.frombuffer(b"".join([block.entries[:1] for block in blocks]), np.uint8)
    steps, counts = np.empty((2, int(sizes.sum())), dtype=np.int64)
    known = np.unique(headers).tolist()
    for header in known:
        joined = b"".join([b.entries[1:] for b in blocks if b.entries[0] == header])
        entries = np.frombuffer(joined, _layout(header))
        chosen = np.repeat(headers == header, sizes) if len(known) > 1 else slice(None)
        steps[chosen], counts[chosen] = entries["step"], entries["count"]
    return steps, counts


@cache
def _layout(header: int) -> np.dtype[np.void] | None:
    wide, high = divmod(header, 16)
    if wide not in _WIDTHS or high not in _WIDTHS:
        return None
    return np.dtype([("step", f"<u{wide}"), ("count", f"<u{high}")])


def damaged() -> IndexCorruptError:
    """Return the error that says so of a list, and what to do."""
    return IndexCorruptError(
        "a posting list of the lexical index is damaged. Restore the index from a backup, or "
        "leave the lexical index out and make it again: open(lexical=False), then "
        "open(lexical=True)."
    )
