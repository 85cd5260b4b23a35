"""Checksums of the catalog's rows, so that no damaged row passes for a sound one.

SQLite checks the shape of its file, not what stands in it: a flipped bit in a text is another text.
Every row therefore has a checksum (CRC-32) of its other columns. Passages have two: ``content`` of
what never changes, and ``state`` of what later commits change, in a form that SQL can compute.

They guard against damage, not against people: whoever writes a row can write its checksum.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

# Numbers of a row's state, each times a number of its own; the sums stay within 64 bits.
_BELOW_32_BITS = (1 << 32) - 5  # a prime, so that every bit of a larger number counts
_PRIME = (1 << 31) - 1
_FACTORS = (265443577, 40503551, 224682251, 326648991, 66826527)


def row_sum(*values: Any) -> int:
    """Return the checksum of the columns of a row, in their order.

    Example:
        >>> row_sum("dim", "128") == row_sum("dim", "12", "8")
        False
    """
    return crc32(ascii(values).encode())


def content_sum(row: Any, id: Any, text: Any, metadata: Any, language: Any) -> int:
    """Return the checksum of what a passage is; -1, which no row has, if its types are wrong."""
    if not all(isinstance(one, str) for one in (id, text, metadata, language)):
        return -1
    name, body, rest = id.encode(), text.encode(), metadata.encode()
    start = crc32(f"{row} {len(name)} {len(body)} {language} ".encode())
    return crc32(rest, crc32(body, crc32(name, start)))


def state_sum(row: int, windows: int, tokens: int, born: int, died: int | None) -> int:
    """Return the checksum of what commits change of a passage; :func:`state_sql` is the same."""
    values = (row, windows, tokens, born, 0 if died is None else died + 1)
    return sum(value % _PRIME * factor for value, factor in zip(values, _FACTORS, strict=True))


def state_sql(windows: str = "windows", tokens: str = "tokens", died: str = "died") -> str:
    """Return SQL for :func:`state_sum`, given SQL for what becomes of the columns."""
    values = ("row", windows, tokens, "born", f"coalesce({died} + 1, 0)")
    return " + ".join(
        f"{value} % {_PRIME} * {factor}" for value, factor in zip(values, _FACTORS, strict=True)
    )


def size_sum(row: int, windows: int, tokens: int) -> int:
    """Return the checksum of the size of a passage in a space; :func:`size_sql` is the same."""
    return state_sum(row, windows, tokens, 0, None)


def size_sql() -> str:
    """Return SQL for :func:`size_sum` of the columns of those names."""
    values = zip(("row", "windows", "tokens"), _FACTORS, strict=False)
    return "(" + " + ".join(f"{value} % {_PRIME} * {factor}" for value, factor in values) + ")"


def list_seed(term: str) -> int:
    """Return where the checksums of the blocks of a term's posting list begin."""
    return crc32(term.encode())


def block_sum(seed: int, first: int, last: int, entries: bytes) -> int:
    """Return the checksum of a block of a posting list; see :func:`list_seed`.

    Raises:
        TypeError: an argument is of another type, as what comes from a damaged row may be.
    """
    return crc32(entries, (seed ^ first ^ last << 13) % _BELOW_32_BITS)
