"""Rearranging segments: compressing exact ones, merging small ones, replacing the codebook.

No passage changes by it, readers are never blocked, and adding and deleting go on meanwhile: new
segments are written aside, and one commit lets each take the place of those that it was made of.
Killed in between, an index is partly rearranged and whole; the next time goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import REMEDY, IndexCorruptError, IndexLockedError
from ...index.compressed.clustering import train_codebook
from ...index.compressed.codebook import Centroids, Codebook
from ...index.compressed.codebook_reuse import Known
from ...index.compressed.codec import Codec
from ...index.compressed.segment import CompressedSegment
from ...index.compressed.ways import prepare_writing
from ...index.compressed.writer import CompressedSegmentWriter
from ...storage.commits import StaleDraftError
from .soundness import Soundness

if TYPE_CHECKING:
    from ...index.base import LiveSegment
    from ...index.segment import Segment
    from ...storage.staging import StagedSegment
    from ...storage.store import Snapshot, Store
    from ...types import Window

logger = logging.getLogger(__name__)

Report = Callable[[int], None]


@dataclass(frozen=True)
class CompactionPolicy:
    """When segments are rearranged, and how much at once.

    Attributes:
        auto_vectors: vectors from which an index that may choose is compressed: about the size at
            which exact search takes as long.
        prompt_vectors: up to so many, an index becomes compressed in the call that makes it due: a
            second or two. Larger ones wait for a stream or for ``optimize``, unless they were asked
            to be compressed.
        min_vectors: below so many, what is asked to be compressed stays exact: any search would
            scan them anyway.
        sample_vectors: vectors that a codebook is made of; 3 million take 1.5 GB in float32 at 128
            dimensions.
        fan_in: so many segments of like size, side by side, are merged.
        smallest_tier: vectors of a segment up to which all are of like size.
        dead_share: share of dead windows at which a segment is written anew.
        max_vectors: segments written at once while the codebook is replaced hold no more vectors.
        release_every: windows of a segment that are read before its pages are released.
    """

    auto_vectors: int = 250_000
    prompt_vectors: int = 50_000
    min_vectors: int = 20_000
    sample_vectors: int = 3_000_000
    fan_in: int = 8
    smallest_tier: int = 16_384
    dead_share: float = 0.5
    max_vectors: int = 20_000_000
    release_every: int = 4_096


DEFAULT_POLICY = CompactionPolicy()


class Compactor:
    """Rearranges the segments of one index.

    Args:
        store: the index.
        policy: when and how much; :data:`DEFAULT_POLICY` when None.

    Attributes:
        soundness: which segments are whole; damaged ones are left as they are.
    """

    def __init__(self, store: Store, policy: CompactionPolicy | None = None) -> None:
        self._store = store
        self._given = policy
        self.soundness = Soundness(store)

    @property
    def _policy(self) -> CompactionPolicy:
        return DEFAULT_POLICY if self._given is None else self._given

    def auto_compact(self, *, streaming: bool = False) -> None:
        """Do what has become due after a commit, which stands: what goes wrong is logged.

        Args:
            streaming: the commit is one of many, so that its maker waits anyway.
        """
        store = self._store
        try:
            snapshot = store.snapshot()
            compressing = self.wants_compression(snapshot) and (
                streaming or self._compresses_at_once(snapshot)
            )
            if not compressing and not self._find_mergers(snapshot):
                return
            with store.locks.optimizing(timeout=0):
                self.soundness.begin()
                if compressing and self.wants_compression():
                    self.compress()
                self.merge_due()
        except (IndexLockedError, StaleDraftError):
            logger.debug("somebody else rearranges %s already", store.folder)
        except Exception as error:
            logger.warning(
                "the segments of %s were not rearranged: %s", store.folder, error, exc_info=True
            )

    def _compresses_at_once(self, snapshot: Snapshot) -> bool:
        """Tell whether a single call may wait until an index that wants it is compressed.

        The first codebook of a large one takes half a minute, for which nobody who adds a passage
        should have to wait; until then it stays exact.
        """
        return (
            bool(snapshot.codebooks)
            or snapshot.settings.storage == "compressed"
            or snapshot.segments.vectors <= self._policy.prompt_vectors
        )

    def wants_compression(self, snapshot: Snapshot | None = None) -> bool:
        """Tell whether some vectors are to be compressed that are not; as of now when None."""
        snapshot = self._store.snapshot() if snapshot is None else snapshot
        storage = snapshot.settings.storage
        if storage == "exact":
            return False
        if snapshot.codebooks:
            return not all(isinstance(one.segment, CompressedSegment) for one in snapshot.segments)
        vectors = snapshot.segments.vectors
        policy = self._policy
        needed = policy.min_vectors if storage == "compressed" else policy.auto_vectors
        return vectors > 0 and vectors >= needed

    def compress(self, report: Report | None = None) -> None:
        """Compress all exact segments, making a codebook of them if there is none.

        To be called while the index is locked for optimizing, like the other methods.

        Args:
            report: called with the number of passages just compressed.

        Raises:
            StaleDraftError: another process wants exact vectors meanwhile.
        """
        store = self._store
        books = store.snapshot().codebooks
        codebook = store.opener.codebook(books[-1]) if books else self._new_codebook()
        for live in store.snapshot().segments:
            if not isinstance(live.segment, CompressedSegment):
                self._rewrite([live], codebook, report)

    def merge_due(self, report: Report | None = None) -> None:
        """Merge segments of like size, and write anew what is mostly dead, while any is due."""
        while mergers := self._find_mergers(self._store.snapshot()):
            if not self._merge(mergers, report):
                break

    def merge_all(self, report: Report | None = None) -> None:
        """Merge all neighbours of one kind, and drop all dead rows."""
        group: list[LiveSegment] = []
        for live in [*self._store.snapshot().segments, None]:
            if group and (
                live is None
                or self._class_of(live)[:2] != self._class_of(group[0])[:2]
                or _stored_vectors([*group, live]) > self._policy.max_vectors
            ):
                if len(group) > 1 or group[0].live is not None:
                    self._merge(group, report)
                group = []
            if live is not None:
                group.append(live)

    def renew_codebook(self, report: Report | None = None) -> None:
        """Make a new codebook of what is stored now, and write every segment anew with it.

        Compressed vectors are decompressed for it. Those of tokens that keep their centroids come
        back as they were; the others lose a little of their accuracy
        (:mod:`~lfm2_colbert_rag.index.compressed.codebook_reuse`), and ``Retriever.optimize`` has a
        way that loses nothing.
        """
        codebook = self._new_codebook(known=self._known())
        group: list[LiveSegment] = []
        for live in self._store.snapshot().segments:
            if group and _stored_vectors(group) > self._policy.max_vectors:
                self._rewrite(group, codebook, report)
                group = []
            group.append(live)
        if group:
            self._rewrite(group, codebook, report)

    def _find_mergers(self, snapshot: Snapshot) -> list[LiveSegment]:
        """Return segments to be merged, side by side and of one kind; empty when all is well."""
        segments = list(snapshot.segments)
        for live in segments:
            few = live.live is not None and live.live.mean() < 1 - self._policy.dead_share
            if few and not (live.passages and self.soundness.is_damaged(live)):
                return [live]
        run: list[LiveSegment] = []
        for live in segments:
            if run and self._class_of(run[-1]) != self._class_of(live):
                run = []
            if self.soundness.is_damaged(live):
                run = []
                continue
            run.append(live)
            if len(run) == self._policy.fan_in:
                return run
        return []

    def _merge(self, segments: Sequence[LiveSegment], report: Report | None = None) -> bool:
        """Write one segment for several of one kind, without their dead rows and as they are."""
        first = segments[0].segment
        codebook = first.codebook if isinstance(first, CompressedSegment) else None
        return self._rewrite(segments, codebook, report, alone=False)

    def _rewrite(
        self,
        segments: Sequence[LiveSegment],
        codebook: Codebook | None,
        report: Report | None,
        *,
        alone: bool = True,
    ) -> bool:
        """Write the live windows of segments into one, of a codebook or exact.

        Damaged ones stay where they are, and what lies on either side of them becomes one each.

        Args:
            segments: side by side.
            codebook: what to compress with; None for an exact segment.
            report: see :meth:`compress`.
            alone: whether it pays to write one anew that has no dead rows and no others beside it.

        Returns:
            False if one of them was replaced by somebody else meanwhile.
        """
        if not any(live.passages for live in segments):
            return self._store.replace_segments(_names(segments), None)
        runs = self.soundness.runs(segments)
        wanted = [run for run in runs if alone or len(run) > 1 or run[0].live is not None]
        return all(self._write(run, codebook, report) for run in wanted)

    def _write(
        self, segments: Sequence[LiveSegment], codebook: Codebook | None, report: Report | None
    ) -> bool:
        store = self._store
        if not any(live.passages for live in segments):
            return store.replace_segments(_names(segments), None)
        with store.stage(codebook) as staged:
            for live in segments:
                self.move(live, staged)
                if report is not None:
                    report(live.passages)
            return store.replace_segments(_names(segments), staged)

    def move(self, live: LiveSegment, staged: StagedSegment) -> None:
        """Write a segment's live windows into another: as they are where that is possible."""
        segment, writer = live.segment, staged.writer
        if (
            isinstance(segment, CompressedSegment)
            and isinstance(writer, CompressedSegmentWriter)
            and writer.can_take_over(segment)
        ):
            with staged.system_errors():
                writer.take_over(segment, live.positions)
            return
        for row, window in self._windows(live):
            staged.append(row, window)
        if isinstance(writer, CompressedSegmentWriter):
            with staged.system_errors():
                writer.inherit_noise(segment.info)

    def _windows(self, live: LiveSegment) -> Iterator[tuple[int, Window]]:
        for position in self._released(live.segment, live.positions):
            yield int(live.segment.rows[position]), live.segment.window(position)

    def _released(self, segment: Segment, positions: npt.NDArray[np.int64]) -> Iterator[int]:
        """Yield positions to be read once, and release the pages of what was read."""
        step = self._policy.release_every
        for start in range(0, len(positions), step):
            yield from positions[start : start + step].tolist()
            segment.release_pages()

    def _new_codebook(self, known: Known | None = None) -> Codebook:
        """Make a codebook of a sample of all live vectors, and commit it."""
        store = self._store
        snapshot = store.snapshot()
        codec = Codec(snapshot.settings.dim, snapshot.settings.nbits)
        prepare_writing(codec)
        segments = self.soundness.whole(snapshot.segments)
        if not any(live.passages for live in segments):
            raise IndexCorruptError(f"no segment of {store.folder} is whole. {REMEDY}")
        vectors, tokens, total = self._sample(segments, codec.dim)
        codebook = train_codebook(
            store.new_name(), vectors, tokens, codec, total=total, known=known
        )
        del vectors
        return store.opener.codebook(store.add_codebook(codebook, snapshot.settings.space))

    def _sample(
        self, segments: Sequence[LiveSegment], dim: int
    ) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int32], int]:
        """Take evenly spaced windows of all segments.

        Returns:
            ``(n, dim)`` vectors and ``(n,)`` their vocabulary ids, and how many live vectors they
            stand for.
        """
        total = sum(live.vectors for live in segments)
        step = max(1, -(-total // self._policy.sample_vectors))
        chosen = [(live.segment, live.positions[::step]) for live in segments]
        size = sum(int(segment.lengths[positions].sum()) for segment, positions in chosen)
        # Filled in place: parts put together at the end would be held twice.
        vectors, tokens = np.empty((size, dim), np.float16), np.empty(size, np.int32)
        at = 0
        for segment, positions in chosen:
            for position in self._released(segment, positions):
                part = slice(at, at := at + int(segment.lengths[position]))
                vectors[part] = segment.vectors_of(position)
                tokens[part] = segment.token_ids_of(position)
        return vectors, tokens, total

    def _known(self) -> Known | None:
        """Return what the compressed segments were made with; None where there are none."""
        snapshot = self._store.snapshot()
        segments = [live.segment for live in snapshot.segments]
        compressed = [one for one in segments if isinstance(one, CompressedSegment)]
        if not compressed:
            return None
        newest = self._store.opener.codebook(snapshot.codebooks[-1])
        extra = [one.extra for one in compressed if one.codebook.info.name == newest.info.name]
        none = newest.centroids.take(np.empty(0, np.int64))
        return Known(newest, Centroids.joined([none, *extra]))

    def _class_of(self, live: LiveSegment) -> tuple[str, str | None, int]:
        """Segments of one class may be merged: like kind, like codebook, like size."""
        info = live.segment.info
        size = max(1, info.vectors / self._policy.smallest_tier)
        return info.kind, info.codebook, int(np.log(size) / np.log(self._policy.fan_in))


def _names(segments: Sequence[LiveSegment]) -> list[str]:
    return [live.segment.info.name for live in segments]


def _stored_vectors(segments: Sequence[LiveSegment]) -> int:
    return sum(live.segment.info.vectors for live in segments)
