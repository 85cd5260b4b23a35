"""The facade: texts in, ranked passages out."""

from __future__ import annotations

import asyncio
import logging
import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Unpack, cast

import numpy as np
import numpy.typing as npt

from .._support.intake import Intake
from .._support.paths import PathLike, absolute_path
from .._support.progress import ProgressLike
from .._support.slots import Checked
from .._support.validation import (
    check_candidates,
    check_count,
    check_deletion,
    check_ids,
    check_k,
    check_listed,
    check_passages,
    check_queries,
    check_query,
    check_stream,
    list_passages,
)
from ..cluster.address import is_address
from ..encoder import Encoder
from ..encoder.by_space import Encoders
from ..encoder.lazy import ModelLike
from ..encoder.query_adapter import QueryAdapter
from ..errors import InputError
from ..filters import EVERYTHING, field_name, parse_field, parse_where
from ..storage.backup import copy_index, restore_index
from ..storage.exchange.export import ExportDType, export_index
from ..storage.exchange.formats import open_dump
from ..storage.exchange.given_vectors import GivenVectors
from ..storage.memory import MemoryFolder
from ..storage.scope import Scope
from ..storage.store import Store
from ..storage.verification import verify_index
from ..types import (
    AddedIds,
    Hit,
    IndexStats,
    Metadata,
    Mode,
    Passage,
    TokenMatrix,
    Where,
)
from .ingest.ingestor import TEXTS, Ingestor
from .maintenance.compaction import Compactor
from .maintenance.migrating import Migrator, NewModel
from .maintenance.migration import Migration, MigrationStatus
from .maintenance.optimizer import SAMPLE, Optimizer
from .maintenance.purging import PurgeReceipt, purge
from .maintenance.recall import Recall
from .maintenance.stats import collect_stats
from .opening import Reopening, create_temporary, discard, open_index
from .options import IndexOptions, check_options, migrated_settings
from .reading import Reader
from .search.adapting import QueryAdapterLike, check_adapter
from .search.asked import Asked, check_mode
from .search.diversity import check_diversity
from .search.explanation import Explanation
from .search.fusion_tuning import FusionReport, tune_fusion
from .search.plan import SearchPlan
from .search.searcher import Searcher
from .view import View
from .viewing import Viewing, Whole
from .views import Views

logger = logging.getLogger(__name__)


