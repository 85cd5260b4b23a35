"""One tenant's part of an index, for those who may see no more of it.

A :class:`View` holds functions that do what it offers, and nothing that they were made of: there is
no way from it to the index. :mod:`.views` makes them; what they do is in :mod:`.viewing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from .._support.progress import ProgressLike
from ..errors import InputError
from ..types import AddedIds, Hit, Metadata, Mode, Passage, ViewStats, Where

if TYPE_CHECKING:
    from .maintenance.purging import PurgeReceipt
    from .search.adapting import QueryAdapterLike
    from .search.explanation import Explanation
    from .search.plan import SearchPlan


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Deeds:
    """What a view does: functions, each named as the method of :class:`View` that calls it."""

    search: Callable[..., list[Hit]]
    search_many: Callable[..., list[list[Hit]]]
    rank_many: Callable[..., list[list[tuple[str, float]]]]
    rerank: Callable[..., list[Hit]]
    explain: Callable[..., Explanation]
    plan: Callable[..., SearchPlan]
    get: Callable[[Iterable[str]], list[Passage]]
    has: Callable[[object], bool]
    count: Callable[[Where | None], int]
    passages: Callable[..., Iterator[Passage]]
    stats: Callable[[], ViewStats]
    mode: Callable[[], Mode]
    add: Callable[..., AddedIds]
    add_stream: Callable[..., int]
    delete: Callable[..., int]
    purge: Callable[[ProgressLike], PurgeReceipt]


class View:
    """One tenant's part of an index; made by :meth:`Retriever.view`.

    To whoever asks it, it is an index that holds the tenant's passages only: others' ids are
    unknown to it, what it is told of scores, statistics and languages comes from its own passages,
    and what it adds is nobody else's. Its methods are those of :class:`Retriever`, and raise what
    they raise; there is no way from it to the index. It is safe to use from several threads.

    A filter may have 1,000 conditions, 10,000 values in its lists and 1,000,000 characters, and may
    ask for no field that the view does not show: that is a FilterError, too.

    Example:
        >>> from lfm2_colbert_rag import Retriever
        >>> index = Retriever.from_texts([], model="hash")
        >>> acme, beta = index.view(tenant="acme"), index.view(tenant="beta")
        >>> acme.add(["Hold the reset key."], ids=["page-1"])
        ['page-1']
        >>> "page-1" in acme, "page-1" in beta, beta.search("the key", mode="late")
        (True, False, [])
    """

    __slots__ = ("_deeds", "_tenant")

    def __init__(self, tenant: str | None, deeds: Deeds) -> None:
        """Join the parts; callers use :meth:`Retriever.view`."""
        self._tenant = tenant
        self._deeds = deeds

    @property
    def tenant(self) -> str | None:
        """Whose view it is; None where it is no tenant's."""
        return self._tenant

    @property
    def mode(self) -> Mode:
        """How it searches unless told otherwise; see :attr:`Retriever.mode`."""
        return self._deeds.mode()

    def __len__(self) -> int:
        """Return the number of passages."""
        return self._deeds.count(None)

    def __bool__(self) -> bool:
        """Return True: an empty view is a view."""
        return True

    def __contains__(self, id: object) -> bool:
        """Tell whether a passage has an id."""
        return self._deeds.has(id)

    def __repr__(self) -> str:
        """Say whose view it is, and nothing of the index."""
        return "<View>" if self._tenant is None else f"<View of {self._tenant!r}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to travel: another process opens the index, and makes a view of its own.

        Raises:
            InputError: always.
        """
        raise InputError(
            "a view cannot be given to another process. Open the index there, and make the view "
            "of that: Retriever.open(...).view(...)."
        )

    def __copy__(self) -> View:
        """Return the view itself."""
        return self

    def __deepcopy__(self, memo: object) -> View:
        """Return the view itself."""
        return self

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

        No query adapter is read from a file: that is a ConfigError.
        """
        return self._deeds.search(
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
        """Answer several queries in one pass; see :meth:`Retriever.search_many`."""
        return self._deeds.search_many(
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
        return self._deeds.rank_many(
            queries, k, where=where, mode=mode, query_adapter=query_adapter
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
        """Order somebody else's texts; see :meth:`Retriever.rerank`.

        Chance is what the query scores on the view's own passages, which alone lend their vectors;
        those of other texts are kept for the same tenant.
        """
        return self._deeds.rerank(
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
        """Show which words of a passage answered a query; see :meth:`Retriever.explain`.

        Raises:
            PassageNotFoundError: no passage of the view has this id.
        """
        return self._deeds.explain(query, id, query_adapter=query_adapter)

    def plan(
        self,
        query: str,
        *,
        k: int = 10,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: QueryAdapterLike | None = None,
    ) -> SearchPlan:
        """Show how a search is answered; see :meth:`Retriever.plan`.

        Figures of what is looked at in a compressed index are left out where they depend on what
        others have.
        """
        return self._deeds.plan(query, k=k, where=where, mode=mode, query_adapter=query_adapter)

    def get(self, ids: Iterable[str]) -> list[Passage]:
        """Return the passages that have these ids; see :meth:`Retriever.get`."""
        return self._deeds.get(ids)

    def count(self, where: Where | None = None) -> int:
        """Count the passages, or those that match a filter."""
        return self._deeds.count(where)

    def passages(
        self, where: Where | None = None, *, limit: int | None = None, after: str | None = None
    ) -> Iterator[Passage]:
        """Yield the passages in the order in which they were added.

        See :meth:`Retriever.passages`.
        """
        return self._deeds.passages(where, limit=limit, after=after)

    def stats(self) -> ViewStats:
        """Count what the view shows."""
        return self._deeds.stats()

    def add(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str | None] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> AddedIds:
        """Add passages of the tenant, or replace them, in one commit; see :meth:`Retriever.add`.

        Raises:
            InputError: see there; or metadata set the field that says whose a passage is, to
                something else. Nothing was changed.
            ReadOnlyError: the index may only be read, or the view shows a part of what the tenant
                has.
        """
        return self._deeds.add(texts, ids=ids, metadata=metadata, strict=strict, progress=progress)

    def add_stream(
        self,
        passages: Iterable[Passage | Mapping[str, Any]],
        *,
        batch: int | None = None,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> int:
        """Add passages from an iterator, in several commits; see :meth:`Retriever.add_stream`.

        Raises:
            InputError, ReadOnlyError: see :meth:`add`.
        """
        return self._deeds.add_stream(passages, batch=batch, strict=strict, progress=progress)

    def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: Where | None = None,
        all: bool = False,  # noqa: A002 - what it says
    ) -> int:
        """Delete passages that the view shows, in one commit; see :meth:`Retriever.delete`.

        Args:
            ids: ids to delete; those of others are unknown, and ignored.
            where: delete what matches.
            all: delete all that the view shows.
        """
        return self._deeds.delete(ids, where=where, all=all)

    def purge(self, *, progress: ProgressLike = None) -> PurgeReceipt:
        """Remove every byte of what the tenant deleted or replaced; see :meth:`Retriever.purge`.

        All of the index is rearranged for it; what others deleted waits for its own time.

        Returns:
            A receipt, without what it would tell of the index.

        Raises:
            ReadOnlyError: the index may only be read, or the view shows a part of what the tenant
                has.
            IndexLockedError, IndexBusyError, IndexCorruptError: see :meth:`Retriever.purge`.
        """
        return self._deeds.purge(progress)
