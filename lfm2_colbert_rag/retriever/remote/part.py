"""What a part of an index in an engine can do: all of it, or what a tenant sees."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ..._support.intake import Intake
from ..._support.progress import ProgressLike
from ..._support.validation import (
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
from ...cluster.points import SEPARATOR
from ...errors import ConfigError, ReadOnlyError
from ...filters import EVERYTHING, LIMITS, LIMITS_OF_VIEWS, Filter, parse_where
from ...types import AddedIds, Hit, Metadata, Mode, Passage, TokenMatrix, ViewStats, Where
from ..ingest.passage_encoder import TEXTS
from ..ingest.streams import add_in_batches
from ..search.adapting import QueryAdapterLike, check_adapter
from ..search.asked import Asked, check_mode
from ..search.diversity import check_diversity
from .fields import FilterIndexes
from .reading import RemoteReader
from .searching import RemoteSearcher
from .writing import RemoteIngestor

if TYPE_CHECKING:
    from ..._support.slots import Checked
    from ...storage.scope import Scope
    from ..search.explanation import Explanation
    from ..search.plan import SearchPlan
    from .home import RemoteHome

logger = logging.getLogger(__name__)


class RemotePart:
    """Does what a retriever over an engine, and views of it, offer; see ``Retriever``.

    Args:
        home: the index.
        scope: what of it is seen.
        mode: how to search unless told otherwise; None: as the index can.
        query_adapter: see ``Retriever.open``.
        is_view: whether it is for somebody who may do no more than views can.

    Attributes:
        reader: reads it.
        searcher: searches it.
        ingestor: writes it.
    """

    def __init__(
        self,
        home: RemoteHome,
        scope: Scope,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
        *,
        is_view: bool = False,
    ) -> None:
        self._home, self._scope, self._mode = home, scope, mode
        self._is_view = is_view
        self._limits = LIMITS_OF_VIEWS if self._is_view else LIMITS
        self.reader = RemoteReader(home, scope)
        party = f"{home.name}{SEPARATOR}{scope.tenant}" if self._is_view else None
        self.searcher = RemoteSearcher(home, self.reader, query_adapter, party=party)
        self.ingestor = RemoteIngestor(home)
        self._fields = FilterIndexes(home)

    def forget(self) -> None:
        """Look again when something is asked next."""
        self.searcher.knowledge.forget()

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
        """See ``Retriever.search``."""
        text = check_query(query, filtered=where is not None)
        asked = self.asked(k, where, mode, query_adapter)
        if diversity is None:
            return self.searcher.search_many([text], asked)[0]
        weight = check_diversity(diversity)
        among = 4 * asked.k if fetch_k is None else check_k(fetch_k)
        return self.searcher.search_diverse(text, asked, weight=weight, fetch_k=among)

    def search_many(
        self,
        queries: Sequence[str],
        k: int,
        *,
        where: Where | None,
        mode: Mode | None,
        query_adapter: QueryAdapterLike | None,
    ) -> list[list[Hit]]:
        """See ``Retriever.search_many``."""
        texts = check_queries(queries, filtered=where is not None)
        return self.searcher.search_many(texts, self.asked(k, where, mode, query_adapter))

    def rank_many(
        self,
        queries: Sequence[str],
        k: int,
        *,
        where: Where | None,
        mode: Mode | None,
        query_adapter: QueryAdapterLike | None,
    ) -> list[list[tuple[str, float]]]:
        """See ``Retriever.rank_many``."""
        texts = check_queries(queries, filtered=where is not None)
        return self.searcher.rank_many(texts, self.asked(k, where, mode, query_adapter))

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
        """See ``Retriever.rerank``."""
        passages, intake = check_candidates(candidates, strict=strict)
        limit = len(passages) if k is None else check_k(k)
        text, adapter = check_query(query), self._adapter(query_adapter)
        most = None if max_tokens is None else check_count(max_tokens, "max_tokens")
        intake.report(logger)
        return self.searcher.rerank(text, passages, limit, adapter, most)

    def explain(
        self, query: str, id: str, *, query_adapter: QueryAdapterLike | None
    ) -> Explanation:
        """See ``Retriever.explain``."""
        text, (wanted,) = check_query(query), check_ids([id])
        return self.searcher.explain(text, wanted, self._adapter(query_adapter))

    def plan(
        self,
        query: str,
        *,
        k: int,
        where: Where | None,
        mode: Mode | None,
        query_adapter: QueryAdapterLike | None,
    ) -> SearchPlan:
        """See ``Retriever.plan``."""
        text = check_query(query, filtered=where is not None)
        return self.searcher.plan(text, self.asked(k, where, mode, query_adapter))

    def get(self, ids: Iterable[str]) -> list[Passage]:
        """See ``Retriever.get``."""
        return self.reader.get(check_ids(ids))

    def has(self, id: object) -> bool:
        """See ``Retriever.__contains__``."""
        if not isinstance(id, str) or not id:
            return False
        (wanted,) = check_ids([id])
        return self.reader.has(wanted)

    def count(self, where: Where | None) -> int:
        """See ``Retriever.count``."""
        return self.reader.count(self._where(where))

    def passages(
        self, where: Where | None, *, limit: int | None, after: str | None
    ) -> Iterator[Passage]:
        """See ``Retriever.passages``."""
        condition = self._where(where)
        most = None if limit is None else check_k(limit, "limit")
        last = None if after is None else check_ids([after])[0]
        return self._plain(self.reader.passages(condition, most, last))

    def vectors(self, ids: Iterable[str]) -> list[list[TokenMatrix]]:
        """See ``Retriever.vectors``."""
        windows = self.reader.windows(check_ids(ids))
        return [[window.encoded.vectors for window in mine] for mine in windows]

    def stats(self) -> ViewStats:
        """See :class:`~lfm2_colbert_rag.View`; the number of vectors is estimated."""
        self.forget()
        known = self.searcher.knowledge.now()
        dim = self._home.settings.index.dim
        return ViewStats(known.passages, known.windows, known.vectors, dim, dict(known.languages))

    def mode(self) -> Mode:
        """See ``Retriever.mode``."""
        return self.searcher.mode(Asked(1, mode=self._mode))

    def add(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str | None] | None,
        metadata: Iterable[Metadata | None] | None,
        strict: bool,
        progress: ProgressLike,
    ) -> AddedIds:
        """See ``Retriever.add``."""
        self._require_whole()
        checked = check_passages(texts, ids, metadata, strict=strict)
        stored = [self._scope.stored(one) for one in checked.passages]
        checked.intake.report(logger)
        self.ingestor.add(stored, progress)
        return checked.added

    def add_checked(
        self,
        checked: Checked,
        vectors: Iterable[Any],
        token_ids: Iterable[Any] | None,
        progress: ProgressLike,
    ) -> AddedIds:
        """Add passages with their vectors; see ``Retriever.add_vectors``."""
        checked.intake.report(logger)
        self.ingestor.add_vectors(checked.slots, vectors, token_ids, progress)
        return checked.added

    def add_stream(
        self,
        passages: Iterable[Passage | Mapping[str, Any]],
        *,
        batch: int | None,
        strict: bool,
        progress: ProgressLike,
    ) -> int:
        """See ``Retriever.add_stream``."""
        self._require_whole()
        stream = check_stream(passages)
        size = TEXTS if batch is None else check_count(batch, "batch")
        return add_in_batches(
            self.ingestor.add,
            stream,
            Intake(strict=strict),
            self._scope.stored,
            batch=size,
            progress=progress,
        )

    def delete(
        self,
        ids: Iterable[str] | None,
        *,
        where: Where | None,
        all: bool,  # noqa: A002 - what it says
    ) -> int:
        """See ``Retriever.delete``."""
        checked, condition = check_deletion(ids, where, all, limits=self._limits)
        stored = None if checked is None else [self._scope.stored_id(id) for id in checked]
        chosen = None if condition is None else self._scope.within(condition)
        selection = self.reader.selection(chosen)
        return self.ingestor.delete(stored, selection.where, selection.owner)

    def purge(self, progress: ProgressLike) -> NoReturn:
        """Refuse to: what an engine has deleted it removes by itself.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{self._home.name} lies in an engine, which removes by itself what was deleted, when "
            "its optimizer comes to it; it gives no receipt. Delete the passages, and see the "
            "engine's documentation on vacuuming."
        )

    def create_filter_index(self, field: str) -> None:
        """See ``Retriever.create_filter_index``."""
        self._fields.create(field)

    def filter_indexes(self) -> list[str]:
        """See ``Retriever.filter_indexes``."""
        return self._fields.names()

    def asked(
        self,
        k: int,
        where: Where | None,
        mode: Mode | None,
        query_adapter: QueryAdapterLike | None,
    ) -> Asked:
        """Check how something is asked for."""
        chosen = self._mode if mode is None else check_mode(mode)
        return Asked(check_k(k), self._where(where), chosen, self._adapter(query_adapter))

    def _where(self, where: Where | None) -> Filter | None:
        if where is None:
            return None
        condition = parse_where(where, self._limits)
        self._fields.warn(condition)
        return None if condition == EVERYTHING else self._scope.within(condition)

    def _adapter(self, chosen: QueryAdapterLike | None) -> QueryAdapterLike | None:
        adapter = check_adapter(chosen)
        if self._is_view and isinstance(adapter, os.PathLike):
            raise ConfigError(
                'query_adapter of a view must be "auto", "none" or a QueryAdapter, not a file.'
            )
        return adapter

    def _require_whole(self) -> None:
        """Refuse to write what might not be seen, or to replace what is not."""
        self._home.require_writable()
        if not self._scope.is_whole:
            raise ReadOnlyError(
                "a view with a filter or fields of its own adds and purges nothing, as that might "
                "touch what it does not show. Use a view of the tenant that has neither."
            )

    def _plain(self, passages: Iterator[Passage]) -> Iterator[Passage]:
        with self._scope.plain_errors():
            yield from passages
