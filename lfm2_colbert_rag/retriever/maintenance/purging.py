"""Deleted passages removed at once, and a receipt for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._support.progress import ProgressLike
from ...errors import IndexBusyError
from ...filters import Filter

if TYPE_CHECKING:
    from ...storage.store import Store
    from .optimizer import Optimizer


@dataclass(frozen=True)
class PurgeReceipt:
    """What a purge removed for good.

    Attributes:
        passages: deleted or replaced passages of which texts, ids, metadata and terms were still in
            the files, and are no more.
        when: at which time all of it was gone, in ISO 8601 (UTC).
        generation: the generation of the index that was reached; None for a view.
        files: files that were removed from the folder; None for a view.
        bytes: by how much the folder shrank; None for a view.
    """

    passages: int
    when: str
    generation: int | None = None
    files: int | None = None
    bytes: int | None = None

    def of_a_view(self) -> PurgeReceipt:
        """Return what a tenant may know of it: nothing of the index that others share."""
        return replace(self, generation=None, files=None, bytes=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)


def purge(
    store: Store, optimizer: Optimizer, where: Filter, progress: ProgressLike
) -> PurgeReceipt:
    """Remove every byte of deleted passages; see ``Retriever.purge`` for errors.

    Args:
        store: the index.
        optimizer: rearranges it.
        where: which passages, as they are stored.
        progress: counts passages.
    """
    before = _sizes(store.folder)
    forgotten = optimizer.purge(where, progress)
    if not (forgotten.log_emptied and forgotten.files_gone):
        raise IndexBusyError(
            f"something of what was deleted may still lie in {store.folder}, in files that others "
            "were reading all the time. Purge again, once they have gone on."
        )
    after = _sizes(store.folder)
    return PurgeReceipt(
        forgotten.passages,
        datetime.now(UTC).isoformat(timespec="seconds"),
        store.snapshot().generation,
        len(before.keys() - after.keys()),
        max(0, sum(before.values()) - sum(after.values())),
    )


def _sizes(folder: Path) -> dict[Path, int]:
    found = {}
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                found[path] = path.stat().st_size
        except OSError:  # of a write in progress, and gone by now
            continue
    return found
