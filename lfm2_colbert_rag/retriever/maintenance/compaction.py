"""Rearranging segments: compressing exact ones, merging small ones, replacing the codebook.

No passage changes by it, readers are never blocked, and adding and deleting go on meanwhile: new
segments are written aside, and one commit lets each take the place of those that it was made of.
Killed in between, an index is partly rearranged and whole; the next time goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import numpy as np
import numpy.typing as npt

from ...errors import IndexLockedError, StorageFullError
from ...index import LiveSegment
from ...index.compressed.clustering import train_codebook
from ...index.compressed.codebook import Centroids, Codebook
from ...index.compressed.codebook_reuse import Known
from ...index.compressed.codec import Codec
from ...index.compressed.segment import CompressedSegment
from ...index.compressed.writer import CompressedSegmentWriter
from ...index.segment import Segment, WindowWriter
from ...storage.layout import storage_errors
from ...storage.store import Store
from ...types import Window

logger = logging.getLogger(__name__)

Report = Callable[[int], None]

# An index that may choose compresses itself at about the size at which exact search takes as long.
AUTO_VECTORS = 250_000
# What is asked to be compressed stays exact below the size that any search would scan anyway.
LEAST_VECTORS = 20_000
# Vectors from which a codebook is made: 1.5 GB in float32 at 128 dimensions.
SAMPLE_VECTORS = 3_000_000
# Segments of like size that are merged once there are so many of them side by side, and the share
# of dead rows at which one is written anew.
FAN_IN, SMALLEST_TIER = 8, 16_384
DEAD_SHARE = 0.5
# Segments written at once while the codebook is replaced hold no more vectors than this.
MOST_VECTORS = 20_000_000
# Windows of a segment that are read before its pages are released.
READ_AT_ONCE = 4_096


def tidy(store: Store) -> None:
    """Do what has become due after a commit; what goes wrong is put off, the commit stands."""
    try:
        work = wants_compression(store) or find_mergers(store)
        if work:
            with store.locks.optimizing(timeout=0):
                if wants_compression(store):
                    compress(store)
                while mergers := find_mergers(store):
                    if not merge(store, mergers):
                        break
    except IndexLockedError:
        logger.debug("somebody else rearranges %s already", store.folder)
    except (StorageFullError, MemoryError) as error:
        logger.warning("the segments of %s were not rearranged: %s", store.folder, error)


def wants_compression(store: Store) -> bool:
    """Tell whether an index that has no codebook yet has grown to the size of having one."""
    kind = store.settings["index"]
    if kind == "exact" or store.catalog.codebooks():
        return kind != "exact" and any(
            not isinstance(live.segment, CompressedSegment) for live in store.snapshot().segments
        )
    vectors = sum(live.vectors for live in store.snapshot().segments)
    return vectors > 0 and vectors >= (LEAST_VECTORS if kind == "compressed" else AUTO_VECTORS)


def compress(store: Store, report: Report | None = None) -> None:
    """Compress all exact segments, making a codebook of them if there is none.

    Args:
        store: an index, locked by :meth:`FolderLocks.optimizing`.
        report: called with the number of passages just compressed.
    """
    books = store.catalog.codebooks()
    codebook = store.opener.codebook(books[-1]) if books else new_codebook(store)
    for live in store.snapshot().segments:
        if not isinstance(live.segment, CompressedSegment):
            rewrite(store, [live], codebook, report)


def find_mergers(store: Store) -> list[LiveSegment]:
    """Return segments to be merged, side by side and of one kind; empty when all is well."""
    segments = store.snapshot().segments
    for live in segments:
        if live.live is not None and live.live.mean() < 1 - DEAD_SHARE:
            return [live]
    run: list[LiveSegment] = []
    for live in segments:
        if run and _class_of(run[-1]) != _class_of(live):
            run = []
        run.append(live)
        if len(run) == FAN_IN:
            return run
    return []


def merge(store: Store, segments: Sequence[LiveSegment], report: Report | None = None) -> bool:
    """Write one segment for several of one kind, without their dead rows and as they are."""
    first = segments[0].segment
    codebook = first.codebook if isinstance(first, CompressedSegment) else None
    return rewrite(store, segments, codebook, report)


def merge_all(store: Store, report: Report | None = None) -> None:
    """Merge all neighbours of one kind, and drop all dead rows."""
    group: list[LiveSegment] = []
    for live in [*store.snapshot().segments, None]:
        if group and (
            live is None
            or _class_of(live)[:2] != _class_of(group[0])[:2]
            or sum(one.segment.info.vectors for one in [*group, live]) > MOST_VECTORS
        ):
            if len(group) > 1 or group[0].live is not None:
                merge(store, group, report)
            group = []
        if live is not None:
            group.append(live)


def rewrite(
    store: Store,
    segments: Sequence[LiveSegment],
    codebook: Codebook | None,
    report: Report | None = None,
) -> bool:
    """Write the live windows of segments into one, of a codebook or exact.

    Returns:
        False if one of them was replaced by somebody else meanwhile.
    """
    retired = [live.segment.info.name for live in segments]
    if not any(live.passages for live in segments):
        return store.replace_segments(retired, None, None)
    with store.locks.stage() as folder, closing(store.new_segment(folder, codebook)) as writer:
        for live in segments:
            with storage_errors(store.folder):
                _move(live, writer)
            if report is not None:
                report(live.passages)
        with storage_errors(store.folder):
            info = writer.finish(store.new_name(), 0)
        return store.replace_segments(retired, folder, info)


def renew_codebook(store: Store, report: Report | None = None) -> None:
    """Make a new codebook of what is stored now, and write every segment anew with it.

    Compressed vectors are decompressed for it. Those of tokens that keep their centroids come back
    as they were (``index.compressed.codebook_reuse``); the others lose a little of their accuracy,
    and ``Retriever.optimize`` has a way that loses nothing.
    """
    codebook = new_codebook(store, known=_known(store))
    group: list[LiveSegment] = []
    for live in store.snapshot().segments:
        if group and sum(one.segment.info.vectors for one in group) > MOST_VECTORS:
            rewrite(store, group, codebook, report)
            group = []
        group.append(live)
    if group:
        rewrite(store, group, codebook, report)


def new_codebook(store: Store, known: Known | None = None) -> Codebook:
    """Make a codebook of a sample of all live vectors, and commit it."""
    codec = Codec(store.settings["dim"], store.settings["nbits"])
    segments = store.snapshot().segments
    vectors, tokens, total = sample_vectors(segments, SAMPLE_VECTORS, codec.dim)
    codebook = train_codebook(store.new_name(), vectors, tokens, codec, total=total, known=known)
    del vectors
    with store.locks.stage() as folder:
        with storage_errors(store.folder):
            info = codebook.write(folder, durable=store.durable)
        store.add_codebook(folder, info)
    return store.opener.codebook(info)


def sample_vectors(
    segments: Sequence[LiveSegment], limit: int, dim: int
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int32], int]:
    """Take evenly spaced windows of all segments.

    Returns:
        ``(n, dim)`` vectors and ``(n,)`` their vocabulary ids, n about ``limit`` or less, and how
        many live vectors they stand for.
    """
    total = sum(live.vectors for live in segments)
    step = max(1, -(-total // limit))
    chosen = [(live.segment, live.positions[::step]) for live in segments]
    size = sum(int(segment.lengths[positions].sum()) for segment, positions in chosen)
    # Filled in place: parts put together at the end would be held twice.
    vectors, tokens = np.empty((size, dim), np.float16), np.empty(size, np.int32)
    at = 0
    for segment, positions in chosen:
        for position in _release_behind(segment, positions):
            part = slice(at, at := at + int(segment.lengths[position]))
            vectors[part] = segment.vectors_of(position)
            tokens[part] = segment.token_ids_of(position)
    return vectors, tokens, total


def _known(store: Store) -> Known | None:
    """Return what the compressed segments were made with; None where there are none."""
    segments = [live.segment for live in store.snapshot().segments]
    compressed = [one for one in segments if isinstance(one, CompressedSegment)]
    if not compressed:
        return None
    newest = store.opener.codebook(store.catalog.codebooks()[-1])
    extra = [one.extra for one in compressed if one.codebook.info.name == newest.info.name]
    return Known(newest, Centroids.joined([newest.centroids.take(np.empty(0, np.int64)), *extra]))


def _move(live: LiveSegment, writer: WindowWriter) -> None:
    """Write a segment's live windows: as they are where that is possible."""
    segment = live.segment
    if isinstance(segment, CompressedSegment):
        assert isinstance(writer, CompressedSegmentWriter)
        if writer.can_take_over(segment):
            writer.take_over(segment, live.positions)
            return
    for row, window in _windows(live):
        writer.append(row, window)
    if isinstance(writer, CompressedSegmentWriter):
        writer.inherit_noise(segment.info)


def _windows(live: LiveSegment) -> Iterator[tuple[int, Window]]:
    segment = live.segment
    for position in _release_behind(segment, live.positions):
        yield int(segment.rows[position]), segment.window(position)


def _release_behind(segment: Segment, positions: npt.NDArray[np.int64]) -> Iterator[int]:
    """Yield positions to be read once, and release the pages behind them."""
    for start in range(0, len(positions), READ_AT_ONCE):
        yield from positions[start : start + READ_AT_ONCE].tolist()
        segment.release_pages()


def _class_of(live: LiveSegment) -> tuple[str, str | None, int]:
    """Segments of one class may be merged: like kind, like codebook, like size."""
    info = live.segment.info
    tier = int(np.log(max(1, info.vectors / SMALLEST_TIER)) / np.log(FAN_IN))
    return info.kind, info.codebook, tier
