"""What a :class:`~.view.View` does: a tenant's questions and passages, brought to the index."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from .._support.intake import Intake
from .._support.progress import ProgressLike
from .._support.validation import (
    check_candidates,
    check_count,
    check_deletion,
    check_ids,
    check_k,
    check_passages,
    check_queries,
    check_query,
    check_stream,
)
from ..errors import ConfigError, ReadOnlyError
from ..filters import ID_PATH, LIMITS_OF_VIEWS, And, Comparison, Filter, parse_where
from ..storage.scope import SEPARATOR, Scope
from ..storage.scoped import ScopedStore
from ..types import AddedIds, Hit, Metadata, Mode, Passage, ViewStats, Where
from .ingest.ingestor import TEXTS, Ingestor
from .reading import Reader
from .search.adapting import QueryAdapterLike, check_adapter
from .search.asked import Asked, check_mode
from .search.diversity import check_diversity
from .search.searcher import Searcher

if TYPE_CHECKING:
    from ..encoder.by_space import Encoders
    from ..storage.store import Store
    from .maintenance.purging import PurgeReceipt
    from .search.explanation import Explanation
    from .search.plan import SearchPlan

logger = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Whole:
    """The index that views show parts of.

    Attributes:
        store: the index.
        encoders: of its spaces.
        ingestor: adds passages.
        query_adapter: see ``Retriever.open``.
        after_commit: called after a commit of passages that were deleted.
        mode: how to search unless told otherwise; None: as the index can.
        purge: removes for good what was deleted of the passages that match a filter.
    """

    store: Store
    encoders: Encoders
    ingestor: Ingestor
    query_adapter: QueryAdapterLike | None
    after_commit: Callable[[], None]
    mode: Mode | None
    purge: Callable[[Filter, ProgressLike], PurgeReceipt]


def _adapter(chosen: QueryAdapterLike | None) -> QueryAdapterLike | None:
    """Return what names a query adapter; see :func:`~.search.adapting.check_adapter`.

    Raises:
        ConfigError: it names none, or a file: no tenant's question opens one.
    """
    adapter = check_adapter(chosen)
    if isinstance(adapter, os.PathLike):
        raise ConfigError(
            'query_adapter of a view must be "auto", "none" or a QueryAdapter, not a file.'
        )
    return adapter


class Viewing:
    """Does what views of one scope offer.

    Args:
        whole: the index.
        scope: what of it is seen.
    """

    def __init__(self, whole: Whole, scope: Scope) -> None:
        self._whole = whole
        self._scope = scope
        self._part = ScopedStore(whole.store, scope)
        self._reader = Reader(self._part)
        self._searcher = Searcher(
            self._part,
            whole.encoders,
            whole.query_adapter,
            party=f"{whole.store.folder}{SEPARATOR}{scope.tenant}",
            row_keys=self._part.row_keys if scope.conditions else None,
        )

    def forget(self) -> None:
        """Let go of segments, whose files are mapped."""
        self._searcher.indexes.forget()
        self._part.forget()

    def search(
        self,
        query: str,
        k: int,
        *,
        where: Where | None,
        mode: Mode | None,
        diversity: float | None,
        fetch_k: int | None,
        query_adapter: QueryAdapterLike | None,
    ) -> list[Hit]:
        """Do what :meth:`.view.View.search` says."""
        text = check_query(query, filtered=where is not None)
        asked, searcher = self._asked(k, where, mode, query_adapter), self._searcher
        if diversity is None:
            return self._ask(lambda: searcher.search_many([text], asked)[0])
        weight = check_diversity(diversity)
        among = 4 * asked.k if fetch_k is None else check_k(fetch_k)
        return self._ask(lambda: searcher.search_diverse(text, asked, weight=weight, fetch_k=among))

    def search_many(
        self,
        queries: Sequence[str],
        k: int,
        *,
        where: Where | None,
        mode: Mode | None,
        query_adapter: QueryAdapterLike | None,
    ) -> list[list[Hit]]:
        """Do what :meth:`.view.View.search_many` says."""
        texts = check_queries(queries, filtered=where is not None)
        asked = self._asked(k, where, mode, query_adapter)
        return self._ask(lambda: self._searcher.search_many(texts, asked))

    def rank_many(
        self,
        queries: Sequence[str],
        k: int,
        *,
        where: Where | None,
        mode: Mode | None,
        query_adapter: QueryAdapterLike | None,
    ) -> list[list[tuple[str, float]]]:
        """Do what :meth:`.view.View.rank_many` says."""
        texts = check_queries(queries, filtered=where is not None)
        asked = self._asked(k, where, mode, query_adapter)
        return self._ask(lambda: self._searcher.rank_many(texts, asked))

    def rerank(
        self,
        query: str,
        candidates: Iterable[str | Passage],
        k: int | None,
        *,
        strict: bool,
        query_adapter: QueryAdapterLike | None,
        max_tokens: int | None,
    ) -> list[Hit]:
        """Do what :meth:`.view.View.rerank` says."""
        passages, intake = check_candidates(candidates, strict=strict)
        limit = len(passages) if k is None else check_k(k)
        text, adapter = check_query(query), _adapter(query_adapter)
        most = None if max_tokens is None else check_count(max_tokens, "max_tokens")
        intake.report(logger)
        return self._ask(lambda: self._searcher.rerank(text, passages, limit, adapter, most))

    def explain(
        self, query: str, id: str, *, query_adapter: QueryAdapterLike | None
    ) -> Explanation:
        """Do what :meth:`.view.View.explain` says."""
        text, (wanted,) = check_query(query), check_ids([id])
        adapter = _adapter(query_adapter)
        return self._ask(lambda: self._searcher.explain(text, wanted, adapter))

    def plan(
        self,
        query: str,
        *,
        k: int,
        where: Where | None,
        mode: Mode | None,
        query_adapter: QueryAdapterLike | None,
    ) -> SearchPlan:
        """Do what :meth:`.view.View.plan` says."""
        text = check_query(query, filtered=where is not None)
        asked = self._asked(k, where, mode, query_adapter)
        found = self._ask(lambda: self._searcher.plan(text, asked))
        # How widely lists are walked depends on how much of them is others'.
        return (
            found
            if found.settings is None or not self._scope.conditions
            else replace(found, voted=0, refined=0, scored=0, settings=None)
        )

    def get(self, ids: Iterable[str]) -> list[Passage]:
        """Do what :meth:`.view.View.get` says."""
        wanted = check_ids(ids)
        return self._ask(lambda: self._reader.get(wanted))

    def has(self, id: object) -> bool:
        """Do what :meth:`.view.View.__contains__` says."""
        if not isinstance(id, str) or not id:
            return False
        (wanted,) = check_ids([id])
        return self._ask(lambda: self._reader.has(wanted))

    def count(self, where: Where | None) -> int:
        """Do what :meth:`.view.View.count` says."""
        condition = self._where({} if where is None else where)
        return self._ask(lambda: self._reader.count(condition))

    def passages(
        self, where: Where | None, *, limit: int | None, after: str | None
    ) -> Iterator[Passage]:
        """Do what :meth:`.view.View.passages` says."""
        condition = self._where({} if where is None else where)
        most = None if limit is None else check_k(limit, "limit")
        last = None if after is None else check_ids([after])[0]
        return self._plain(self._ask(lambda: self._reader.passages(condition, most, last)))

    def stats(self) -> ViewStats:
        """Do what :meth:`.view.View.stats` says."""
        snapshot = self._ask(self._part.snapshot)
        segments = snapshot.segments
        languages = self._ask(lambda: self._part.catalog.languages().counts(segments.rows))
        windows = sum(live.windows for live in segments)
        return ViewStats(
            segments.passages, windows, segments.vectors, snapshot.settings.dim, languages
        )

    def mode(self) -> Mode:
        """Do what :attr:`.view.View.mode` says."""
        return self._searcher.mode(Asked(1, mode=self._whole.mode))

    def add(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str | None] | None,
        metadata: Iterable[Metadata | None] | None,
        strict: bool,
        progress: ProgressLike,
    ) -> AddedIds:
        """Do what :meth:`.view.View.add` says."""
        self._require_whole()
        checked = check_passages(texts, ids, metadata, strict=strict)
        stored = [self._scope.stored(one) for one in checked.passages]
        checked.intake.report(logger)
        self._ask(lambda: self._whole.ingestor.add(stored, progress))
        self._searcher.prepare()
        return checked.added

    def add_stream(
        self,
        passages: Iterable[Passage | Mapping[str, Any]],
        *,
        batch: int | None,
        strict: bool,
        progress: ProgressLike,
    ) -> int:
        """Do what :meth:`.view.View.add_stream` says."""
        self._require_whole()
        stream = check_stream(passages)
        size = TEXTS if batch is None else check_count(batch, "batch")
        with self._whole.store.pinned():  # a stream cannot be asked for twice
            added = self._whole.ingestor.add_stream(
                stream, Intake(strict=strict), self._scope.stored, batch=size, progress=progress
            )
        self._searcher.prepare()
        return added

    def delete(
        self,
        ids: Iterable[str] | None,
        *,
        where: Where | None,
        all: bool,  # noqa: A002 - what it says
    ) -> int:
        """Do what :meth:`.view.View.delete` says."""
        checked, condition = check_deletion(ids, where, all, limits=LIMITS_OF_VIEWS)
        chosen = condition or Comparison(ID_PATH, "$in", tuple(checked or ()))
        doomed = And((*self._scope.conditions, self._scope.within(chosen)))
        deleted = self._ask(lambda: self._whole.store.delete(where=doomed))
        self._whole.after_commit()
        self._searcher.prepare()
        return deleted

    def purge(self, progress: ProgressLike) -> PurgeReceipt:
        """Do what :meth:`.view.View.purge` says."""
        self._require_whole()
        self.forget()
        with self._whole.store.pinned():
            return self._whole.purge(And(self._scope.conditions), progress).of_a_view()

    def _ask(self, ask: Callable[[], _T]) -> _T:
        """Ask one folder; see ``Store.whole``."""
        return self._whole.store.whole(ask)

    def _asked(
        self,
        k: int,
        where: Where | None,
        mode: Mode | None,
        query_adapter: QueryAdapterLike | None,
    ) -> Asked:
        condition = None if where is None else self._where(where)
        chosen = self._whole.mode if mode is None else check_mode(mode)
        return Asked(check_k(k), condition, chosen, _adapter(query_adapter))

    def _where(self, where: Where) -> Filter:
        return self._scope.within(parse_where(where, LIMITS_OF_VIEWS))

    def _require_whole(self) -> None:
        """Refuse to write what might not be seen, or to replace what is not.

        Raises:
            ReadOnlyError: the view shows a part of what the tenant has.
        """
        self._whole.store.require_writable()
        if not self._scope.is_whole:
            raise ReadOnlyError(
                "a view with a filter or fields of its own adds and purges nothing, as that might "
                "touch what it does not show. Use a view of the tenant that has neither."
            )

    def _plain(self, passages: Iterator[Passage]) -> Iterator[Passage]:
        with self._scope.plain_errors():
            yield from passages