class Retriever:
    """An index of passages that can be asked in any language of its model.

    Make one with :meth:`open` (a folder on the disk) or :meth:`from_texts` (in memory). It is
    safe to use from several threads, and any number of processes may read the folder while one
    writes. Every ``add`` and ``delete`` is one commit: whole or not at all, also when the
    process is killed.

    Whoever uses it after :meth:`close` gets a RetrieverClosedError; whoever writes to one that may
    only be read gets a ReadOnlyError. ``len`` counts passages, ``id in retriever`` tells whether a
    passage has an id, and a retriever is true however empty it is.

    Example:
        >>> retriever = Retriever.from_texts(
        ...     ["Der Zug fährt um acht.", "The shop closes at six."],
        ...     ids=["zug", "shop"],
        ...     model="hash",  # a stand-in that needs no weights; "nano" is the smallest real one
        ... )
        >>> [hit.id for hit in retriever.search("When does the shop open?", k=1)]
        ['shop']
        >>> "zug" in retriever, len(retriever)
        (True, 2)
    """

    def __init__(
        self,
        store: Store,
        encoders: Encoders,
        memory: MemoryFolder | None = None,
        *,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
        reopening: Reopening | None = None,
    ) -> None:
        """Join the parts; callers use :meth:`open` or :meth:`from_texts`."""
        self._store = store
        self._encoders = encoders
        self._memory = memory
        self._mode = mode
        self._reopening = reopening
        self._reader = Reader(store)
        self._searcher = Searcher(store, encoders, query_adapter)
        self._compactor = Compactor(store)
        self._after_commit = partial(_settle, self._compactor, self._searcher)
        self._ingestor = Ingestor(store, encoders, self._after_commit)
        self._optimizer = Optimizer(
            store, encoders, self._searcher, self._ingestor, self._compactor
        )
        self._migrator = Migrator(
            store, encoders, self._searcher, self._ingestor, migrated_settings
        )
        whole = Whole(
            *(store, encoders, self._ingestor, query_adapter, self._after_commit, mode),
            partial(purge, store, self._optimizer),
        )
        self._views = Views(partial(Viewing, whole))
        if memory is not None:
            weakref.finalize(self, discard, store, memory)

    @classmethod
    def open(
        cls,
        path: PathLike,
        *,
        model: ModelLike | None = None,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
        read_only: bool = False,
        target_recall: float | None = None,
        lock_timeout: float = 10.0,
        **options: Unpack[IndexOptions],
    ) -> Retriever:
        """Open the index in a folder; where a model is named, an empty one is made if need be.

        Args:
            path: the folder; or the address of an index in an engine, such as
                ``"qdrant://host:6334/manuals"``, of which a
                :class:`~lfm2_colbert_rag.RemoteRetriever` comes back, with the same methods.
            model: ``"nano"``, a local folder, a hub id such as ``"LiquidAI/LFM2-ColBERT-350M"``,
                or an encoder. It may be left out for an index that exists, which knows its model;
                of one that was migrated (:meth:`migrate`) any model that lives in it will do.
            mode: how this retriever searches unless told otherwise, see :meth:`search`. None:
                ``"hybrid"`` where the index keeps the terms of its passages, else ``"late"``.
            query_adapter: the map that queries go through unless told otherwise: ``"auto"``, which
                None means: that of the index, see :meth:`migrate`, and then the one that comes with
                the model, which takes language out of them where an index holds several;
                ``"none"``; a file of ``lfm2-colbert align``, or a
                :class:`~lfm2_colbert_rag.QueryAdapter`. Passages are stored as ever.
            read_only: refuse to write. Where the folder cannot be written this is so by itself.
            target_recall: search a compressed index just as thoroughly as this recall@10 against
                exact search needs, by measurements on the index itself; the first time that takes
                as long as some tens of exact searches.
            lock_timeout: seconds that writes wait for another writer.
            **options: see :class:`~lfm2_colbert_rag.IndexOptions`.

        Raises:
            IndexNotFoundError: there is no index, and no model is named to make one with.
            IndexExistsError: the folder holds other files.
            IndexMismatchError: the index was made with another model or other options.
            ConfigError: an option is invalid.
            IndexFormatError: the index is in another version of the format.
            IndexCorruptError: a file of the index is missing or truncated.
            ModelNotFoundError: the model cannot be found.

        Example:
            >>> retriever = Retriever.open("support.index", model="nano")  # doctest: +SKIP
        """
        chosen, mode = check_options(options), check_mode(mode)
        if is_address(path):
            from .remote_facade import open_at

            adapter = check_adapter(query_adapter)
            return cast(
                "Retriever", open_at(path, model, chosen, mode, adapter, read_only, target_recall)
            )
        folder, adapter = absolute_path(path), check_adapter(query_adapter)
        parts = open_index(folder, model, chosen, read_only=read_only, lock_timeout=lock_timeout)
        again = Reopening(folder, model, mode, read_only, target_recall, lock_timeout, adapter)
        retriever = cls(*parts, mode=mode, query_adapter=adapter, reopening=again)
        if target_recall is not None:
            try:
                retriever._optimizer.search_for(target_recall)
            except BaseException:
                retriever.close()
                raise
        return retriever

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        *,
        ids: Iterable[str | None] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        strict: bool = False,
        model: ModelLike | None = None,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
        progress: ProgressLike = None,
        **options: Unpack[IndexOptions],
    ) -> Retriever:
        """Index texts for the life of this object; :meth:`backup` keeps them.

        The vectors lie in a temporary folder, so that they are mapped rather than held in memory.

        Args:
            texts: the passages.
            ids: see :meth:`add`.
            metadata: see :meth:`add`.
            strict: see :meth:`add`.
            model: see :meth:`open`; ``"LiquidAI/LFM2-ColBERT-350M"`` when None.
            mode: see :meth:`open`.
            query_adapter: see :meth:`open`.
            progress: see :meth:`add`.
            **options: see :class:`~lfm2_colbert_rag.IndexOptions`.

        Raises:
            InputError: see :meth:`add`.
            ConfigError: an option is invalid.
            ModelNotFoundError: the model cannot be found.
        """
        # Before a model is loaded for nothing.
        checked = check_passages(texts, ids, metadata, strict=strict)
        chosen, mode = check_options(options), check_mode(mode)
        adapter = check_adapter(query_adapter)
        retriever = cls(*create_temporary(model, chosen), mode=mode, query_adapter=adapter)
        try:
            checked.intake.report(logger)
            retriever._ingestor.add(checked.passages, progress)
        except BaseException:
            retriever.close()
            raise
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
        target = absolute_path(path)
        restore_index(absolute_path(backup), target, progress=progress)
        try:
            return cls.open(target, model=model, lock_timeout=lock_timeout)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)  # made just now, and of no use like this
            raise

    @property
    def path(self) -> Path | None:
        """The index folder; None for an index in memory."""
        return None if self._memory else self._store.folder

    @property
    def model(self) -> str:
        """How to ask for the index's model again."""
        return self._store.settings.model

    @property
    def read_only(self) -> bool:
        """Whether writes are refused."""
        return self._store.read_only

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when first needed.

        Raises:
            ModelNotFoundError: the index's model is no longer where it was.
            IndexMismatchError: what is there now is another model.
        """
        return self._encoders.get(self._store.snapshot().settings)

    @property
    def mode(self) -> Mode:
        """How it searches unless told otherwise: as it was opened, or as the index can be now.

        Example:
            >>> Retriever.from_texts(["a lock"], model="hash").mode
            'hybrid'
        """
        return self._searcher.mode(Asked(1, mode=self._mode))

    @property
    def query_adapter(self) -> QueryAdapter | None:
        """The map that questions go through as the index is now; None where there is none.

        Example:
            >>> Retriever.from_texts(["a lock"], model="hash").query_adapter is None
            True
        """
        return self._store.whole(lambda: self._searcher.adapter(self._store.snapshot()))

    def __len__(self) -> int:
        """Return the number of live passages."""
        return self._store.snapshot().segments.passages

    def __bool__(self) -> bool:
        """Return True: an empty index is an index."""
        return True

    def __contains__(self, id: object) -> bool:
        """Tell whether a live passage has an id."""
        if not isinstance(id, str) or not id:
            return False
        (wanted,) = check_ids([id])
        return self._store.whole(lambda: self._reader.has(wanted))

    def __repr__(self) -> str:
        """Say where the index is, and which model reads it."""
        where = "in memory" if self._memory else repr(str(self._store.folder))
        closed = ", closed" if self._store.closed else ""
        return f"<Retriever {where}, model {self.model!r}{closed}>"

    def __reduce__(self) -> tuple[Callable[..., Retriever], tuple[Any, ...]]:
        """Let another process open the same folder in the same way: the index does not travel.

        Raises:
            InputError: the index is in memory, or its encoder cannot be pickled.
        """
        if self._reopening is None:
            raise InputError(
                "a retriever in memory cannot be given to another process. Keep it with backup(), "
                "and open the copy there."
            )
        return _reopen, self._reopening.arguments()

    def __copy__(self) -> Retriever:
        """Return the retriever itself; to open the folder a second time, use :meth:`open`."""
        return self

    def __deepcopy__(self, memo: object) -> Retriever:
        """Return the retriever itself, so that copies of what holds it share one index."""
        return self

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
        """Release the index's files; an index in memory is gone then. Twice does no harm."""
        self._searcher.indexes.forget()
        self._views.forget()
        self._store.close()
        if self._memory is not None:
            self._memory.remove()

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        diversity: float | None = None,
        fetch_k: int | None = None,
        query_adapter: QueryAdapterLike | None = None,
    ) -> list[Hit]:
        """Find the passages that answer a query best.

        Args:
            query: the question, in any language of the model and of any length: what is longer
                than the model reads at once is read in windows, and the best answer to any of
                them counts. A blank one with a filter asks for whatever matches it, in the order
                in which it was added; score and relevance are 0 then.
            k: how many passages at most; fewer come back only when fewer match ``where``.
            where: metadata filter, applied before ranking, for example
                ``{"product": "router", "year": {"$gte": 2024}}``.
            mode: ``"late"``: by the meaning of words, in any language (late interaction).
                ``"lexical"``: by the words themselves (BM25), which needs no model; only passages
                that share some come back. ``"hybrid"``: both together. None: as the retriever was
                opened.
            diversity: choose passages that do not repeat one another, by maximal marginal
                relevance over their token vectors: 0 looks at relevance only, 1 at diversity only.
                Hits come in the order of choice. None: by score.
            fetch_k: with ``diversity``: choose among so many of the best; four times ``k`` when
                None.
            query_adapter: see :meth:`open`; None: as the retriever was opened.

        Returns:
            Hits, best first; equal scores are ordered by id. Empty for an empty index.

        Raises:
            InputError: a blank query without a filter, or a k below 1.
            FilterError: the filter is malformed.
            ConfigError: an unknown mode, or one that asks for terms that the index does not keep; a
                query adapter that is not there, or of another model.
            IndexBusyError: what was found was deleted and forgotten meanwhile, again and again.
        """
        text = check_query(query, filtered=where is not None)
        asked, searcher = self._asked(k, where, mode, query_adapter), self._searcher
        if diversity is None:
            return self._store.whole(lambda: searcher.search_many([text], asked)[0])
        weight = check_diversity(diversity)
        among = 4 * asked.k if fetch_k is None else check_k(fetch_k)
        return self._store.whole(
            lambda: searcher.search_diverse(text, asked, weight=weight, fetch_k=among)
        )

    def search_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
    ) -> list[list[Hit]]:
        """Answer several queries in one pass over the index; see :meth:`search`."""
        texts = check_queries(queries, filtered=where is not None)
        asked = self._asked(k, where, mode, query_adapter)
        return self._store.whole(lambda: self._searcher.search_many(texts, asked))

    def rank_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
    ) -> list[list[tuple[str, float]]]:
        """Answer several queries by ids and scores alone.

        They are those of :meth:`search_many`, at a fraction of its cost, for an evaluation or for
        a fusion with what another system found: relevance is not worked out.

        Args:
            queries: the questions.
            k: see :meth:`search`.
            where: see :meth:`search`.
            mode: see :meth:`search`.
            query_adapter: see :meth:`search`.

        Returns:
            For each query ids and scores, best first.

        Raises:
            InputError, FilterError, ConfigError, IndexBusyError: see :meth:`search`.

        Example:
            >>> retriever = Retriever.from_texts(["lock", "key"], ids=["l", "k"], model="hash")
            >>> [id for id, score in retriever.rank_many(["my key"])[0]]
            ['k', 'l']
        """
        texts = check_queries(queries, filtered=where is not None)
        asked = self._asked(k, where, mode, query_adapter)
        return self._store.whole(lambda: self._searcher.rank_many(texts, asked))

    async def asearch(
        self,
        query: str,
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        diversity: float | None = None,
        fetch_k: int | None = None,
        query_adapter: QueryAdapterLike | None = None,
    ) -> list[Hit]:
        """Do what :meth:`search` does without blocking the event loop."""
        return await asyncio.to_thread(
            self.search,
            query,
            k,
            where=where,
            mode=mode,
            diversity=diversity,
            fetch_k=fetch_k,
            query_adapter=query_adapter,
        )

    async def asearch_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
    ) -> list[list[Hit]]:
        """Do what :meth:`search_many` does without blocking the event loop."""
        return await asyncio.to_thread(
            self.search_many, queries, k, where=where, mode=mode, query_adapter=query_adapter
        )

    def rerank(
        self,
        query: str,
        candidates: Iterable[str | Passage],
        k: int | None = None,
        *,
        strict: bool = False,
        query_adapter: QueryAdapterLike | None = None,
        max_tokens: int | None = None,
    ) -> list[Hit]:
        """Order somebody else's texts by how well they answer a query.

        The index is not searched. It tells what the query scores by chance, so that relevance is
        the same as :meth:`search` would give the text, and lends the vectors of texts that it holds
        (unless they are pooled), which are not encoded again. Others are kept for the next call,
        up to 128 MB in a process.

        Args:
            query: the question.
            candidates: texts, or passages; a bare text gets its place in the list as id. Blank
                ones come last, with score and relevance 0.
            k: how many to keep; all when None.
            strict: refuse blank texts, and characters that no index can keep.
            query_adapter: see :meth:`search`; that of the model takes part where the texts are in
                several languages.
            max_tokens: refuse texts that have more tokens, those whose vectors are at hand not
                counted; None takes any number.

        Raises:
            InputError: a blank query, a text that is no string, or a k below 1.
            TooManyTokensError: there are more than ``max_tokens``.

        Example:
            >>> retriever = Retriever.from_texts([], model="hash")
            >>> [hit.text for hit in retriever.rerank("key", ["", "a lock", "the key"])]
            ['the key', 'a lock', '']
        """
        passages, intake = check_candidates(candidates, strict=strict)
        limit = len(passages) if k is None else check_k(k)
        text, adapter = check_query(query), check_adapter(query_adapter)
        most = None if max_tokens is None else check_count(max_tokens, "max_tokens")
        intake.report(logger)
        return self._store.whole(
            lambda: self._searcher.rerank(text, passages, limit, adapter, most)
        )

    def explain(
        self, query: str, id: str, *, query_adapter: QueryAdapterLike | None = None
    ) -> Explanation:
        """Show which words of a passage answered a query, by late interaction.

        Args:
            query: the question.
            id: a passage's id.
            query_adapter: see :meth:`search`.

        Returns:
            An explanation that draws itself in a terminal (``rich.print``) and in a notebook.

        Raises:
            PassageNotFoundError: no live passage has this id.
        """
        text, (wanted,) = check_query(query), check_ids([id])
        adapter = check_adapter(query_adapter)
        return self._store.whole(lambda: self._searcher.explain(text, wanted, adapter))

    def plan(
        self,
        query: str,
        *,
        k: int = 10,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
    ) -> SearchPlan:
        """Show how a search is answered: which way is chosen, and how much is looked at.

        Args:
            query: the question.
            k: see :meth:`search`.
            where: see :meth:`search`.
            mode: ``"hybrid"``: what each leg brought, too; else the late leg. None: as the
                retriever was opened.
            query_adapter: see :meth:`search`.

        Returns:
            A plan that draws itself in a terminal (``rich.print``) and in a notebook.

        Raises:
            ConfigError: an unknown mode, or one that asks for terms that the index does not keep.
        """
        text = check_query(query, filtered=where is not None)
        asked = self._asked(k, where, mode, query_adapter)
        return self._store.whole(lambda: self._searcher.plan(text, asked))

    def _asked(
        self,
        k: int,
        where: Where | None,
        mode: Mode | None,
        query_adapter: QueryAdapterLike | None,
    ) -> Asked:
        """Check how something is asked for."""
        condition = None if where is None else parse_where(where)
        chosen = self._mode if mode is None else check_mode(mode)
        return Asked(check_k(k), condition, chosen, check_adapter(query_adapter))

    def view(
        self,
        *,
        tenant: str,
        field: str = "tenant",
        where: Where | None = None,
        fields: Iterable[str] | None = None,
    ) -> View:
        """Return one tenant's part of the index, for those who may see no more of it.

        To its user it is an index that holds the tenant's passages only, statistics and ids
        included, and it has no way back to this one. Many views may be in use at once; to make one
        costs nothing.

        Args:
            tenant: whose part. A view finds what was added through views of the same tenant and
                field; here the ids of that begin with the name and a control character.
            field: the key in the metadata of passages under which their tenant's name stands here.
                A view sets it and does not show it.
            where: a filter that passages must match besides. Such a view adds nothing.
            fields: the keys of metadata that are shown, and that filters may ask for; None for all.
                Such a view adds nothing.

        Raises:
            ConfigError: a name that cannot be one.
            FilterError: the filter is malformed.

        Example:
            >>> retriever = Retriever.from_texts([], model="hash")
            >>> acme = retriever.view(tenant="acme")
            >>> acme.add(["Hold the reset key."], ids=["page-1"])
            ['page-1']
            >>> len(acme), len(retriever.view(tenant="beta")), retriever.count({"tenant": "acme"})
            (1, 0, 1)
        """
        return self._views.make(Scope.of(tenant, field, where, fields), self)

    def view_of_all(
        self, *, where: Where | None = None, fields: Iterable[str] | None = None
    ) -> View:
        """Return a view of no tenant: of the whole index, or of what a filter leaves.

        For those who may see all passages, but should not be able to do all that a retriever does.

        Args:
            where: see :meth:`view`.
            fields: see :meth:`view`.

        Raises:
            ConfigError, FilterError: see :meth:`view`.

        Example:
            >>> retriever = Retriever.from_texts(["a lock"], ids=["1"], model="hash")
            >>> len(retriever.view_of_all()), len(retriever.view_of_all(where={"$id": "2"}))
            (1, 0)
        """
        return self._views.make(Scope.of_all(where, fields), self)

    def add(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str | None] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> AddedIds:
        """Add passages, or replace those with the same id, in one commit.

        A passage whose text is already stored under its id is not encoded again. What is done
        after the commit (merging small segments, compressing) never fails the call.

        What people have is made good as far as there is one obvious way, and one line of the log
        says so: blank texts are left out; metadata values become JSON (dates as ISO 8601; tuples,
        sets and arrays as lists; UUID, Path and Decimal as strings; enumerations, NumPy's and
        pandas' numbers as what they hold; NaN, infinity and NaT as null; keys as strings); NUL and
        lone surrogates become U+FFFD; ids, and ``source`` in metadata, are written in Unicode's
        normal form C.

        Args:
            texts: the passages, of any length, in any iterable; an empty one is fine and commits
                nothing. A text beyond the model's document length is searched in overlapping
                windows, and found as one passage: the best window decides.
            ids: one string a text. Where there is none, a digest of the text and its metadata, so
                that what is added twice is stored once. Of equal passages under one id, one is
                stored.
            metadata: one mapping (or None) a text.
            strict: refuse whatever would not come back as it was given: all that is made good, and
                ids that come twice.
            progress: called with the number of texts just encoded; True or False forces a
                progress bar on or off; None shows one when the work is long.

        Returns:
            The ids, one a text, in the order of the texts; its ``left_out`` are the places of blank
            texts, under whose ids nothing was stored or changed.

        Raises:
            InputError: something cannot be made good: a text or an id that is no string, a value
                without an obvious form in JSON, lists of different lengths, one id for passages
                that differ. The message names what was given; nothing was changed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
            ReadOnlyError: the index may only be read.

        Example:
            >>> import datetime
            >>> retriever = Retriever.from_texts([], model="hash")
            >>> added = retriever.add(["Hold the reset key.", ""], ids=["page-1", "page-2"],
            ...                       metadata=[{"on": datetime.date(2024, 1, 5)}, None])
            >>> added, added.left_out
            (['page-1', 'page-2'], (1,))
            >>> retriever.get(["page-1"])[0].metadata
            {'on': '2024-01-05'}
        """
        checked = check_passages(texts, ids, metadata, strict=strict)
        checked.intake.report(logger)
        self._store.whole(lambda: self._ingestor.add(checked.passages, progress))
        return checked.added

    async def aadd(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str | None] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> AddedIds:
        """Do what :meth:`add` does without blocking the event loop."""
        return await asyncio.to_thread(
            self.add, texts, ids=ids, metadata=metadata, strict=strict, progress=progress
        )

    def add_stream(
        self,
        passages: Iterable[Passage | Mapping[str, Any]],
        *,
        batch: int = TEXTS,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> int:
        """Add passages from an iterator, in as many commits as it takes and in bounded memory.

        No more than a batch of texts is held, so a stream may be of any length. Each batch is a
        commit, and the index compresses and merges itself on the way. A passage that is stored
        already, with the same text and metadata, is skipped: a build that was interrupted, or
        killed, goes on where it was when the same stream is given again. Where an id comes more
        than once, the last passage with it is kept.

        Args:
            passages: passages, or mappings with ``text`` and, if you like, ``id`` and ``metadata``;
                made good as :meth:`add` says, which also makes ids where there are none.
            batch: passages in a commit at most; it also ends at 2,000,000 characters.
            strict: see :meth:`add`; an id may come twice all the same.
            progress: see :meth:`add`; it counts passages, stored ones included.

        Returns:
            How many passages the stream had, without the blank ones, which are left out.

        Raises:
            ConfigError: a batch below 1.
            InputError: a passage cannot be used; the message says at which place of the stream it
                is, the first being 0. What was committed before it stays, and the message says
                how much that is. So do those of the other errors.
            IndexLockedError: another writer held the index for too long.
            StorageFullError: the disk is full.
            ReadOnlyError: the index may only be read.

        Example:
            >>> from lfm2_colbert_rag import Retriever
            >>> lines = ({"id": str(n), "text": f"Page {n} of the manual."} for n in range(3000))
            >>> retriever = Retriever.from_texts([], model="hash")
            >>> retriever.add_stream(lines)
            3000
        """
        stream, size = check_stream(passages), check_count(batch, "batch")
        with self._store.pinned():  # a stream cannot be asked for twice
            intake = Intake(strict=strict)
            return self._ingestor.add_stream(stream, intake, batch=size, progress=progress)

    def add_vectors(
        self,
        vectors: Iterable[GivenVectors],
        texts: Iterable[str],
        *,
        ids: Iterable[str | None] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        token_ids: Iterable[npt.ArrayLike] | None = None,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> AddedIds:
        """Add passages with vectors that were made elsewhere, in one commit.

        They must come from the index's model, which nobody can check; they are stored as they
        are. Passages with the same ids are replaced. As nobody knows which characters a vector
        stands for, hits on these passages have no evidence.

        Args:
            vectors: a matrix ``(n, dim)`` of floats a text; an iterator need not hold more than one
                of them. An entry may also be the list of a long text's windows. Those of a text
                that is left out, or equals one before it, are passed over.
            texts: the passages.
            ids: see :meth:`add`.
            metadata: see :meth:`add`.
            token_ids: ``(n,)`` vocabulary ids a text; -1 for all when left out.
            strict: see :meth:`add`.
            progress: see :meth:`add`.

        Returns:
            The ids, see :meth:`add`.

        Raises:
            InputError: see :meth:`add`; or vectors of another width, with NaN or infinity, of no
                row, or not one entry a text. Nothing was changed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
            ReadOnlyError: the index may only be read.

        Example:
            >>> matrices = (np.load(f"{name}.npy") for name in ("reset", "library"))
            >>> retriever.add_vectors(matrices, texts, ids=["reset", "library"])  # doctest: +SKIP
            ['reset', 'library']
        """
        checked = check_passages(texts, ids, metadata, strict=strict)
        return self._add_vectors(checked, vectors, token_ids, progress)

    def _add_vectors(
        self,
        checked: Checked,
        vectors: Iterable[GivenVectors],
        token_ids: Iterable[npt.ArrayLike] | None,
        progress: ProgressLike,
    ) -> AddedIds:
        checked.intake.report(logger)
        with self._store.pinned():  # what an iterator gave cannot be asked for twice
            self._ingestor.add_vectors(checked.slots, vectors, token_ids, progress)
        return checked.added

    def import_dump(
        self,
        path: PathLike,
        passages: Iterable[Passage] | None = None,
        *,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> AddedIds:
        """Add what :meth:`export` or another tool wrote to files, in one commit.

        Known are our own exports, ``.npz`` and ``.safetensors`` files with a matrix a passage, flat
        ``.npy`` files with the passages' lengths beside them, and indexes of fast-plaid and PyLate
        (decoded, so with the loss of their compression). See :meth:`add_vectors`.

        Args:
            path: a file or a folder.
            passages: the texts, ids and metadata, unless the dump brings them. Where it knows no
                ids, in its order: for fast-plaid and PyLate that in which they were added. A blank
                one is left out together with its vectors.
            strict: see :meth:`add`.
            progress: see :meth:`add`.

        Returns:
            The ids, see :meth:`add`.

        Raises:
            InputError: the dump cannot be read, or does not fit this index or the texts. Nothing
                was changed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
            ReadOnlyError: the index may only be read.
        """
        dump = open_dump(absolute_path(path))
        matched = dump.match(None if passages is None else list_passages(passages))
        checked = check_listed(matched, strict=strict)
        return self._add_vectors(checked, dump.vectors(), None, progress)

    def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: Where | None = None,
        all: bool = False,  # noqa: A002 - what it says
    ) -> int:
        """Delete passages by id or by filter, in one commit; needs no model.

        Args:
            ids: ids to delete; unknown ones are ignored, and an empty list deletes nothing.
            where: delete what matches.
            all: delete every passage. A filter that leaves none out, such as ``{}``, needs this
                said: it may come from a look-up that failed.

        Returns:
            How many passages were deleted.

        Raises:
            InputError: none or several of them were given, or a filter that matches everything
                without ``all=True``; nothing was changed.
            FilterError: the filter is malformed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
            ReadOnlyError: the index may only be read.
        """
        checked, condition = check_deletion(ids, where, all)
        deleted = self._store.whole(lambda: self._store.delete(ids=checked, where=condition))
        self._after_commit()
        return deleted

    async def adelete(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: Where | None = None,
        all: bool = False,  # noqa: A002 - what it says
    ) -> int:
        """Do what :meth:`delete` does without blocking the event loop."""
        return await asyncio.to_thread(self.delete, ids, where=where, all=all)

    def get(self, ids: Iterable[str]) -> list[Passage]:
        """Return the passages that have these ids, in the order asked; others are left out.

        Raises:
            InputError: ids that are no list of strings.
        """
        wanted = check_ids(ids)
        return self._store.whole(lambda: self._reader.get(wanted))

    def count(self, where: Where | None = None) -> int:
        """Count the live passages, or those that match a filter.

        Raises:
            FilterError: the filter is malformed.

        Example:
            >>> Retriever.from_texts(["one", "two"], metadata=[{"n": 1}, {"n": 2}],
            ...                      model="hash").count({"n": {"$gt": 1}})
            1
        """
        if where is None:
            return len(self)
        condition = parse_where(where)
        return self._store.whole(lambda: self._reader.count(condition))

    def passages(
        self, where: Where | None = None, *, limit: int | None = None, after: str | None = None
    ) -> Iterator[Passage]:
        """Yield the live passages as of now, in the order in which they were added.

        They are read as they are asked for. Passages that are deleted meanwhile may still come.

        Args:
            where: only what matches; see :meth:`search`.
            limit: at most so many, evenly over all of them; all when None.
            after: only those that were added after the passage with this id: so a list that broke
                off is read on.

        Raises:
            FilterError: the filter is malformed.
            InputError: a limit below 1.
            PassageNotFoundError: no passage has the id ``after``.

        Example:
            >>> [passage.id for passage in retriever.passages({"lang": "es"})]  # doctest: +SKIP
            ['reset']
        """
        condition = parse_where({} if where is None else where)
        most = None if limit is None else check_k(limit, "limit")
        last = None if after is None else check_ids([after])[0]
        found = self._store.whole(lambda: self._reader.passages(condition, most, last))
        return self._kept_for(found)

    def vectors(self, ids: Iterable[str]) -> list[list[TokenMatrix]]:
        """Return the vectors of passages by id, in the order asked.

        Returns:
            For each passage a matrix ``(n, dim)`` float32 a window; short texts have one window.
            They are the stored ones: rounded, and pooled where the index pools.

        Raises:
            PassageNotFoundError: an id is unknown; the message names all that are.

        Example:
            >>> retriever.vectors(["reset"])[0][0].shape  # doctest: +SKIP
            (11, 128)
        """
        wanted = check_ids(ids)
        return [
            [np.asarray(window.encoded.vectors, np.float32) for window in windows]
            for windows in self._store.whole(lambda: self._reader.windows(wanted))
        ]

    def create_filter_index(self, field: str) -> None:
        """Make filters on one field quick: they no longer read the metadata of every passage.

        It is kept up to date by every later ``add``, costs some bytes a passage, and changes no
        result. Worth it for fields whose filters leave few passages. Nothing happens if it is
        there already.

        Args:
            field: its name as filters write it, such as ``"lang"`` or ``"maker.country"``.

        Raises:
            FilterError: no field can have that name.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
            ReadOnlyError: the index may only be read.

        Example:
            >>> retriever.create_filter_index("lang")  # doctest: +SKIP
            >>> retriever.filter_indexes()  # doctest: +SKIP
            ['lang']
        """
        path = parse_field(field)
        self._store.whole(lambda: self._store.create_filter_index(path))

    def drop_filter_index(self, field: str) -> None:
        """Forget what :meth:`create_filter_index` made; nothing happens if there is nothing.

        Raises:
            FilterError: no field can have that name.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            ReadOnlyError: the index may only be read.
        """
        path = parse_field(field)
        self._store.whole(lambda: self._store.drop_filter_index(path))

    def filter_indexes(self) -> list[str]:
        """Return the fields whose filters are quick, sorted."""
        return sorted(
            map(field_name, self._store.whole(lambda: self._store.catalog.filter_indexes()))
        )

    def stats(self) -> IndexStats:
        """Count what the index holds; nothing is measured and nothing written; needs no model."""
        shown = None if self.path is None else str(self.path)
        return self._store.whole(lambda: collect_stats(self._store, self._compactor, path=shown))

    def measure_recall(
        self, queries: Sequence[str] | None = None, *, sample: int = SAMPLE
    ) -> Recall:
        """Measure recall@10 against exact MaxSim, and remember it with the index if it may.

        Args:
            queries: queries to measure it on. Without them, those that this retriever was asked
                last, and parts of passages where they are too few, encoded as queries. As long
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
        return self._store.whole(lambda: self._optimizer.measure_recall(queries, sample))

    def optimize(
        self,
        *,
        reencode: bool = False,
        forget_after: float = 3600.0,
        progress: ProgressLike = None,
    ) -> IndexStats:
        """Bring the index to its best: compress, merge, drop what was deleted, renew the codebook.

        The codebook is made anew only where growth or drift call for it, since compressed vectors
        of which the tokens get other centroids lose a little each time. Terms that posting lists
        lack are filled in, and the recall of a compressed index is measured. Searching, adding and
        deleting go on meanwhile.

        Args:
            reencode: encode all stored texts again, and compress the vectors of that: the quality
                of an index that is made now, for the time of making one. The vectors lie on the
                disk as they are until all are encoded, 256 bytes each at 128 dimensions. Vectors
                that were given by :meth:`add_vectors` cannot be told from others, and are replaced
                by what the model makes of their texts.
            forget_after: every byte of passages that were deleted or replaced so many seconds ago
                is removed from the folder; readers at work in an older generation may need
                younger ones. Where there are any, writers wait about two seconds for each 100 MB
                of the catalog.
            progress: see :meth:`add`; it counts passages.

        Returns:
            The statistics afterwards.

        Raises:
            IndexLockedError: somebody else is optimizing.
            IndexCorruptError: some segments are damaged, which the message names. They were left as
                they are; all else was done.
            StorageFullError: the disk is full; what was finished until then stays.
            ModelNotFoundError: texts are to be encoded, and the model is not there.
            ReadOnlyError: the index may only be read.
        """
        with self._store.pinned():
            self._optimizer.optimize(
                reencode_texts=reencode, forget_after=forget_after, progress=progress
            )
            self._searcher.prepare()
            return self.stats()

    def purge(self, *, progress: ProgressLike = None) -> PurgeReceipt:
        """Remove every byte of passages that were deleted or replaced from the folder, now.

        Segments and the catalog's file are written anew without them, and its log is emptied; what
        readers in other processes have found and not yet read may be gone for them. Once it
        returns, no file in the folder holds anything of them. Out of its reach are copies, and what
        file systems keep of blocks that are free.

        Args:
            progress: see :meth:`add`; it counts passages.

        Returns:
            A receipt.

        Raises:
            IndexBusyError: others were reading all the time, so that something may be left; purge
                again.
            IndexLockedError: somebody else is optimizing, or wrote for too long; purge again.
            IndexCorruptError: some segments are damaged, and may hold something; all else is gone.
            StorageFullError: the disk is full, so that something may be left.
            ReadOnlyError: the index may only be read.

        Example:
            >>> retriever = Retriever.from_texts(["Ada's address"], ids=["ada"], model="hash")
            >>> retriever.delete(["ada"])
            1
            >>> retriever.purge().passages
            1
        """
        self._views.forget()
        with self._store.pinned():
            return purge(self._store, self._optimizer, EVERYTHING, progress)

    def migrate(
        self,
        model: NewModel,
        *,
        keep: float | str = "7d",
        questions: Sequence[str] | None = None,
        despite_gate: bool = False,
        progress: ProgressLike = None,
    ) -> Migration:
        """Let another query adapter serve, or another model; what serves now can be brought back.

        An adapter serves in one commit. For a model all passages are encoded again, beside what
        serves: searching, adding and deleting go on, whoever is interrupted goes on by the same
        call and has lost five minutes at most, and one commit lets it serve in the end. All who
        have the index open, in whatever process, follow with their next question, and every answer
        is of what served before or of what serves now, never of both.

        Args:
            model: a :class:`~lfm2_colbert_rag.QueryAdapter`, its file, or a folder that holds one
                as ``query_adapter.safetensors`` and no model; or a model as for :meth:`open`. The
                index keeps a copy of an adapter. The model that serves already takes its adapter
                away.
            keep: how long :meth:`rollback` shall be possible: seconds, or a time such as ``"7d"``
                or ``"12h"``. Longer than that, until the next :meth:`optimize`, it is as well.
            questions: the canary: up to 50 of them are asked before and after, and
                :attr:`Migration.overlap` tells how many answers are the same. That stops nothing.
                None: for a model those that this retriever was asked last, for an adapter none.
            despite_gate: take also what was judged and not adopted, as ``verdict.json`` in the
                model's folder says.
            progress: see :meth:`add`; it counts passages.

        Returns:
            What was done. Where the same serves already, nothing was.

        Raises:
            ConfigError: the adapter is of another model, or was not adopted; what served before is
                kept still, and an index keeps one only; another migration is not done; or a time
                that is none. Nothing was changed.
            ModelFormatError: the file is damaged, or holds no adapter.
            ModelNotFoundError: there is no such model.
            InputError: the model makes no vector of a passage, which the message names.
            IndexBusyError: passages are added faster than they are encoded; migrate again.
            IndexLockedError: somebody else migrates, or wrote for too long; what is done stays.
            StorageFullError: the disk is full; what is done stays, and does not serve.
            ReadOnlyError: the index may only be read.

        Example:
            >>> retriever = Retriever.from_texts(["a lock", "a key"], model="hash")
            >>> retriever.migrate("hash:1").encoded, retriever.rollback().model
            (2, 'hash')
        """
        texts = None if questions is None else check_queries(questions)
        return self._store.whole(
            lambda: self._migrator.migrate(
                model, keep=keep, despite_gate=despite_gate, questions=texts, progress=progress
            )
        )

    def migration(self) -> MigrationStatus:
        """Say what serves the index, what did before, if that is kept, and what is being made.

        Example:
            >>> retriever = Retriever.from_texts(["a lock"], model="hash")
            >>> status = retriever.migration()
            >>> status.model, status.can_roll_back
            ('hash', False)
        """
        return self._store.whole(self._migrator.status)

    def rollback(self, *, progress: ProgressLike = None) -> Migration:
        """Let serve again what served before the last :meth:`migrate`.

        It is one commit, once passages are encoded that were added since: as many as
        :attr:`MigrationStatus.missing` tells. What serves now is kept as long in its place, so that
        a second rollback takes the first one back.

        Args:
            progress: see :meth:`add`; it counts passages.

        Raises:
            ConfigError: nothing that served before is kept; nothing was changed.
            IndexCorruptError: what was kept is damaged; nothing was changed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
            ReadOnlyError: the index may only be read.
        """
        return self._store.whole(lambda: self._migrator.rollback(progress))

    def forget_previous(self) -> None:
        """Remove what served before the last :meth:`migrate` from the folder, for good.

        And what a migration that was interrupted has made. :meth:`optimize` removes what served
        before by itself once the time is over for which it was to be kept.

        Raises:
            ConfigError: there is nothing of either.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
            ReadOnlyError: the index may only be read.
        """
        self._store.whole(self._migrator.forget)

    def tune_fusion(
        self,
        queries: Mapping[str, str],
        qrels: Mapping[str, Mapping[str, int]],
        *,
        folds: int = 5,
    ) -> FusionReport:
        """Learn from judged queries how much BM25 counts in ``mode="hybrid"``, and remember it.

        Some 30 queries are enough. The weight is drawn towards the default, the more the fewer
        they are, and the default stays where cross-validation does not show a gain. The result is
        kept with the index, and replaces what was learned before.

        Args:
            queries: questions by their ids.
            qrels: for each query's id the grades of passages by their ids, 0 for those that are
                not relevant. Queries without a relevant passage in this index are left out.
            folds: parts into which the queries are divided.

        Raises:
            InputError: fewer than 5 queries can be used.
            ConfigError: fewer than 2 folds, or an index without terms.
            ReadOnlyError: the index may only be read.

        Example:
            >>> retriever.tune_fusion({"q1": "reset the router", ...},
            ...                       {"q1": {"reset": 1}, ...})  # doctest: +SKIP
        """
        return self._store.whole(
            lambda: tune_fusion(self._store, self._searcher, queries, qrels, folds)
        )

    def verify(self, *, progress: ProgressLike = None) -> list[str]:
        """Check every file against its checksum, and that catalog and vectors belong together.

        Args:
            progress: see :meth:`add`; it counts passages.

        Returns:
            One sentence a problem; empty when all is well.
        """
        return self._store.whole(
            lambda: verify_index(self._store.folder, self._store.catalog, progress=progress)
        )

    def backup(self, path: PathLike, *, progress: ProgressLike = None) -> None:
        """Write a copy of one whole generation into a new folder; readers and writers go on.

        The copy is an index of its own: open it, or bring it back with :meth:`restore`. Every
        file is compared with its checksum on the way.

        Args:
            path: the new folder.
            progress: see :meth:`add`; it counts megabytes.

        Raises:
            IndexExistsError: the folder is not empty.
            IndexCorruptError: a file of this index is missing or altered; nothing was written.
            StorageFullError: the disk is full; the partial copy was removed.

        Example:
            >>> retriever.backup("support.backup")  # doctest: +SKIP
        """
        target = absolute_path(path)
        self._store.whole(lambda: copy_index(self._store, target, progress=progress))

    def export(
        self, path: PathLike, *, dtype: ExportDType = "float16", progress: ProgressLike = None
    ) -> int:
        """Write texts, metadata and vectors as plain files, which need no library of ours.

        The folder holds ``passages.jsonl``, ``vectors.npy``, ``token_counts.npy``,
        ``token_ids.npy``, ``spans.npy``, ``windows.npy`` and ``export.json``, and where the index
        has an adapter ``query_adapter.safetensors``; the documentation of
        ``lfm2_colbert_rag.storage.exchange.own`` has their shapes. :meth:`import_dump` reads it.

        Args:
            path: the new folder.
            dtype: of the vectors: ``"float16"``, as they are stored, or ``"float32"``.
            progress: see :meth:`add`.

        Returns:
            The number of passages.

        Raises:
            ConfigError: another dtype.
            IndexExistsError: the folder is not empty.
            StorageFullError: the disk is full; the partial export was removed.
        """
        target = absolute_path(path)
        return self._store.whole(
            lambda: export_index(self._store, target, dtype=dtype, progress=progress)
        )

    def _kept_for(self, passages: Iterator[Passage]) -> Iterator[Passage]:
        """Yield passages; an index in memory lasts until then, whoever else has let go of it."""
        yield from passages


def _settle(compactor: Compactor, searcher: Searcher, streaming: bool = False) -> None:
    """Do what has become due after a commit, and what the next question would wait for."""
    compactor.auto_compact(streaming=streaming)
    searcher.prepare()


def _reopen(
    path: Path,
    model: ModelLike | None,
    mode: Mode | None,
    read_only: bool,
    target_recall: float | None,
    lock_timeout: float,
    query_adapter: QueryAdapterLike | None,
) -> Retriever:
    """Open an index as it was opened in the process that gave it to this one."""
    return Retriever.open(
        path,
        model=model,
        mode=mode,
        read_only=read_only,
        target_recall=target_recall,
        lock_timeout=lock_timeout,
        query_adapter=query_adapter,
    )
