"""The facade: texts in, ranked passages out."""

from __future__ import annotations

import asyncio
import shutil
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from .backups import restore_index
from .encoder import Encoder
from .errors import InputError, PassageNotFoundError
from .explanation import Explanation
from .filters import Filter, parse_where
from .hits import Question, explain_row, ranked_hits, reranked_hits
from .inputs import check_ids, check_k, check_passages, check_query
from .opening import (
    IndexOptions,
    LazyEncoder,
    ModelLike,
    PathLike,
    create_temporary,
    discard,
    open_index,
)
from .operations import Operations
from .passage_encoder import PassageEncoder
from .pooling import check_pool_factor
from .progress import ProgressLike, reporting
from .store import StaleSnapshotError, Store
from .types import Hit, IndexStats, Metadata, Passage, Where
from .upsert import UpsertPlan


class Retriever(Operations):
    """An index of passages that can be asked in any language of its model.

    Make one with :meth:`open` (a folder on the disk) or :meth:`from_texts` (in memory). It is
    safe to use from several threads, and any number of processes may read the folder while one
    writes. Every ``add`` and ``delete`` is one commit: whole or not at all, also when the
    process is killed.

    Example:
        >>> retriever = Retriever.from_texts(
        ...     ["Der Zug fährt um acht.", "The shop closes at six."],
        ...     ids=["zug", "shop"],
        ...     model="hash",  # a stand-in that needs no weights; "nano" is the smallest real one
        ... )
        >>> [hit.id for hit in retriever.search("When does the shop open?", k=1)]
        ['shop']
    """

    def __init__(self, store: Store, encoder: LazyEncoder, *, in_memory: bool = False) -> None:
        """Join the parts; callers use :meth:`open` or :meth:`from_texts`."""
        self._store = store
        self._encoder = encoder
        self._in_memory = in_memory
        if in_memory:
            weakref.finalize(self, discard, store)

    @classmethod
    def open(
        cls,
        path: PathLike,
        *,
        model: ModelLike | None = None,
        create: bool = True,
        lock_timeout: float = 10.0,
        window_overlap: int | None = None,
        pool_factor: int | None = None,
    ) -> Retriever:
        """Open the index in a folder, or make an empty one there.

        Args:
            path: the folder.
            model: ``"nano"``, a local folder, a hub id, or an encoder. For an index that exists
                it may be left out: the index knows its model. For a new one the default is
                ``"LiquidAI/LFM2-ColBERT-350M"``.
            create: make the index if there is none.
            lock_timeout: seconds that writes wait for another writer.
            window_overlap: a text beyond the model's document length is searched in overlapping
                windows; this is how many tokens two of them share at most. Chosen when the index
                is made, an eighth of the length by default.
            pool_factor: keep about one vector for so many tokens of a text, the mean of those
                that are alike: a smaller index, a little less quality. Chosen when the index is
                made, 1 (all of them) by default; more needs the ``pooling`` extra.

        Raises:
            IndexNotFoundError: there is no index and ``create`` is False.
            IndexExistsError: the folder holds other files.
            IndexMismatchError: the index was made with another model or other options.
            ConfigError: an option is invalid.
            IndexFormatError: the index is in another version of the format.
            IndexCorruptError: a file of the index is missing or truncated.
            ModelNotFoundError: the model cannot be found.

        Example:
            >>> retriever = Retriever.open("support.index", model="nano")  # doctest: +SKIP
        """
        options = IndexOptions(window_overlap, pool_factor)
        return cls(
            *open_index(Path(path), model, options, create=create, lock_timeout=lock_timeout)
        )

    @classmethod
    def from_texts(
        cls,
        texts: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Metadata | None] | None = None,
        model: ModelLike | None = None,
        progress: ProgressLike = None,
        window_overlap: int | None = None,
        pool_factor: int | None = None,
    ) -> Retriever:
        """Index texts for the life of this object; :meth:`save` keeps them.

        The vectors lie in a temporary folder, so that they are mapped rather than held in memory.

        Args:
            texts: the passages.
            ids: see :meth:`add`.
            metadata: see :meth:`add`.
            model: see :meth:`open`.
            progress: see :meth:`add`.
            window_overlap: see :meth:`open`.
            pool_factor: see :meth:`open`.

        Raises:
            InputError: see :meth:`add`.
            ConfigError: an option is invalid.
            ModelNotFoundError: the model cannot be found.
        """
        check_passages(texts, ids, metadata)  # before a model is loaded for nothing
        options = IndexOptions(window_overlap, pool_factor)
        retriever = cls(*create_temporary(model, options), in_memory=True)
        retriever.add(texts, ids=ids, metadata=metadata, progress=progress)
        return retriever

    @classmethod
    def restore(
        cls,
        backup: PathLike,
        path: PathLike,
        *,
        model: ModelLike | None = None,
        lock_timeout: float = 10.0,
        progress: ProgressLike = None,
    ) -> Retriever:
        """Bring back what :meth:`backup` wrote, in a new folder, once every file was verified.

        Args:
            backup: the copy; it is only read.
            path: the new folder.
            model: see :meth:`open`.
            lock_timeout: see :meth:`open`.
            progress: see :meth:`add`; it counts megabytes, then passages.

        Returns:
            The restored index, opened.

        Raises:
            IndexNotFoundError: the backup holds no index.
            IndexCorruptError: the backup is broken; the message names what is.
            IndexExistsError: the new folder is not empty.
            IndexFormatError: the backup is in another version of the format.
            IndexMismatchError: the backup was made with another model.
            StorageFullError: the disk is full; nothing was left behind.

        Example:
            >>> retriever = Retriever.restore("support.backup", "support.index")  # doctest: +SKIP
        """
        restore_index(Path(backup), Path(path), progress=progress)
        try:
            return cls.open(path, model=model, create=False, lock_timeout=lock_timeout)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)  # made just now, and of no use like this
            raise

    @property
    def path(self) -> Path | None:
        """The index folder; None for an index in memory."""
        return None if self._in_memory else self._store.folder

    @property
    def model(self) -> str:
        """How to ask for the index's model again."""
        return str(self._store.settings["model"])

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when first needed.

        Raises:
            ModelNotFoundError: the index's model is no longer where it was.
            IndexMismatchError: what is there now is another model.
        """
        return self._encoder.get()

    def __len__(self) -> int:
        """Return the number of live passages."""
        return len(self._store.snapshot().index)

    def __repr__(self) -> str:
        """Say where the index is and how large."""
        where = "in memory" if self._in_memory else repr(str(self._store.folder))
        return f"<Retriever {where}, {len(self)} passages, model {self.model!r}>"

    def __enter__(self) -> Retriever:
        """Use the retriever in a ``with`` block, which closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the retriever."""
        self.close()

    def close(self) -> None:
        """Let go of the index's files; an index in memory is gone then."""
        self._store.close()
        if self._in_memory:
            discard(self._store)

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
        while passages:
            try:
                self._upsert(passages, progress)
                break
            except StaleSnapshotError:  # another writer was faster; look again at what is there
                continue
        return [passage.id for passage in passages]

    def search(self, query: str, k: int = 10, *, where: Where | None = None) -> list[Hit]:
        """Find the passages that answer a question best.

        Args:
            query: the question, in any language of the model.
            k: how many passages at most; fewer come back only when fewer match ``where``.
            where: metadata filter, applied before ranking, for example
                ``{"product": "router", "year": {"$gte": 2024}}``.

        Returns:
            Hits, best first; equal scores are ordered by id. Empty for an empty index.

        Raises:
            InputError: a blank query, or a k below 1.
            FilterError: the filter is malformed.
        """
        return self.search_many([query], k, where=where)[0]

    def search_many(
        self, queries: Sequence[str], k: int = 10, *, where: Where | None = None
    ) -> list[list[Hit]]:
        """Answer several questions in one pass over the index; see :meth:`search`."""
        if isinstance(queries, str) or not isinstance(queries, Sequence):
            raise InputError("queries must be a list of strings; for a single one use search().")
        texts = [check_query(query) for query in queries]
        check_k(k)
        condition = None if where is None else _parse(where)
        if not texts:
            return []
        snapshot = self._store.snapshot()
        rows = None
        if condition is not None:
            rows = self._store.catalog.select(condition, snapshot.generation)
        encoded = self.encoder.encode_query(texts)
        rankings = snapshot.index.search([one.vectors for one in encoded], k, rows=rows)
        passages = self._store.catalog.passages(
            np.unique(np.concatenate([ranking.rows for ranking in rankings])).tolist()
        )
        questions = map(Question, texts, encoded)
        return [
            ranked_hits(question, ranking, snapshot.index, passages, k)
            for question, ranking in zip(questions, rankings, strict=True)
        ]

    async def asearch(self, query: str, k: int = 10, *, where: Where | None = None) -> list[Hit]:
        """Do what :meth:`search` does without blocking the event loop."""
        return await asyncio.to_thread(self.search, query, k, where=where)

    def rerank(
        self, query: str, candidates: Sequence[str | Passage], k: int | None = None
    ) -> list[Hit]:
        """Order somebody else's texts by how well they answer a question; the index is not used.

        Args:
            query: the question.
            candidates: texts, or passages; a bare text gets its place in the list as id.
            k: how many to keep; all when None.

        Raises:
            InputError: a blank query or text, or a k below 1.
        """
        text = check_query(query)
        limit = len(candidates) if k is None else check_k(k)
        passages = [
            one if isinstance(one, Passage) else Passage(str(place), one)
            for place, one in enumerate(candidates)
        ]
        checked = check_passages([one.text for one in passages])
        if not checked:
            return []
        encoder = self.encoder
        question = Question(text, encoder.encode_query([text])[0])
        windows = PassageEncoder(encoder, overlap=self._store.settings["window_overlap"]).encode(
            [one.text for one in checked]
        )
        return reranked_hits(question, passages, list(windows), limit)

    def explain(self, query: str, id: str) -> Explanation:
        """Show which words of a passage answered which words of a question.

        Args:
            query: the question.
            id: a passage's id.

        Returns:
            An explanation that draws itself in a terminal (``rich.print``) and in a notebook.

        Raises:
            PassageNotFoundError: no live passage has this id.
        """
        text = check_query(query)
        snapshot = self._store.snapshot()
        rows = self._store.catalog.rows_by_id(check_ids([id]), snapshot.generation)
        if id not in rows:
            raise PassageNotFoundError(f"no passage has the id {id!r}.")
        question = Question(text, self.encoder.encode_query([text])[0])
        passage = self._store.catalog.passages([rows[id]])[rows[id]]
        return explain_row(question, rows[id], passage, snapshot.index)

    def stats(self) -> IndexStats:
        """Count what the index holds; needs no model."""
        snapshot = self._store.snapshot()
        counts = self._store.catalog.counts(snapshot.generation)
        segments = [live.segment.info for live in snapshot.segments]
        held = sum(info.tokens for info in segments)
        size = sum(info.size for info in segments)
        settings = self._store.settings
        return IndexStats(
            path=None if self.path is None else str(self.path),
            model=self.model,
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
        )

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
            fresh = self._passage_encoder().encode(texts, report) if texts else ()
            windows = plan.windows(fresh, snapshot.index)
            self._store.upsert(plan.changed, windows, unchanged=plan.relied_on)

    def _passage_encoder(self) -> PassageEncoder:
        settings = self._store.settings
        pool_factor = check_pool_factor(settings["pool_factor"])
        return PassageEncoder(self.encoder, settings["window_overlap"], pool_factor)


def _parse(where: Where | None) -> Filter:
    return parse_where({} if where is None else where)
