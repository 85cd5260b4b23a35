"""A stream of passages, written batch by batch: bounded memory, and what is written stays."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..._support.intake import Intake
from ..._support.progress import ProgressLike, reporting
from ..._support.validation import take_streamed
from ...errors import LFM2ColBERTError
from .passage_encoder import CHARACTERS

if TYPE_CHECKING:
    from ...types import Passage

logger = logging.getLogger(__name__)


def add_in_batches(
    add: Callable[[Sequence[Passage], Callable[[int], None]], None],
    passages: Iterable[object],
    intake: Intake,
    stored: Callable[[Passage], Passage] = lambda passage: passage,
    *,
    batch: int,
    progress: ProgressLike,
) -> int:
    """Add passages from an iterator; see ``Retriever.add_stream``.

    Args:
        add: adds some, each id once, and reports how many it has encoded.
        passages: see there.
        intake: takes them in.
        stored: returns a passage that was taken in as it is to be stored.
        batch: see there.
        progress: see there.

    Returns:
        How many passages the stream had, without those that were left out.
    """
    committed = 0
    with reporting(progress, None, "adding") as report:
        try:
            for part, size in _batches(passages, batch, intake, stored):
                meter = _Meter(size, report)
                if part:
                    add(part, meter.advance)
                meter.finish()
                committed += size
        except LFM2ColBERTError as error:
            if committed:
                error.args = (f"{error} {_what_stays(committed)}",)
            raise
        finally:
            intake.report(logger)
    return committed - intake.left_out


class _Meter:
    """Passes on progress of one batch, and never more than the batch has."""

    def __init__(self, size: int, report: Callable[[int], None]) -> None:
        self._left = size
        self._report = report

    def advance(self, finished: int) -> None:
        finished = min(finished, self._left)
        self._left -= finished
        self._report(finished)

    def finish(self) -> None:
        """Count those as well that needed no encoding."""
        self.advance(self._left)


def _batches(
    passages: Iterable[object],
    limit: int,
    intake: Intake,
    stored: Callable[[Passage], Passage],
) -> Iterator[tuple[list[Passage], int]]:
    """Yield passages to be committed together, and how many of the stream they stand for."""
    held: dict[str, Passage] = {}
    read = characters = 0
    for place, item in enumerate(passages):
        passage = take_streamed(item, place, intake)
        read += 1
        if passage is not None:
            held[passage.id] = stored(passage)
            characters += len(passage.text)
        if read == limit or characters >= CHARACTERS:
            yield list(held.values()), read
            held, read, characters = {}, 0, 0
    if read:
        yield list(held.values()), read


def _what_stays(committed: int) -> str:
    return (
        f"The first {committed:,} of the stream were committed before and stay. Give the whole "
        "stream again to go on: what is stored is skipped."
    )
