"""Encoding the stored texts again, so that vectors are once more what the model gives.

Compressed vectors lose a little each time that a codebook is replaced. Where the texts are encoded
again instead, nothing is lost: exact segments take the place of all others, a group of them at a
time, and are compressed afterwards. Killed in between, an index is partly exact and whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from ..._support.token_vectors import check_window
from ...errors import IndexCorruptError
from ..ingest.passage_encoder import TEXTS, PassageEncoder

if TYPE_CHECKING:
    from ...index.base import LiveSegment
    from ...storage.staging import StagedSegment
    from ...storage.store import Snapshot, Store
    from ...types import Passage, Window
    from .soundness import Soundness

Report = Callable[[int], None]

# Segments are written as one up to so many vectors: what a failure may cost, and what lies on the
# disk twice meanwhile.
GROUP_VECTORS = 2_000_000


def reencode(
    store: Store, encoder: PassageEncoder, soundness: Soundness, report: Report | None = None
) -> None:
    """Replace all segments by exact ones of vectors that were encoded just now.

    A text of which the encoder makes no vector keeps those that it has; where these are damaged,
    what they lie in is left as it is, and noted.

    Args:
        store: an index, locked for optimizing.
        encoder: encodes passages as this index stores them.
        soundness: is told of damage.
        report: called with the number of passages just encoded.

    Raises:
        InputError: the encoder gives vectors that cannot be stored.
        StorageFullError: the disk is full; what was replaced until then stays.
    """
    snapshot = store.snapshot()
    for group in _groups(snapshot.segments):
        try:
            _replace(store, snapshot, group, encoder, report)
        except IndexCorruptError as error:
            soundness.note(error)


def _groups(segments: Iterable[LiveSegment]) -> Iterator[list[LiveSegment]]:
    group: list[LiveSegment] = []
    for live in segments:
        if group and sum(one.segment.info.vectors for one in [*group, live]) > GROUP_VECTORS:
            yield group
            group = []
        group.append(live)
    if group:
        yield group


def _replace(
    store: Store,
    snapshot: Snapshot,
    group: Sequence[LiveSegment],
    encoder: PassageEncoder,
    report: Report | None,
) -> None:
    retired = [live.segment.info.name for live in group]
    rows = [row for live in group for row in np.unique(live.rows).tolist()]
    if not rows:
        store.replace_segments(retired, None)
        return
    sizes: list[tuple[int, int, int]] = []
    with store.stage(None) as staged:
        for start in range(0, len(rows), TEXTS):
            part = rows[start : start + TEXTS]
            passages = store.catalog.passages(part)
            texts = [passages[row] for row in part]
            for row, windows in zip(part, _encode(texts, encoder, report), strict=True):
                kept = windows or _stored(store, snapshot, row)
                sizes.append(_write(staged, row, kept, passages[row], snapshot.settings.dim))
        store.replace_segments(retired, staged, sizes, encoder.pooler.fitted)


def _stored(store: Store, snapshot: Snapshot, row: int) -> list[Window]:
    segment, positions = snapshot.segments.find(row)
    store.opener.require_whole(segment.info)
    return [segment.window(position) for position in positions]


def _encode(
    passages: Sequence[Passage], encoder: PassageEncoder, report: Report | None
) -> Iterator[list[Window]]:
    """Yield the windows of each passage; those of one are held."""
    encoded = encoder.encode([passage.text for passage in passages], report)
    grouped = groupby(encoded, key=itemgetter(0))
    place, windows = next(grouped, (None, iter(())))
    for wanted in range(len(passages)):
        if place != wanted:
            yield []
            continue
        yield [window for _, window in windows if len(window.encoded)]
        place, windows = next(grouped, (None, iter(())))


def _write(
    staged: StagedSegment, row: int, windows: Sequence[Window], passage: Passage, dim: int
) -> tuple[int, int, int]:
    """Write the windows of a passage; returns its row, their number and that of their vectors."""
    for window in windows:
        check_window(window, dim, passage)
        staged.append(row, window)
    return row, len(windows), sum(len(window.encoded) for window in windows)
