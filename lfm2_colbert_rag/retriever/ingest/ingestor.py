"""The write path: passages encoded and committed, one batch or a stream of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy.typing as npt

from ..._support.intake import Intake
from ..._support.progress import ProgressLike, reporting
from ..._support.system_errors import system_errors
from ..._support.token_vectors import check_window, no_vectors
from ...errors import IndexCorruptError, IndexLockedError
from ...index.lexical.inversion import in_parts
from ...index.lexical.postings import Postings
from ...storage.commits import Draft, StaleDraftError
from ...storage.exchange.given_vectors import GivenVectors, given_windows
from .languages import tell_languages
from .lexical import fill_posting_lists
from .passage_encoder import TEXTS, PassageEncoder
from .pooler import Pooler
from .streams import add_in_batches
from .upsert import UpsertPlan

if TYPE_CHECKING:
    from ...encoder.by_space import Encoders
    from ...storage.settings import IndexSettings
    from ...storage.staging import StagedSegment
    from ...storage.store import Snapshot, Store
    from ...types import Passage, Window

__all__ = ["TEXTS", "Ingestor"]

logger = logging.getLogger(__name__)


class Ingestor:
    """Turns passages into commits of one index.

    Args:
        store: the index.
        encoders: of its spaces.
        after_commit: called after every commit, with whether it was one of a stream; it must not
            raise.
    """

    def __init__(
        self,
        store: Store,
        encoders: Encoders,
        after_commit: Callable[[bool], None] = lambda streaming: None,
    ) -> None:
        self._store = store
        self._encoders = encoders
        self._after_commit = after_commit

    def passage_encoder(self, settings: IndexSettings) -> PassageEncoder:
        """Return what encodes passages as an index of these settings stores them.

        Raises:
            MissingExtraError: the index pools, and the ``pooling`` extra is not installed.
            ModelNotFoundError: the model is no longer where it was.
        """
        pooler = Pooler.of(settings)  # first, for it may have to refuse
        return PassageEncoder(self._encoders.get(settings), settings.window_overlap, pooler)

    def add(self, passages: Sequence[Passage], progress: ProgressLike = None) -> None:
        """Add checked passages, or replace those with the same id, in one commit.

        Texts that are stored under their id already are not encoded again.

        Raises:
            InputError: the encoder gave vectors that cannot be stored; nothing was changed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
            IndexUnavailableError: there was not enough memory, or too many files are open; nothing
                was changed.
            ReadOnlyError: the index may only be read.
        """
        self._add(passages, progress)
        self._after_commit(False)

    def _add(self, passages: Sequence[Passage], progress: ProgressLike) -> None:
        self._store.require_writable()
        keeps_terms = fill_posting_lists(self._store)
        while passages:
            try:
                with system_errors(self._store.folder):
                    self._upsert(passages, keeps_terms, progress)
                break
            except StaleDraftError:  # another writer was faster; look again at what is there
                continue

    def add_stream(
        self,
        passages: Iterable[object],
        intake: Intake,
        stored: Callable[[Passage], Passage] = lambda passage: passage,
        *,
        batch: int,
        progress: ProgressLike,
    ) -> int:
        """Add passages from an iterator, a commit a batch; see ``Retriever.add_stream``.

        Args:
            passages: see there.
            intake: takes them in.
            stored: returns a passage that was taken in as it is to be stored.
            batch: see there.
            progress: see there.
        """

        def add(part: Sequence[Passage], report: Callable[[int], None]) -> None:
            self._add(part, report)
            self._after_commit(True)

        return add_in_batches(add, passages, intake, stored, batch=batch, progress=progress)

    def add_vectors(
        self,
        slots: Sequence[Passage | None],
        vectors: Iterable[GivenVectors],
        token_ids: Iterable[npt.ArrayLike] | None = None,
        progress: ProgressLike = None,
    ) -> None:
        """Add passages with vectors that were made elsewhere, in one commit.

        Args:
            slots: one an entry of ``vectors``: its passage, or None where it is passed over.
            vectors: see ``Retriever.add_vectors``.
            token_ids: see there.
            progress: see there.

        Raises:
            InputError: see ``Retriever.add_vectors``; nothing was changed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
            ReadOnlyError: the index may only be read.
        """
        self._store.require_writable()
        snapshot = self._store.snapshot()
        dim = snapshot.settings.dim
        windows = given_windows(vectors, slots, dim, token_ids)
        passages = [passage for passage in slots if passage is not None]
        if not passages:
            list(windows)  # vectors without a text are a mistake all the same
            return
        postings = self._postings(passages, fill_posting_lists(self._store))
        languages = tell_languages(one.text for one in passages)
        with reporting(progress, len(passages), "storing") as report:
            try:
                with self._store.stage_new(snapshot) as staged:
                    reported = _reported(windows, len(passages), report)
                    counts = self._write(staged, passages, reported, dim)
                    self._store.commit_passages(
                        Draft(
                            *(passages, staged, counts),
                            postings=postings,
                            languages=languages,
                            space=snapshot.settings.space,
                        )
                    )
            except StaleDraftError:  # what an iterator gave cannot be asked for again
                raise IndexLockedError(
                    f"how {self._store.folder} keeps vectors was changed while these passages were "
                    "written. Nothing was changed: try again."
                ) from None
        self._after_commit(False)

    def _upsert(
        self, passages: Sequence[Passage], keeps_terms: bool, progress: ProgressLike
    ) -> None:
        """Commit passages, encoding only texts that are not stored under their id already."""
        snapshot = self._store.snapshot()
        rows, stored = self._stored(passages, snapshot)
        plan = UpsertPlan.make(passages, stored, partial(self._is_whole, snapshot))
        if not plan.changed:
            return
        texts = plan.texts_to_encode()
        with reporting(progress, len(texts), "encoding") as report:
            encoder = self.passage_encoder(snapshot.settings) if texts else None
            encoded = encoder.encode(texts, report) if encoder else ()
            with self._store.stage_new(snapshot) as staged:
                windows = plan.windows(encoded, snapshot.segments)
                draft = Draft(
                    plan.changed,
                    staged,
                    self._write(staged, plan.changed, windows, snapshot.settings.dim),
                    stored={one.id: rows[one.id] for one in plan.changed if one.id in rows},
                    generation=snapshot.generation,
                    relied_on=plan.relied_on,
                    postings=self._postings(plan.changed, keeps_terms),
                    languages=tell_languages(one.text for one in plan.changed),
                    fitted=encoder.pooler.fitted if encoder else {},
                    space=snapshot.settings.space,
                )
                self._store.commit_passages(draft)

    def _is_whole(self, snapshot: Snapshot, row: int) -> bool:
        """Tell whether the vectors of a row are as they were written, and may be copied."""
        segment, _ = snapshot.segments.find(row)
        try:
            self._store.opener.require_whole(segment.info)
        except IndexCorruptError as error:
            logger.warning("a stored text is encoded again, for its vectors are damaged: %s", error)
            return False
        return True

    def _stored(
        self, passages: Sequence[Passage], snapshot: Snapshot
    ) -> tuple[dict[str, int], dict[str, tuple[int, Passage]]]:
        """Return the rows of these ids, and what lies there."""
        catalog = self._store.catalog
        rows = catalog.rows_by_id([one.id for one in passages], snapshot.generation)
        if not rows:
            return {}, {}
        known = catalog.passages(list(rows.values()))
        return rows, {id: (row, known[row]) for id, row in rows.items()}

    @staticmethod
    def _write(
        staged: StagedSegment,
        passages: Sequence[Passage],
        windows: Iterable[tuple[int, Window]],
        dim: int,
    ) -> tuple[list[int], list[int]]:
        """Write windows as they come; returns how many, and how many vectors, passages have."""
        for place, window in windows:
            check_window(window, dim, passages[place])
            staged.append(place, window)
        counts = staged.writer.counts(len(passages))
        if 0 in counts[0]:
            raise no_vectors(passages[counts[0].index(0)])
        return counts

    @staticmethod
    def _postings(passages: Sequence[Passage], wanted: bool) -> Sequence[Postings]:
        return in_parts([one.text for one in passages]) if wanted else ()


def _reported(
    windows: Iterable[tuple[int, Window]], passages: int, report: Callable[[int], None]
) -> Iterator[tuple[int, Window]]:
    """Report every passage once its windows are done."""
    done = 0
    for place, window in windows:
        report(place - done)
        done = place
        yield place, window
    report(passages - done)
