"""Passages that are added from an iterator, in as many commits as it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .._support.intake import Intake
from .._support.validation import check_count, take_streamed
from ..errors import ConfigError, InputError, LFM2ColBERTError, shown
from ..types import Passage
from .calls import MOST_BYTES, MOST_PASSAGES, Call, encode, put

BATCH = 256
"""Passages of a commit, so few that its answer comes before a proxy in between gives up waiting."""

_MOST = MOST_BYTES - (64 << 10)  # bytes of passages; the rest is for what stands around them


@dataclass
class Block:
    """Passages of one commit, and how many of the stream they stand for."""

    passages: dict[str, Passage] = field(default_factory=dict)
    read: int = 0
    bytes: int = 0


class Stream:
    """Parts a stream of passages into commits, and knows how far it is.

    Args:
        batch: passages of a commit at most.
        strict: refuse whatever would not come back as it was given.
    """

    def __init__(self, batch: int, *, strict: bool) -> None:
        self._limit = check_count(batch, "batch")
        if self._limit > MOST_PASSAGES:
            raise ConfigError(
                f"batch must be {MOST_PASSAGES:,} at most, which is what a server takes in one "
                f"commit, not {shown(batch)}."
            )
        self._strict = strict
        self._block = Block()
        self._read = 0
        self.intake = Intake(strict=strict)
        self.committed = 0

    @property
    def added(self) -> int:
        """How many passages were committed, without the blank ones."""
        return self.committed - self.intake.left_out

    def blocks(self, items: Iterable[object]) -> Iterator[Block]:
        """Yield what is to be committed, one block after the other.

        Raises:
            InputError: a passage cannot be stored.
        """
        for item in items:
            yield from self.take(item)
        yield from self.rest()

    def take(self, item: object) -> Iterator[Block]:
        """Take one passage in; yields what is to be committed before more comes.

        Raises:
            InputError: it cannot be stored.
        """
        passage = take_streamed(item, self._read, self.intake)
        size = 0 if passage is None else _size(passage, self._read)
        if self._block.bytes + size > _MOST:
            yield from self.rest()
        self._read += 1
        block = self._block
        block.read += 1
        if passage is not None:
            block.passages[passage.id] = passage
            block.bytes += size
        if block.read >= self._limit:
            yield from self.rest()

    def rest(self) -> Iterator[Block]:
        """Yield what is left."""
        block, self._block = self._block, Block()
        if block.read:
            yield block

    def call(self, block: Block) -> Call[None]:
        """Return the request that commits a block."""
        return put(list(block.passages.values()), strict=self._strict)

    def done(self, block: Block) -> None:
        """Count a block that was committed."""
        self.committed += block.read

    def tell(self, error: LFM2ColBERTError) -> None:
        """Add to an error how much stays."""
        if self.committed:
            error.args = (
                f"{error} The first {self.committed:,} of the stream were committed before and "
                "stay. Give the whole stream again to go on: what is stored is skipped.",
            )


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield parts of a list."""
    listed = list(items)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def _size(passage: Passage, place: int) -> int:
    size = len(encode(vars(passage)))
    if size > _MOST:
        raise InputError(
            f"the passage at place {place:,} of the stream (id {shown(passage.id)}) has {size:,} "
            f"bytes; a server takes {_MOST:,} at once. Split it."
        )
    return size
