"""An index on a server, asked by coroutines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .._support.paths import PathLike
from .._support.progress import ProgressLike, reporting
from .._support.validation import (
    check_deletion,
    check_ids,
    check_passages,
    check_queries,
    check_stream,
)
from ..errors import LFM2ColBERTError
from ..filters import settled
from ..types import AddedIds, Hit, Metadata, Mode, Passage, ViewStats, Where
from . import calls
from .address import Address, VerifyLike
from .async_link import AsyncLink
from .calls import Call
from .failures import AttemptError
from .home import Home, made_again
from .listing import Listing
from .patience import Patience
from .streaming import BATCH, Block, Stream, batches

if TYPE_CHECKING:
    from ..retriever.search.explanation import Explanation
    from ..retriever.search.plan import SearchPlan

logger = logging.getLogger(__name__)

T = TypeVar("T")
Given: TypeAlias = Passage | Mapping[str, Any]


class AsyncClient:
    """An index on a server, with the methods of :class:`Client` as coroutines.

    It takes the same arguments, gives the same answers and raises the same errors. What
    :class:`Client` has as properties and operators are coroutines here: ``await client.index()``,
    ``model()``, ``mode()``, ``count()`` and ``contains(id)``. It may be used from several event
    loops, each of which has connections of its own.

    Example:
        >>> from lfm2_colbert_rag import AsyncClient
        >>> async def ask(question):
        ...     async with AsyncClient("https://search.example.org", "lcb_...") as client:
        ...         return await client.search(question, k=3)
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        index: str | None = None,
        timeout: float = 30.0,
        write_timeout: float = 600.0,
        retries: int = 2,
        verify: VerifyLike = None,
        unix_socket: PathLike | None = None,
        insecure: bool = False,
    ) -> None:
        address = Address.of(url, api_key, verify, unix_socket, insecure)
        patience = Patience.of(timeout, write_timeout, retries)
        self._home = Home(address, patience, index)
        self._link = AsyncLink(address, patience)

    async def index(self) -> str:
        """Return the name of the index."""
        if self._home.index is None:
            names = await self._link.ask(calls.indexes(), calls.indexes().path)
            return self._home.choose(names)
        return self._home.index

    async def model(self) -> str:
        """Return the name of the index's model; asked for once."""
        if self._home.model is None:
            self._home.model = await self._ask(calls.named("model"))
        return self._home.model

    async def mode(self) -> str:
        """Return how the server searches unless told otherwise."""
        return await self._ask(calls.named("mode"))

    async def contains(self, id: str) -> bool:
        """Tell whether a passage has an id."""
        return bool(await self.count({"$id": check_ids([id])[0]}))

    def __repr__(self) -> str:
        """Say which index of which server it is; never the key."""
        return f"<AsyncClient {self._home.told(closed=self._link.closed)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process ask the same server; see :class:`Client`.

        Raises:
            InputError: the key was given, rather than found in the environment.
        """
        return made_again, (AsyncClient, self._home.address.url, self._home.options())

    def __copy__(self) -> AsyncClient:
        """Return the client itself."""
        return self

    def __deepcopy__(self, memo: object) -> AsyncClient:
        """Return the client itself."""
        return self

    async def __aenter__(self) -> AsyncClient:
        """Use the client in an ``async with`` block, which closes it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Close the connections of this event loop. Twice does no harm."""
        await self._link.close()

    async def search(
        self,
        query: str,
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        diversity: float | None = None,
        fetch_k: int | None = None,
        query_adapter: str | None = None,
        evidence: bool = True,
    ) -> list[Hit]:
        """Find the passages that answer a query best; see :meth:`Client.search`.

        Args:
            query: see there, as for all that follow.
            k: how many passages at most.
            where: metadata filter.
            mode: what is compared.
            diversity: choose passages that do not repeat one another.
            fetch_k: among so many.
            query_adapter: ``"auto"`` or ``"none"``.
            evidence: have the evidence come with the hits: ``hit.evidence`` cannot wait for the
                server here. With False it raises a ConfigError.
        """
        members = calls.asking(k, where, mode, query_adapter, **calls.diverse(diversity, fetch_k))
        return await self._ask(calls.search(query, members, evidence=evidence, again=None))

    async def search_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: str | None = None,
        evidence: bool = True,
    ) -> list[list[Hit]]:
        """Answer several queries, 32 in a request; see :meth:`search`."""
        texts = check_queries(queries, filtered=where is not None)
        members = calls.asking(k, where, mode, query_adapter)
        found: list[list[Hit]] = []
        for part in batches(texts, calls.MOST_QUERIES):
            call = calls.search_many(part, members, evidence=evidence, again=lambda query: None)
            found += await self._ask(call)
        return found

    async def rank_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: str | None = None,
    ) -> list[list[tuple[str, float]]]:
        """Answer queries by ids and scores alone; see :meth:`Client.rank_many`."""
        texts = check_queries(queries, filtered=where is not None)
        members = calls.asking(k, where, mode, query_adapter)
        found: list[list[tuple[str, float]]] = []
        for part in batches(texts, calls.MOST_QUERIES):
            found += await self._ask(calls.rank_many(part, members))
        return found

    async def rerank(
        self,
        query: str,
        candidates: Iterable[str | Passage],
        k: int | None = None,
        *,
        strict: bool = False,
        query_adapter: str | None = None,
        max_tokens: int | None = None,
        evidence: bool = True,
    ) -> list[Hit]:
        """Order somebody else's texts; see :meth:`Client.rerank` and :meth:`search`."""
        passages, members = calls.check_reranking(candidates, k, strict, query_adapter, max_tokens)
        return await self._ask(
            calls.rerank(query, passages, members, evidence=evidence, again=None)
        )

    async def explain(
        self, query: str, id: str, *, query_adapter: str | None = None
    ) -> Explanation:
        """Show which words of a passage answered a query; see :meth:`Client.explain`."""
        return await self._ask(calls.explain(query, id, query_adapter))

    async def plan(
        self,
        query: str,
        *,
        k: int = 10,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: str | None = None,
    ) -> SearchPlan:
        """Show how a search is answered; see :meth:`Client.plan`."""
        return await self._ask(calls.plan(query, calls.asking(k, where, mode, query_adapter)))

    async def get(self, ids: Iterable[str]) -> list[Passage]:
        """Return the passages that have these ids; see :meth:`Client.get`."""
        parts = batches(check_ids(ids), calls.MOST_PASSAGES)
        return [one for part in parts for one in await self._ask(calls.get(part))]

    async def count(self, where: Where | None = None) -> int:
        """Count the passages, or those that match a filter."""
        return await self._ask(calls.count(where))

    def passages(
        self, where: Where | None = None, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[Passage]:
        """Yield the passages as they come (``async for``); see :meth:`Client.passages`."""
        return self._listed(Listing(where, limit, after, self._home.address.url))

    async def _listed(self, listing: Listing) -> AsyncIterator[Passage]:
        tries = self._home.patience.begin(writes=False)
        while not listing.ended:
            call = listing.call()
            try:
                path = await self._path(call)
                async with aclosing(self._link.chunks(call, path, tries)) as chunks:
                    async for chunk in chunks:
                        for passage in listing.feed(chunk):
                            yield passage
                        tries.renew(self._home.patience.timeout)
                listing.check_end()
            except AttemptError as failed:
                pause = listing.pause(tries, failed)
                await asyncio.sleep(pause)

    async def stats(self) -> ViewStats:
        """Count what the index, or the caller's part of it, holds."""
        return await self._ask(calls.stats())

    async def add(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str | None] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        strict: bool = False,
    ) -> AddedIds:
        """Add passages, or replace those with the same id; see :meth:`Client.add`."""
        checked = check_passages(texts, ids, metadata, strict=strict)
        call = calls.put(checked.passages, strict=strict)
        checked.intake.report(logger)
        if checked.passages:
            await self._ask(call)
        return checked.added

    async def add_stream(
        self,
        passages: Iterable[Passage | Mapping[str, Any]]
        | AsyncIterable[Passage | Mapping[str, Any]],
        *,
        batch: int = BATCH,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> int:
        """Add passages from an iterator, an asynchronous one too; see :meth:`Client.add_stream`."""
        stream = Stream(batch, strict=strict)
        items = passages if isinstance(passages, AsyncIterable) else _each(check_stream(passages))
        with reporting(progress, None, "adding") as report:
            try:
                async for item in items:
                    for block in stream.take(item):
                        report(await self._commit(stream, block))
                for block in stream.rest():
                    report(await self._commit(stream, block))
            except LFM2ColBERTError as error:
                stream.tell(error)
                raise
            finally:
                stream.intake.report(logger)
        return stream.added

    async def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: Where | None = None,
        all: bool = False,  # noqa: A002 - what it says
    ) -> int:
        """Delete passages by id or by filter, in one commit; see :meth:`Client.delete`."""
        wanted = settled(where)
        checked, _ = check_deletion(ids, wanted, all)
        return await self._ask(calls.delete(checked, None if all else wanted))

    async def _commit(self, stream: Stream, block: Block) -> int:
        if block.passages:
            await self._ask(stream.call(block))
        stream.done(block)
        return block.read

    async def _ask(self, call: Call[T]) -> T:
        return await self._link.ask(call, await self._path(call))

    async def _path(self, call: Call[Any]) -> str:
        return f"/v1/indexes/{await self.index()}{call.path}"


async def _each(items: Iterable[object]) -> AsyncIterator[object]:
    for item in items:
        yield item
