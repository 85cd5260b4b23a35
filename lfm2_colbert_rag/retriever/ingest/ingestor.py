"""The part of the facade that makes passages from texts: one commit, or a stream of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..._support.progress import ProgressLike, reporting
from ..._support.validation import check_passages, check_streamed
from ...encoder.lazy import LazyEncoder
from ...errors import ConfigError, InputError, LFM2ColBERTError
from ...storage.store import StaleSnapshotError, Store
from ...types import Metadata, Passage
from ..maintenance.compaction import tidy
from .passage_encoder import CHARACTERS, TEXTS, PassageEncoder
from .upsert import UpsertPlan


class Adding:
    """The part of :class:`~lfm2_colbert_rag.Retriever` that encodes passages and commits them."""

    _store: Store
    _encoder: LazyEncoder

    def add(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Metadata | None] | None = None,
        progress: ProgressLike = None,
    ) -> list[str]:
        """Add passages, or replace those with the same id, in one commit.

        A passage whose text is already stored under its id is not encoded again.

        Args:
            texts: the passages, of any length; an empty list is fine and commits nothing. A text
                beyond the model's document length is searched in overlapping windows, and found
                as one passage: the best window decides.
            ids: one unique string a text; made up when left out.
            metadata: one JSON object (or None) a text.
            progress: called with the number of texts just encoded; True or False forces a
                progress bar on or off; None shows one when the work is long.

        Returns:
            The ids, in the order of the texts.

        Raises:
            InputError: something in the input is wrong; nothing was changed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.

        Example:
            >>> retriever.add(["Hold the reset key for ten seconds."], ids=["reset"],
            ...               metadata=[{"product": "router"}])  # doctest: +SKIP
            ['reset']
        """
        passages = check_passages(texts, ids, metadata)
        self._commit(passages, progress)
        return [passage.id for passage in passages]

    def add_stream(
        self,
        passages: Iterable[Passage | Mapping[str, Any]],
        *,
        batch: int = TEXTS,
        progress: ProgressLike = None,
    ) -> int:
        """Add passages from an iterator, in as many commits as it takes and in bounded memory.

        No more than a batch of texts is held, so a stream may be of any length. Each batch is a
        commit, and the index compresses and merges itself on the way. A passage that is stored
        already, with the same text and metadata, is skipped: a build that was interrupted, or
        killed, goes on where it was when the same stream is given again. Where an id comes more
        than once, the last passage with it is kept.

        Args:
            passages: passages, or mappings with ``id``, ``text`` and, if you like, ``metadata``.
            batch: passages in a commit at most; it also ends at 2,000,000 characters.
            progress: see :meth:`add`; it counts passages, stored ones included.

        Returns:
            How many passages the stream had.

        Raises:
            ConfigError: a batch below 1.
            InputError: a passage cannot be used; the message says at which place of the stream it
                is, the first being 0. What was committed before it stays, and the message says
                how much that is. So do those of the other errors.
            IndexLockedError: another writer held the index for too long.
            StorageFullError: the disk is full.

        Example:
            >>> from lfm2_colbert_rag import Retriever
            >>> lines = ({"id": str(n), "text": f"Page {n} of the manual."} for n in range(3000))
            >>> retriever = Retriever.from_texts([], model="hash")
            >>> retriever.add_stream(lines)
            3000
        """
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise ConfigError(f"batch must be a positive whole number, not {batch!r}.")
        if isinstance(passages, (str, Mapping, Passage)) or not isinstance(passages, Iterable):
            raise InputError(
                f"passages must be an iterable of passages, not a {type(passages).__name__}."
            )
        committed = 0
        with reporting(progress, None, "adding") as report:
            try:
                for part, size in _batches(passages, batch):
                    meter = _Meter(size, report)
                    self._commit(part, meter.advance)
                    meter.finish()
                    committed += size
            except LFM2ColBERTError as error:
                if committed:
                    error.args = (f"{error} {_what_stays(committed)}",)
                raise
        return committed

    def _commit(self, passages: Sequence[Passage], progress: ProgressLike) -> None:
        while passages:
            try:
                self._upsert(passages, progress)
                break
            except StaleSnapshotError:  # another writer was faster; look again at what is there
                continue
        tidy(self._store)

    def _upsert(self, passages: Sequence[Passage], progress: ProgressLike) -> None:
        """Commit passages, encoding only texts that are not stored under their id already."""
        snapshot = self._store.snapshot()
        rows = self._store.catalog.rows_by_id([p.id for p in passages], snapshot.generation)
        stored = self._store.catalog.passages(list(rows.values()))
        plan = UpsertPlan.make(passages, {id: (row, stored[row]) for id, row in rows.items()})
        if not plan.changed:
            return
        texts = plan.texts_to_encode()
        with reporting(progress, len(texts), "encoding") as report:
            encoder = self._passage_encoder() if texts else None
            windows = plan.windows(encoder.encode(texts, report) if encoder else (), snapshot.index)
            self._store.upsert(
                plan.changed,
                windows,
                unchanged=plan.relied_on,
                pooler=encoder.pooler if encoder else None,
            )

    def _passage_encoder(self) -> PassageEncoder:
        pooler = self._store.pooler()  # first, for it may have to refuse
        return PassageEncoder(self._encoder.get(), self._store.settings["window_overlap"], pooler)


class _Meter:
    """Passes on progress of one batch, and never more than the batch has."""

    def __init__(self, size: int, report: Callable[[int], None]) -> None:
        self._left = size
        self._report = report

    def advance(self, finished: int) -> None:
        finished = min(finished, self._left)
        self._left -= finished
        self._report(finished)

    def finish(self) -> None:
        """Count those as well that needed no encoding."""
        self.advance(self._left)


def _batches(passages: Iterable[object], most: int) -> Iterator[tuple[list[Passage], int]]:
    """Yield passages to be committed together, and how many of the stream they stand for."""
    held: dict[str, Passage] = {}
    read = characters = 0
    for place, item in enumerate(passages):
        passage = check_streamed(item, place)
        held[passage.id] = passage
        read += 1
        characters += len(passage.text)
        if read == most or characters >= CHARACTERS:
            yield list(held.values()), read
            held, read, characters = {}, 0, 0
    if held:
        yield list(held.values()), read


def _what_stays(committed: int) -> str:
    return (
        f"The first {committed:,} of the stream were committed before and stay. Give the whole "
        "stream again to go on: what is stored is skipped."
    )
