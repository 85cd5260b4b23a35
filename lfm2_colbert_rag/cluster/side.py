"""The side store: what an index keeps beside its points, in chunks with checksums.

Settings and the codebook are needed by everyone who asks, and are no points. Engines refuse large
values, so what is long is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from ..errors import IndexCorruptError

SETTINGS = "settings"
"""The name under which the settings are kept."""

SIZE = 512 * 1024
"""Bytes of a chunk at most."""


class Chunk(NamedTuple):
    """A part of something that is kept.

    Attributes:
        part: which, counted from 0.
        parts: of how many.
        digest: the SHA-256 of the whole, in hex: parts of different wholes never mix.
        data: its bytes.
    """

    part: int
    parts: int
    digest: str
    data: bytes


def cut(data: bytes) -> list[Chunk]:
    """Cut something into chunks; at least one.

    Example:
        >>> [len(chunk.data) for chunk in cut(bytes(600_000))]
        [524288, 75712]
    """
    digest = sha256(data).hexdigest()
    pieces = [data[start : start + SIZE] for start in range(0, len(data), SIZE)] or [b""]
    return [Chunk(part, len(pieces), digest, piece) for part, piece in enumerate(pieces)]


def joined(chunks: Sequence[Chunk], what: str) -> bytes:
    """Put chunks together, in whatever order they come.

    Args:
        chunks: all that there are.
        what: what they are of, for the message.

    Raises:
        IndexCorruptError: one is missing or altered.

    Example:
        >>> joined(cut(b"settings"), "it")
        b'settings'
    """
    ordered = sorted(chunks, key=lambda chunk: chunk.part)
    data = b"".join(chunk.data for chunk in ordered)
    whole = [chunk.part for chunk in ordered] == list(range(ordered[0].parts if ordered else 1))
    if not whole or {chunk.digest for chunk in ordered} != {sha256(data).hexdigest()}:
        raise IndexCorruptError(
            f"{what} is incomplete or altered: its SHA-256 is another. It may be being written: "
            "try again; else restore the collection from a snapshot."
        )
    return data
