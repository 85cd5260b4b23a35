"""What an index knows of itself, and how it is brought back to its best."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any

import numpy as np

from ..._support.progress import ProgressLike, reporting
from ...encoder.lazy import LazyEncoder
from ...errors import ConfigError
from ...index import CompressedIndex, SearchSettings
from ...index.settings import LADDER
from ...storage.store import Snapshot, Store
from ...types import IndexStats, TokenMatrix, TokenVectors
from ..ingest.passage_encoder import PassageEncoder
from ..ingest.pooler import DISTANCE
from .compaction import compress, find_mergers, merge, merge_all, renew_codebook, wants_compression
from .recall import Recall, drift, measure_ladder, measure_recall, sample_stretches
from .reencoding import reencode as reencode_texts

# Users' own questions, as vectors and in memory only, that recall is measured on.
REMEMBERED = 256
SAMPLE = 48
SECONDS = 5.0
# A codebook is due to be made anew when the index has so many times the vectors that it was made
# for, or when new vectors lie so much further from their centroids than the old ones did.
GROWTH, DRIFT = 4.0, 0.15
TOMBSTONES = 0.3
STALE_SHARE = 0.1


class Tuning:
    """The part of :class:`~lfm2_colbert_rag.Retriever` that measures and rearranges the index."""

    _store: Store
    _encoder: LazyEncoder
    _asked: deque[TokenMatrix]

    def _encode(self, queries: list[str]) -> list[TokenVectors]:
        raise NotImplementedError

    def _passage_encoder(self) -> PassageEncoder:
        raise NotImplementedError

    def _shown_path(self) -> str | None:
        raise NotImplementedError

    def stats(self, *, measure: bool | None = None) -> IndexStats:
        """Count what the index holds, and say how well it finds it; needs no model.

        Args:
            measure: measure recall again; None does so where a tenth of the index has changed
                since, for a few seconds at most; False never does.
        """
        snapshot = self._store.snapshot()
        counts = self._store.catalog.counts(snapshot.generation)
        infos = [live.segment.info for live in snapshot.segments]
        books = self._store.catalog.codebooks()
        used = {info.codebook for info in infos}
        size = sum(one.size for one in infos) + sum(b.size for b in books if b.name in used)
        held = sum(info.tokens for info in infos)
        settings = self._store.settings
        moved = drift(snapshot.segments)
        words = self._store.catalog.postings.state()
        return IndexStats(
            path=self._shown_path(),
            model=str(settings["model"]),
            passages=counts.passages,
            windows=counts.windows,
            deleted=counts.deleted,
            vectors=counts.tokens,
            dim=settings["dim"],
            window_overlap=settings["window_overlap"],
            pool_factor=settings["pool_factor"],
            segments=counts.segments,
            generation=snapshot.generation,
            bytes=self._store.size(),
            bytes_per_vector=size / held if held else 0.0,
            format_version=settings["format_version"],
            index="compressed" if isinstance(snapshot.index, CompressedIndex) else "exact",
            nbits=settings["nbits"] if isinstance(snapshot.index, CompressedIndex) else None,
            recall=self._known_recall(snapshot, measure),
            drift=moved,
            optimize_due=self._what_is_due(snapshot, moved, counts.deleted, counts.passages),
            lexical_bytes=None if words is None else self._store.catalog.postings.bytes(),
            pool_distance=self._store.catalog.settings().get(DISTANCE),
            lexical_pending=0 if words is None else max(0, words.last - words.next + 1),
        )

    def measure_recall(
        self, queries: Sequence[str] | None = None, *, sample: int = SAMPLE
    ) -> Recall:
        """Measure recall@10 against exact MaxSim, and remember it with the index.

        Args:
            queries: questions to measure it on. Without them, those that this retriever was asked
                last, and parts of passages where they are too few, encoded as questions. As long
                as the model is not loaded, they are asked as they are stored, which is easier
                to answer by one to three points of recall.
            sample: how many queries at most; each scores every vector once.

        Raises:
            ConfigError: a sample below 2.

        Example:
            >>> from lfm2_colbert_rag import Retriever
            >>> retriever = Retriever.from_texts(["one", "two"], model="hash")
            >>> retriever.measure_recall().recall
            1.0
        """
        if sample < 2:
            raise ConfigError(f"sample must be at least 2, not {sample}.")
        given = None if queries is None else [q.vectors for q in self._encode(list(queries))]
        return self._measure(self._store.snapshot(), sample, None, given)

    def optimize(
        self,
        *,
        reencode: bool = False,
        forget_after: float = 3600.0,
        progress: ProgressLike = None,
    ) -> IndexStats:
        """Bring the index to its best: compress, merge, drop what was deleted, renew the codebook.

        The codebook is made anew only where growth or drift call for it, since compressed vectors
        of which the tokens get other centroids lose a little each time. Searching, adding and
        deleting go on meanwhile.

        Args:
            reencode: encode all stored texts again, and compress the vectors of that: the quality
                of an index that is made now, for the time of making one. The vectors lie on the
                disk as they are until all are encoded, 256 bytes each at 128 dimensions. Vectors
                that were given by :meth:`add_vectors` cannot be told from others, and are replaced
                by what the model makes of their texts.
            forget_after: texts of passages that were deleted or replaced so many seconds ago are
                removed from the disk; readers at work in an older generation may need younger
                ones.
            progress: see :meth:`add`; it counts passages.

        Returns:
            The statistics afterwards.

        Raises:
            IndexLockedError: somebody else is optimizing.
            StorageFullError: the disk is full; what was finished until then stays.
            ModelNotFoundError: texts are to be encoded, and the model is not there.
        """
        store = self._store
        encoder = self._passage_encoder() if reencode else None
        steps = 2 if encoder is None else 3
        with (
            store.locks.optimizing(timeout=0),
            reporting(progress, steps * len(store.snapshot().index), "optimizing") as report,
        ):
            self._renew(encoder, report)
            while mergers := find_mergers(store):
                merge(store, mergers, report)
            merge_all(store, report)
            self._forget(forget_after)
        return self.stats(measure=True)

    def optimize_in_background(self, *, reencode: bool = False) -> Future[IndexStats]:
        """Start :meth:`optimize` in a thread; the future gives its result or its error."""
        future: Future[IndexStats] = Future()

        def work() -> None:
            try:
                future.set_result(self.optimize(reencode=reencode, progress=False))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, name="lfm2-colbert-optimize", daemon=True).start()
        return future

    def _renew(self, encoder: PassageEncoder | None, report: Callable[[int], None]) -> None:
        """Compress what is exact, with a codebook that fits."""
        store, due = self._store, False
        if encoder is not None:
            reencode_texts(store, encoder, report)
            due = wants_compression(store)
        elif wants_compression(store):
            compress(store, report)
        if due or self._needs_codebook(store.snapshot()):
            renew_codebook(store, report)
            store.catalog.remember("ladder", None)

    def aim_for(self, target_recall: float) -> SearchSettings | None:
        """Search just as thoroughly as this recall@10 needs, by measurement.

        Args:
            target_recall: above 0, at most 1. Where not even the most thorough search reaches it,
                that one is used.

        Returns:
            The settings; None for an exact index, which needs none.

        Raises:
            ConfigError: the target is out of range.
        """
        if isinstance(target_recall, bool) or not 0 < target_recall <= 1:
            raise ConfigError(
                f"target_recall must lie above 0 and at most at 1, not {target_recall!r}."
            )
        snapshot = self._store.snapshot()
        if not isinstance(snapshot.index, CompressedIndex):
            return None
        rungs = self._ladder(snapshot, snapshot.index, target_recall)
        good = [rung for rung in rungs if rung["recall"] >= target_recall]
        chosen = good[0] if good else max(rungs, key=lambda rung: rung["recall"])
        names = asdict(LADDER[0])
        settings = SearchSettings(**{name: chosen[name] for name in names})
        self._store.set_search(settings)
        return settings

    def _ladder(
        self, snapshot: Snapshot, index: CompressedIndex, target: float
    ) -> list[dict[str, Any]]:
        """Return what was measured of each rung, measuring again where too much has changed."""
        known = self._store.catalog.measurement("ladder")
        if known and not self._is_stale(known["generation"], snapshot):
            rungs: list[dict[str, Any]] = known["rungs"]
            if rungs[-1]["recall"] >= target or len(rungs) == len(LADDER):
                return rungs
        asked = list(self._asked)[-SAMPLE:]
        queries = [*asked, *self._made_queries(snapshot, SAMPLE - len(asked))]
        rungs = measure_ladder(index, snapshot.segments, queries, target)
        self._store.catalog.remember("ladder", {"generation": snapshot.generation, "rungs": rungs})
        return rungs

    def _known_recall(self, snapshot: Snapshot, measure: bool | None) -> dict[str, Any] | None:
        known: dict[str, Any] | None = self._store.catalog.measurement("recall")
        stale = known is None or self._is_stale(int(known["generation"]), snapshot)
        if measure or (measure is None and stale and isinstance(snapshot.index, CompressedIndex)):
            return self._measure(snapshot, SAMPLE, SECONDS).to_dict()
        return known

    def _is_stale(self, generation: int, snapshot: Snapshot) -> bool:
        changed = self._store.catalog.changed_since(generation)
        return changed > STALE_SHARE * max(1, len(snapshot.index))

    def _measure(
        self,
        snapshot: Snapshot,
        sample: int,
        seconds: float | None,
        given: Sequence[TokenMatrix] | None = None,
    ) -> Recall:
        asked = list(given if given is not None else self._asked)[-sample:]
        made = [] if given is not None else self._made_queries(snapshot, sample - len(asked))
        recall = measure_recall(
            snapshot.index,
            snapshot.segments,
            [*asked, *made],
            asked=len(asked),
            generation=snapshot.generation,
            seconds=seconds,
        )
        self._store.catalog.remember("recall", recall.to_dict())
        return recall

    def _made_queries(self, snapshot: Snapshot, number: int) -> list[TokenMatrix]:
        """Make queries of parts of passages.

        Their texts are encoded as questions if the model is at hand. Where it is not, or a text
        is not known any more, their vectors are asked as they are stored.
        """
        stretches = sample_stretches(snapshot.segments, number) if number > 0 else []
        queries = [one.vectors for one in stretches]
        if self._encoder.loaded:
            passages = self._store.catalog.passages([one.row for one in stretches])
            texts = {
                place: passages[one.row].text[slice(*one.span)]
                for place, one in enumerate(stretches)
                if one.row in passages
            }
            places = [place for place, text in texts.items() if text.strip()]
            encoded = self._encode([texts[place] for place in places]) if places else []
            for place, one in zip(places, encoded, strict=True):
                queries[place] = one.vectors if len(one) else queries[place]
        return queries

    def _needs_codebook(self, snapshot: Snapshot) -> bool:
        if not len(snapshot.index):
            return False
        return self._codebook_is_due(snapshot, drift(snapshot.segments)) is not None

    def _codebook_is_due(self, snapshot: Snapshot, moved: float) -> str | None:
        books = self._store.catalog.codebooks()
        if not books:
            return None
        vectors = sum(live.segment.info.tokens for live in snapshot.segments)
        if vectors > GROWTH * books[-1].vectors:
            return f"it has {vectors / books[-1].vectors:.1f} times the vectors of its codebook"
        if moved > DRIFT:
            return f"new passages fit the codebook {moved:.0%} worse than those it was made of"
        return None

    def _what_is_due(
        self, snapshot: Snapshot, moved: float, deleted: int, passages: int
    ) -> str | None:
        """Say why the index should be optimized; None while it need not be."""
        if reason := self._codebook_is_due(snapshot, moved):
            return reason
        if deleted > TOMBSTONES * max(1, deleted + passages):
            return f"{deleted:,} of {deleted + passages:,} stored passages are deleted"
        if wants_compression(self._store):
            return "it has grown to the size at which compression pays"
        return None

    def _forget(self, seconds: float) -> None:
        held = [live.segment.rows for live in self._store.snapshot().segments]
        rows = np.unique(np.concatenate(held)) if held else np.empty(0, np.int64)
        self._store.catalog.forget(rows, seconds)
