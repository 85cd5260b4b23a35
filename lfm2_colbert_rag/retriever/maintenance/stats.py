"""What an index holds, counted; nothing is measured and nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...index.segment import COMPRESSED
from ...storage.schema import FORMAT_VERSION
from ...types import IndexStats
from ..ingest.pooler import pool_fit_of
from .recall import drift

if TYPE_CHECKING:
    from ...storage.forgetting import Forgettable, Forgetting
    from ...storage.store import Snapshot, Store
    from .compaction import Compactor

# A codebook is due to be made anew when the index has so many times the vectors that it was made
# for, or when new vectors lie so much further from their centroids than the old ones did.
GROWTH, DRIFT = 4.0, 0.15
TOMBSTONES = 0.3


def collect_stats(store: Store, compactor: Compactor, *, path: str | None) -> IndexStats:
    """Count what an index holds.

    Args:
        store: the index.
        compactor: knows whether compression is due.
        path: its folder; None for an index in memory.
    """
    snapshot = store.snapshot()
    settings, catalog = snapshot.settings, store.catalog
    fit = pool_fit_of(settings)
    counts = catalog.counts(snapshot.generation)
    infos = [live.segment.info for live in snapshot.segments]
    used = {info.codebook for info in infos}
    size = sum(one.size for one in infos)
    size += sum(book.size for book in snapshot.codebooks if book.name in used)
    held = sum(info.vectors for info in infos)
    compressed = any(info.kind == COMPRESSED for info in infos)
    lists = catalog.postings.state()
    waiting = catalog.forgetting.waiting()
    return IndexStats(
        path=path,
        model=settings.model,
        passages=counts.passages,
        windows=counts.windows,
        deleted=counts.deleted,
        vectors=counts.vectors,
        dim=settings.dim,
        window_overlap=settings.window_overlap,
        pool_factor=settings.pool_factor,
        segments=counts.segments,
        generation=snapshot.generation,
        bytes=store.size(),
        bytes_per_vector=size / held if held else 0.0,
        format_version=FORMAT_VERSION,
        storage="compressed" if compressed else "exact",
        nbits=settings.nbits if compressed else None,
        recall=catalog.measurement("recall"),
        drift=drift(snapshot.segments),
        optimize_due=what_is_due(snapshot, compactor, counts.deleted, counts.passages)
        or forgetting_due(catalog.forgetting, waiting),
        forgettable=0 if waiting is None else waiting.passages,
        forget_due=None if waiting is None else waiting.since.isoformat(),
        lexical_bytes=None if lists is None else catalog.postings.bytes(),
        lexical_pending=0 if lists is None else max(0, lists.last - lists.next + 1),
        languages=catalog.languages().counts(snapshot.segments.rows),
        pool_distance=None if fit is None else fit.distance,
    )


def codebook_due(snapshot: Snapshot) -> str | None:
    """Say why the codebook should be made anew; None while it need not be."""
    books = snapshot.codebooks
    if not books or not snapshot.segments.passages:
        return None
    vectors = sum(live.segment.info.vectors for live in snapshot.segments)
    if vectors > GROWTH * books[-1].vectors:
        return f"it has {vectors / books[-1].vectors:.1f} times the vectors of its codebook"
    moved = drift(snapshot.segments)
    if moved > DRIFT:
        return f"new passages fit the codebook {moved:.0%} worse than those it was made of"
    return None


def what_is_due(
    snapshot: Snapshot, compactor: Compactor, deleted: int, passages: int
) -> str | None:
    """Say why the index should be optimized; None while it need not be."""
    if reason := codebook_due(snapshot):
        return reason
    if deleted > TOMBSTONES * max(1, deleted + passages):
        return f"{deleted:,} of {deleted + passages:,} stored passages are deleted"
    if compactor.wants_compression(snapshot):
        return "it has grown to the size at which compression pays"
    return None


def forgetting_due(forgetting: Forgetting, waiting: Forgettable | None) -> str | None:
    """Say why something of deleted passages should be forgotten; None while it need not be."""
    if waiting is not None and waiting.due:
        since = waiting.since.strftime("%Y-%m-%d %H:%M UTC")
        return f"{waiting.due:,} deleted or replaced passages can be forgotten since {since}"
    if forgetting.has_remains():
        return "something of forgotten passages may be left in the catalog's files"
    return None
