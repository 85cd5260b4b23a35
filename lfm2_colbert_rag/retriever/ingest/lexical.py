"""Posting lists that lack passages, filled in from the stored texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._support.progress import ProgressLike, reporting
from ...index.lexical.inversion import invert_texts

if TYPE_CHECKING:
    from ...storage.store import Store

# Passages filled in by one transaction, so that other writers need not wait long.
_TOGETHER = 1000


def fill_posting_lists(store: Store, progress: ProgressLike = None) -> bool:
    """Fill in what the posting lists lack; nothing happens where they are complete, or not kept.

    They lack passages after they were switched on for an index that had none. Texts are analysed
    without the writer's lock.

    Args:
        store: the index.
        progress: see ``Retriever.add``; it counts passages.

    Returns:
        Whether the index keeps posting lists.

    Raises:
        IndexLockedError: another writer held the index for too long; what is filled in stays.
        StorageFullError: the disk is full; what is filled in stays.
    """
    lists = store.catalog.postings
    state = lists.state()
    if state is None or state.is_complete:
        return state is not None
    with reporting(progress, state.last - state.next + 1, "indexing terms") as report:
        while state is not None and not state.is_complete:
            pending = lists.pending(_TOGETHER)
            postings = invert_texts([text for _, text in pending])
            with store.locks.writing():
                lists.fill([row for row, _ in pending], postings)
            report(len(pending))
            state = lists.state()
    return state is not None
