"""The facade of an index in an engine: what a retriever does, and reasons for what it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import numpy.typing as npt

from .._support.paths import PathLike, absolute_path
from .._support.progress import ProgressLike
from .._support.validation import check_listed, check_passages, check_queries, list_passages
from ..encoder import Encoder
from ..encoder.lazy import ModelLike
from ..encoder.query_adapter import QueryAdapter
from ..errors import ConfigError, InputError
from ..storage.exchange.export import ExportDType
from ..storage.exchange.formats import open_dump
from ..storage.exchange.given_vectors import GivenVectors
from ..storage.scope import Scope
from ..types import AddedIds, Hit, IndexStats, Metadata, Mode, Passage, TokenMatrix, Where
from .ingest.passage_encoder import TEXTS
from .maintenance.optimizer import SAMPLE
from .maintenance.recall import Recall
from .remote.home import RemoteHome
from .remote.part import RemotePart
from .remote_exporting import export_remote
from .remote_maintaining import collect_stats, measure_recall, optimize
from .remote_opening import backend_at, open_remote, shards_of
from .search.adapting import QueryAdapterLike
from .search.explanation import Explanation
from .search.plan import SearchPlan
from .view import View
from .views import Views

_LOCAL = "It is for an index in a folder"


class RemoteRetriever:
    """An index in an engine, with the methods of :class:`Retriever`, which opens it.

    What differs: an ``add`` of many passages is no single commit, though each passage is whole; a
    score may differ in its last digits; passages come in the order of hashes of their ids; and how
    many vectors there are is estimated. What only a folder can do raises a ConfigError that says
    what to do instead. It is safe to use from several threads, and in forked processes.

    All methods raise RemoteUnavailableError where the engine cannot be reached, and
    RetrieverClosedError after :meth:`close`.

    Example:
        >>> index = Retriever.open("qdrant://host:6334/manuals", model="nano")  # doctest: +SKIP
        >>> index.search("When does the library open?", k=3)  # doctest: +SKIP
        [Hit(id='library', ...)]
    """

    def __init__(
        self,
        home: RemoteHome,
        *,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
        reopen: Callable[[], tuple[Any, ...]] | None = None,
    ) -> None:
        """Join the parts; callers use :meth:`Retriever.open`."""
        self._home, self._reopen = home, reopen
        make = partial(RemotePart, home, mode=mode, query_adapter=query_adapter)
        self._part = make(Scope.of_all())
        self._views = Views(partial(make, is_view=True))

    @property
    def path(self) -> Path | None:
        """None: it lies in no folder of this machine; see :attr:`address`."""
        return None

    @property
    def address(self) -> str:
        """Where it lies, without what is secret."""
        return self._home.name

    @property
    def model(self) -> str:
        """How to ask for the index's model again."""
        return self._home.settings.index.model

    @property
    def read_only(self) -> bool:
        """Whether writes are refused."""
        return self._home.read_only

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when first needed; see :attr:`Retriever.encoder`."""
        return self._home.encoder()

    @property
    def mode(self) -> Mode:
        """How it searches unless told otherwise."""
        return self._part.mode()

    @property
    def query_adapter(self) -> QueryAdapter | None:
        """The map that questions go through; None where there is none."""
        return self._part.searcher.adapter(None)

    def __len__(self) -> int:
        """Return the number of passages."""
        return self._part.count(None)

    def __bool__(self) -> bool:
        """Return True: an empty index is an index."""
        return True

    def __contains__(self, id: object) -> bool:
        """Tell whether a passage has an id."""
        return self._part.has(id)

    def __repr__(self) -> str:
        """Say where the index is, and which model reads it; asks nobody."""
        return f"<RemoteRetriever {self.address}, model {self._home.known.index.model!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process open the same index; a password travels with its address.

        Raises:
            InputError: it was made of a backend rather than of an address.
        """
        if self._reopen is None:
            raise InputError(
                "this retriever was made of a backend, and cannot be given to another process. "
                "Open its address there."
            )
        return self._reopen()

    def __copy__(self) -> RemoteRetriever:
        """Return the retriever itself."""
        return self

    def __deepcopy__(self, memo: object) -> RemoteRetriever:
        """Return the retriever itself."""
        return self

    def __enter__(self) -> RemoteRetriever:
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
        """Close its connections. Twice does no harm."""
        self._home.close()

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
        """Find the passages that answer a query best; see :meth:`Retriever.search`.

        Raises:
            FilterError: also where the engine cannot answer a filter; the message says which part.
        """
        return self._part.search(
            query,
            k,
            where=where,
            mode=mode,
            diversity=diversity,
            fetch_k=fetch_k,
            query_adapter=query_adapter,
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
        """Answer several queries in few requests; see :meth:`Retriever.search_many`."""
        return self._part.search_many(
            queries, k, where=where, mode=mode, query_adapter=query_adapter
        )

    def rank_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
    ) -> list[list[tuple[str, float]]]:
        """Answer queries by ids and scores alone; see :meth:`Retriever.rank_many`."""
        return self._part.rank_many(queries, k, where=where, mode=mode, query_adapter=query_adapter)

    async def asearch(self, query: str, k: int = 10, **options: Any) -> list[Hit]:
        """Do what :meth:`search` does without blocking the event loop."""
        return await asyncio.to_thread(self.search, query, k, **options)

    async def asearch_many(
        self, queries: Sequence[str], k: int = 10, **options: Any
    ) -> list[list[Hit]]:
        """Do what :meth:`search_many` does without blocking the event loop."""
        return await asyncio.to_thread(self.search_many, queries, k, **options)

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
        """Order somebody else's texts; see :meth:`Retriever.rerank`. All are encoded here."""
        return self._part.rerank(
            query,
            candidates,
            k,
            strict=strict,
            query_adapter=query_adapter,
            max_tokens=max_tokens,
        )

    def explain(
        self, query: str, id: str, *, query_adapter: QueryAdapterLike | None = None
    ) -> Explanation:
        """Show which words of a passage answered a query; see :meth:`Retriever.explain`."""
        return self._part.explain(query, id, query_adapter=query_adapter)

    def plan(
        self,
        query: str,
        *,
        k: int = 10,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
    ) -> SearchPlan:
        """Show how a search is answered; see :meth:`Retriever.plan`."""
        return self._part.plan(query, k=k, where=where, mode=mode, query_adapter=query_adapter)

    def view(
        self,
        *,
        tenant: str,
        field: str = "tenant",
        where: Where | None = None,
        fields: Iterable[str] | None = None,
    ) -> View:
        """Return one tenant's part of the index; see :meth:`Retriever.view`."""
        return self._views.make(Scope.of(tenant, field, where, fields), self)

    def view_of_all(
        self, *, where: Where | None = None, fields: Iterable[str] | None = None
    ) -> View:
        """Return a view of no tenant; see :meth:`Retriever.view_of_all`."""
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
        """Add passages, or replace those with the same id; see :meth:`Retriever.add`.

        It returns once all are acknowledged. They are written in batches, each passage whole.

        Raises:
            PartialWriteError: the engine could not be reached any more after some batches; the
                error has the ids of what was written and of what is missing, and the same call
                again completes it.
        """
        return self._part.add(texts, ids=ids, metadata=metadata, strict=strict, progress=progress)

    async def aadd(self, texts: Iterable[str], **options: Any) -> AddedIds:
        """Do what :meth:`add` does without blocking the event loop."""
        return await asyncio.to_thread(self.add, texts, **options)

    def add_stream(
        self,
        passages: Iterable[Passage | Mapping[str, Any]],
        *,
        batch: int = TEXTS,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> int:
        """Add passages from an iterator in bounded memory; see :meth:`Retriever.add_stream`."""
        return self._part.add_stream(passages, batch=batch, strict=strict, progress=progress)

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
        """Add passages with vectors of the index's model; see :meth:`Retriever.add_vectors`."""
        checked = check_passages(texts, ids, metadata, strict=strict)
        return self._part.add_checked(checked, vectors, token_ids, progress)

    def import_dump(
        self,
        path: PathLike,
        passages: Iterable[Passage] | None = None,
        *,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> AddedIds:
        """Add what an export or another tool wrote; see :meth:`Retriever.import_dump`."""
        dump = open_dump(absolute_path(path))
        matched = dump.match(None if passages is None else list_passages(passages))
        checked = check_listed(matched, strict=strict)
        return self._part.add_checked(checked, dump.vectors(), None, progress)

    def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: Where | None = None,
        all: bool = False,  # noqa: A002 - what it says
    ) -> int:
        """Delete passages by id or by filter; see :meth:`Retriever.delete`."""
        return self._part.delete(ids, where=where, all=all)

    async def adelete(self, ids: Iterable[str] | None = None, **options: Any) -> int:
        """Do what :meth:`delete` does without blocking the event loop."""
        return await asyncio.to_thread(self.delete, ids, **options)

    def get(self, ids: Iterable[str]) -> list[Passage]:
        """Return the passages that have these ids; see :meth:`Retriever.get`."""
        return self._part.get(ids)

    def count(self, where: Where | None = None) -> int:
        """Count passages; see :meth:`Retriever.count`."""
        return self._part.count(where)

    def passages(
        self, where: Where | None = None, *, limit: int | None = None, after: str | None = None
    ) -> Iterator[Passage]:
        """Yield passages, in the order of hashes of their ids; see :meth:`Retriever.passages`."""
        return self._part.passages(where, limit=limit, after=after)

    def vectors(self, ids: Iterable[str]) -> list[list[TokenMatrix]]:
        """Return the vectors of passages by id; see :meth:`Retriever.vectors`."""
        return self._part.vectors(ids)

    def create_filter_index(self, field: str) -> None:
        """Make filters on one field quick; best before passages are loaded.

        Raises:
            FilterError: no field can have that name.
            ReadOnlyError: the index may only be read.
        """
        self._part.create_filter_index(field)

    def drop_filter_index(self, field: str) -> NoReturn:
        """Refuse to, as graphs of vectors were made with it.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"an index on {field!r} in {self.address} stays, as graphs were made with it. Load the "
            "passages under another name without it."
        )

    def filter_indexes(self) -> list[str]:
        """Return the fields whose filters are quick, sorted."""
        return self._part.filter_indexes()

    def stats(self) -> IndexStats:
        """Count what the index holds; vectors and bytes are estimated from a sample."""
        return collect_stats(self._home, self._part)

    def measure_recall(
        self, queries: Sequence[str] | None = None, *, sample: int = SAMPLE
    ) -> Recall:
        """Measure recall@10 against every window compared; see :meth:`Retriever.measure_recall`.

        Without queries, parts of passages are asked.

        Raises:
            ConfigError: a sample below 2.
        """
        texts = None if queries is None else check_queries(queries)
        return measure_recall(self._home, self._part, texts, sample)

    def optimize(
        self,
        *,
        reencode: bool = False,
        forget_after: float = 3600.0,
        progress: ProgressLike = None,
    ) -> IndexStats:
        """Make what candidates are found by, where the index has outgrown comparing all.

        What else an engine optimizes, such as its segments and graphs, it does by itself.

        Args:
            reencode: not here; load the texts under another name instead.
            forget_after: has no effect: when what was deleted is removed is the engine's.
            progress: see :meth:`Retriever.add`; it counts windows.

        Raises:
            ConfigError: texts are to be encoded again.
            ReadOnlyError: the index may only be read.
        """
        if reencode:
            raise ConfigError(
                f"{_LOCAL}. Load the texts under another name, and let this one stand for it with "
                "alias()."
            )
        optimize(self._home, self._part, progress)
        return self.stats()

    def export(
        self, path: PathLike, *, dtype: ExportDType = "float16", progress: ProgressLike = None
    ) -> int:
        """Write texts, metadata and vectors as plain files; see :meth:`Retriever.export`.

        It is no snapshot: what is written meanwhile may be in it or not.
        """
        return export_remote(self._home, self._part, absolute_path(path), dtype, progress)

    def alias(self, name: str) -> None:
        """Let a name stand for this index from now on, in one step: so a new one begins to serve.

        Args:
            name: a collection's name that no collection itself has.

        Raises:
            IndexExistsError: a collection has it.
            ReadOnlyError: the index may only be read.
        """
        self._home.require_writable()
        self._home.backend.alias(name)

    def backup(self, path: PathLike, *, progress: ProgressLike = None) -> NoReturn:
        """Refuse to: engines make snapshots of their own.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{_LOCAL}; {self.address} is kept by snapshots of its engine. As plain files, use "
            "export()."
        )

    def purge(self, *, progress: ProgressLike = None) -> NoReturn:
        """Refuse to: an engine removes by itself what was deleted.

        Raises:
            ConfigError: always.
        """
        self._part.purge(progress)

    def verify(self, *, progress: ProgressLike = None) -> NoReturn:
        """Refuse to: an engine checks its own files.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{_LOCAL}; the files of {self.address} are checked by its engine.")

    def migrate(self, model: object, **options: object) -> NoReturn:
        """Refuse to: another model is another collection, which an alias lets serve.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{_LOCAL}. Load the passages with the other model under another name, and let the old "
            f"name stand for it with alias(): no question goes unanswered. {self.address} stays as "
            "it is."
        )

    def tune_fusion(self, queries: object, qrels: object, *, folds: int = 5) -> NoReturn:
        """Refuse to: tune a folder, and push it.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{_LOCAL}. Tune one on a part of the passages, and push that.")


def open_at(
    address: str,
    model: ModelLike | None,
    options: Mapping[str, Any],
    mode: Mode | None,
    query_adapter: QueryAdapterLike | None,
    read_only: bool,
    target_recall: float | None = None,
) -> RemoteRetriever:
    """Open the index at an address; see :meth:`Retriever.open` for arguments and errors."""
    if target_recall is not None:
        raise ConfigError(
            f"target_recall is for an index in a folder; that of {address!r} is measured with "
            "measure_recall()."
        )
    backend, more = backend_at(address)
    try:
        home = open_remote(backend, model, options, read_only=read_only, shards=shards_of(more))
    except BaseException:
        backend.close()
        raise
    again = (address, model, options, mode, query_adapter, read_only)
    return RemoteRetriever(
        home, mode=mode, query_adapter=query_adapter, reopen=lambda: (open_at, again)
    )
