"""How an index is brought back to its best, and how well it finds: measured, not hoped for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._support.progress import ProgressLike, reporting
from ...errors import ConfigError
from ...filters import EVERYTHING, Filter
from ...index.compressed.search import CompressedIndex
from ...index.settings import PRESETS, SearchSettings
from ...storage.catalog import FILE_NAME
from ...storage.commits import StaleDraftError
from ...storage.former import Former
from ...storage.switching import forget_former
from ...types import TokenMatrix
from ..ingest.lexical import fill_posting_lists
from .compaction import Compactor
from .recall import Recall, measure_presets, measure_recall, sample_stretches
from .reencoding import reencode
from .stats import codebook_due

if TYPE_CHECKING:
    from ...encoder.by_space import Encoders
    from ...storage.commits import Forgotten
    from ...storage.store import Snapshot, Store
    from ..ingest.ingestor import Ingestor
    from ..search.searcher import Searcher

logger = logging.getLogger(__name__)

SAMPLE = 48
SECONDS = 5.0
# What was measured counts until so much of the index has changed.
STALE_SHARE = 0.1


class Optimizer:
    """Measures and rearranges one index.

    Args:
        store: the index.
        encoders: of its spaces.
        searcher: searches it, and knows what was asked.
        ingestor: knows how passages are encoded.
        compactor: rearranges its segments.
    """

    def __init__(
        self,
        store: Store,
        encoders: Encoders,
        searcher: Searcher,
        ingestor: Ingestor,
        compactor: Compactor,
    ) -> None:
        self._store = store
        self._encoders = encoders
        self._searcher = searcher
        self._ingestor = ingestor
        self._compactor = compactor

    def optimize(
        self, *, reencode_texts: bool, forget_after: float, progress: ProgressLike
    ) -> None:
        """Bring the index to its best; see ``Retriever.optimize``."""
        store = self._store
        store.require_writable()
        _check_seconds(forget_after)
        settings = store.snapshot().settings
        encoder = self._ingestor.passage_encoder(settings) if reencode_texts else None
        steps = 2 if encoder is None else 3
        fill_posting_lists(store, progress)
        former = Former.of(settings.former)
        if former is not None and former.is_over:
            forget_former(store, unfinished=False)
        with (
            store.locks.optimizing(timeout=0),
            reporting(progress, steps * store.snapshot().segments.passages, "optimizing") as report,
        ):
            self._compactor.soundness.begin(anew=True)
            if encoder is not None:
                reencode(store, encoder, self._compactor.soundness, report)
            self._renew(report, reencoded=encoder is not None)
            self._compactor.merge_due(report)
            self._compactor.merge_all(report)
            with self._merged(store.catalog.other_spaces()) as others:
                self._tell(self._forget(forget_after))
                for one in (self._compactor, *others):
                    one.soundness.raise_found()
        snapshot = store.snapshot()
        if isinstance(self._searcher.indexes.get(snapshot), CompressedIndex):
            self._measure(snapshot, SAMPLE, SECONDS)

    def purge(self, where: Filter, progress: ProgressLike) -> Forgotten:
        """Remove every byte of dead passages that match a filter; see ``Retriever.purge``."""
        store = self._store
        store.require_writable()
        with (
            store.locks.optimizing(timeout=0),
            reporting(progress, store.snapshot().segments.passages, "purging") as report,
            self._merged(store.catalog.spaces(), report) as compactors,
        ):
            forgotten = self._forget(0, where)
            for one in compactors:
                one.soundness.raise_found()
        return forgotten

    @contextmanager
    def _merged(
        self, spaces: Iterable[str], report: Callable[[int], None] | None = None
    ) -> Iterator[list[Compactor]]:
        """Merge what can be in spaces, each by its name, whichever of them comes to serve."""
        with ExitStack() as opened:
            stores, found = [], []
            for name in spaces:
                with suppress(ConfigError):  # it was forgotten meanwhile
                    stores.append(opened.enter_context(closing(self._store.within(name))))
                    found.append(Compactor(stores[-1]))
            for compactor in found:
                compactor.soundness.begin(anew=True)
                compactor.merge_all(report)
            for store in stores:
                store.snapshot()  # the last one keeps the segments that were merged mapped
            yield found

    def measure_recall(self, queries: Sequence[str] | None, sample: int) -> Recall:
        """Measure recall@10 against exact MaxSim; see ``Retriever.measure_recall``."""
        if sample < 2:
            raise ConfigError(f"sample must be at least 2, not {sample}.")
        given, snapshot = None, self._store.snapshot()
        if queries is not None:
            given = [
                window.encoded.vectors
                for question in self._searcher.questions(snapshot, list(queries))
                for window in question.windows
            ]
        return self._measure(snapshot, sample, None, given)

    def search_for(self, target_recall: float) -> SearchSettings | None:
        """Search just as thoroughly as this recall@10 needs, by measurement.

        Args:
            target_recall: above 0, at most 1. Where not even the most thorough preset reaches it,
                the best one is used.

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
        index = self._searcher.indexes.get(snapshot)
        if not isinstance(index, CompressedIndex):
            return None
        measured = self._presets(snapshot, index, target_recall)
        good = [one for one in measured if one["recall"] >= target_recall]
        chosen = good[0] if good else max(measured, key=lambda one: one["recall"])
        settings = SearchSettings(**{name: chosen[name] for name in asdict(PRESETS[0])})
        self._searcher.indexes.use(settings, snapshot.settings.space)
        return settings

    def _renew(self, report: Callable[[int], None], *, reencoded: bool) -> None:
        """Compress what is exact, with a codebook that fits, unless it is to stay exact now."""
        try:
            self._compress(report, reencoded=reencoded)
        except StaleDraftError:
            logger.info("%s stays exact, as another process wants it", self._store.folder)

    def _compress(self, report: Callable[[int], None], *, reencoded: bool) -> None:
        wanted = self._compactor.wants_compression()
        if wanted and not reencoded:
            self._compactor.compress(report)
        due = wanted and reencoded
        if due or codebook_due(self._store.snapshot()) is not None:
            self._compactor.renew_codebook(report)
            self._store.catalog.remember("presets", None)

    def _presets(
        self, snapshot: Snapshot, index: CompressedIndex, target: float
    ) -> list[dict[str, Any]]:
        """Return what was measured of each preset, measuring again where too much has changed."""
        known = self._store.catalog.measurement("presets")
        # What another program wrote there is measured again.
        with suppress(TypeError, KeyError, IndexError, AttributeError):
            if known and not self._is_stale(int(known["generation"]), snapshot):
                presets: list[dict[str, Any]] = [{**one} for one in known["presets"]]
                if presets[-1]["recall"] >= target or len(presets) == len(PRESETS):
                    return presets
        asked = self._searcher.remembered.vectors(snapshot)[-SAMPLE:]
        queries = [*asked, *self._made_queries(snapshot, SAMPLE - len(asked))]
        presets = measure_presets(index, queries, target)
        self._remember("presets", {"generation": snapshot.generation, "presets": presets})
        return presets

    def _is_stale(self, generation: int, snapshot: Snapshot) -> bool:
        changed = self._store.catalog.changed_since(generation)
        return changed > STALE_SHARE * max(1, snapshot.segments.passages)

    def _measure(
        self,
        snapshot: Snapshot,
        sample: int,
        seconds: float | None,
        given: Sequence[TokenMatrix] | None = None,
    ) -> Recall:
        known = given if given is not None else self._searcher.remembered.vectors(snapshot)
        asked = list(known)[-sample:]
        made = [] if given is not None else self._made_queries(snapshot, sample - len(asked))
        recall = measure_recall(
            self._searcher.indexes.get(snapshot),
            [*asked, *made],
            asked=len(asked),
            generation=snapshot.generation,
            seconds=seconds,
        )
        self._remember("recall", recall.to_dict())
        return recall

    def _remember(self, key: str, value: Any) -> None:
        if not self._store.read_only:
            self._store.catalog.remember(key, value)

    def _made_queries(self, snapshot: Snapshot, number: int) -> list[TokenMatrix]:
        """Make queries of parts of passages.

        Their texts are encoded as queries if the model is at hand. Where it is not, or a text is
        not known any more, their vectors are asked as they are stored.
        """
        stretches = sample_stretches(snapshot.segments, number) if number > 0 else []
        queries = [one.vectors for one in stretches]
        if not self._encoders.of(snapshot.settings).loaded:
            return queries
        passages = self._store.catalog.passages([one.row for one in stretches])
        texts = {
            place: text
            for place, one in enumerate(stretches)
            if one.row in passages and (text := passages[one.row].text[slice(*one.span)]).strip()
        }
        encoded = self._searcher.questions(snapshot, list(texts.values())) if texts else []
        for place, question in zip(texts, encoded, strict=True):
            first = question.windows[0].encoded
            queries[place] = first.vectors if len(first) else queries[place]
        return queries

    def _forget(self, seconds: float, where: Filter = EVERYTHING) -> Forgotten:
        self._searcher.indexes.forget()  # or Windows would keep the segments that were merged
        until, served = self._store.catalog.generation(), self._store.snapshot()
        held = [np.empty(0, np.int64), *(live.segment.rows for live in served.segments)]
        for name in self._store.catalog.spaces():
            if name == served.settings.space:  # it is open, and need not be mapped again
                continue
            with suppress(ConfigError), closing(self._store.within(name)) as space:
                held += [live.segment.rows.copy() for live in space.snapshot().segments]
        return self._store.forget(np.unique(np.concatenate(held)), seconds, where, until)

    def _tell(self, forgotten: Forgotten) -> None:
        if not forgotten.log_emptied:
            logger.warning(
                "what was deleted may still lie in the log of %s, which others were reading; "
                "optimize it again",
                self._store.folder / FILE_NAME,
            )


def _check_seconds(forget_after: object) -> None:
    number = isinstance(forget_after, int | float) and not isinstance(forget_after, bool)
    if not number or not forget_after >= 0:  # type: ignore[operator]
        raise ConfigError(f"forget_after must be seconds, 0 or more, not {forget_after!r}.")
