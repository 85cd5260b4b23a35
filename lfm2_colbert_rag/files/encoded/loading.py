"""Outputs into an index, some passages a commit; what is stored already is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...encoder.lazy import require_same_model
from ...errors import IndexMismatchError, InputError
from ...storage.exchange.formats import open_dump
from .record import find_outputs, read_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...retriever import Retriever
    from ...storage.exchange.given_vectors import GivenVectors
    from ...types import Passage

__all__ = ["Loaded", "count_passages", "load_outputs"]

BATCH = 1024


@dataclass(frozen=True)
class Loaded:
    """What was done with some outputs.

    Attributes:
        outputs: how many there are.
        added: passages that were added or replaced.
        kept: passages that were stored already as they are.

    Example:
        >>> Loaded(2, 10, 5).added
        10
    """

    outputs: int
    added: int
    kept: int


def load_outputs(
    retriever: Retriever,
    folder: Path,
    *,
    batch: int = BATCH,
    progress: Callable[[int], None] = lambda finished: None,
) -> Loaded:
    """Add what ``lfm2-colbert encode`` wrote, in batches of one commit each.

    Whoever is interrupted gives the same again: a passage that is stored with this text and these
    metadata is skipped, as it came from the same model.

    Args:
        retriever: the index.
        folder: the outputs.
        batch: passages in a commit.
        progress: called with the number of passages just looked at.

    Raises:
        InputError: the folder holds no outputs, or one that is damaged; what was added before
            stays.
        IndexMismatchError: an output was made with another model, or pooled otherwise; nothing was
            added.
        IndexLockedError: another writer held the index for too long; what was added before stays.

    Example:
        >>> load_outputs(retriever, Path("/data/encoded"))  # doctest: +SKIP
        Loaded(outputs=2, added=10, kept=0)
    """
    outputs = list(find_outputs(folder))
    if not outputs:
        raise InputError(f"{folder} holds nothing that 'lfm2-colbert encode' wrote.")
    _require_same(retriever, outputs)
    added = kept = 0
    for part in _batches(outputs, batch):
        stored = {one.id: one for one in retriever.get([passage.id for passage, _ in part])}
        fresh = [(one, vectors) for one, vectors in part if stored.get(one.id) != one]
        if fresh:
            retriever.add_vectors(
                [vectors for _, vectors in fresh],
                [one.text for one, _ in fresh],
                ids=[one.id for one, _ in fresh],
                metadata=[one.metadata for one, _ in fresh],
            )
        added += len(fresh)
        kept += len(part) - len(fresh)
        progress(len(part))
    return Loaded(len(outputs), added, kept)


def count_passages(folder: Path) -> int:
    """Return how many passages the outputs in a folder hold.

    Raises:
        InputError: one is damaged.
    """
    return sum(record.passages for one in find_outputs(folder) if (record := read_record(one)))


def _require_same(retriever: Retriever, outputs: list[Path]) -> None:
    expected = retriever.encoder.fingerprint
    factor = retriever.stats().pool_factor
    seen: list[object] = []
    for output in outputs:
        record = read_record(output)
        if record is None or record.recipe in seen:
            continue
        require_same_model(output, record.recipe["fingerprint"], expected)
        if record.recipe["pool_factor"] != factor:
            raise IndexMismatchError(
                f"{output} was encoded with pool_factor {record.recipe['pool_factor']}, but the "
                f"index has {factor}. Encode with --pool-factor {factor}, or make a new index."
            )
        seen.append(record.recipe)


def _batches(outputs: list[Path], size: int) -> Iterator[list[tuple[Passage, GivenVectors]]]:
    """Yield passages with their vectors; of one id in a batch, the last counts, as over batches."""
    held: dict[str, tuple[Passage, GivenVectors]] = {}
    for output in outputs:
        dump = open_dump(output)
        for passage, vectors in zip(dump.match(None), dump.vectors(), strict=True):
            held[passage.id] = passage, vectors
            if len(held) == size:
                yield list(held.values())
                held = {}
    if held:
        yield list(held.values())
