"""An index on a server, asked as one here is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

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
from .calls import Call
from .failures import AttemptError
from .hits import Again
from .home import Home, made_again
from .link import Link
from .listing import Listing
from .patience import Patience
from .streaming import BATCH, Stream, batches

if TYPE_CHECKING:
    from ..retriever.search.explanation import Explanation
    from ..retriever.search.plan import SearchPlan

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Client:
    """An index on a server (``lfm2-colbert serve``), with the methods of :class:`Retriever`.

    What is asked wrongly is refused here, with the errors of :class:`Retriever`, before anything
    is sent; what the server refuses comes as the same errors. It is safe to use from several
    threads, and in forked processes, which make connections of their own. It follows no redirect,
    so that the key goes nowhere else.

    What only reads is asked again where the server is busy or the connection broke; what changes
    the index only where the server has not begun with it.

    Args:
        url: the server's address, such as ``"https://search.example.org"``. ``http://`` is for
            this machine only, unless ``insecure`` says otherwise.
        api_key: a key (``lcb_…``) or a token. None: what the environment has as
            ``LFM2_COLBERT_API_KEY``; such a client can be pickled, and looks there again.
        index: the name of the index; it may be left out where the key sees one only.
        timeout: seconds that a question may take, pauses and further attempts included.
        write_timeout: the same of what changes the index, which is encoded first.
        retries: how often something is asked again at most.
        verify: a file of certificates (PEM) that the server's must be signed with, or an
            ``ssl.SSLContext``, which may also have a certificate of the client's own. None: what
            the system trusts.
        unix_socket: a socket's file on which the server listens; ``url`` then is a name only, such
            as ``"http://localhost"``.
        insecure: let the key go over a network unencrypted.

    Raises:
        ConfigError: an option is invalid.
        MissingExtraError: the ``client`` extra is not installed.

    All methods raise these besides what they name themselves: KeyRefusedError (the key is unknown
    or does not allow this), IndexNotFoundError, ServerUnavailableError (not reached, busy, or too
    slow), ServerAnswerError (what answers is no such server), ServerError, and RetrieverClosedError
    after :meth:`close`.

    Example:
        >>> from lfm2_colbert_rag import Client
        >>> client = Client("https://search.example.org", "lcb_...", index="support")
        >>> client
        <Client https://search.example.org, index 'support'>
        >>> client.search("When does the library open?", k=3)  # doctest: +SKIP
        [Hit(id='library', ...)]
    """

    most_passages: ClassVar[int] = calls.MOST_PASSAGES
    """How many passages :meth:`add` takes, and so does :meth:`rerank`."""

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
        self._link = Link(address, patience)

    @property
    def index(self) -> str:
        """The name of the index."""
        if self._home.index is None:
            self._home.choose(self._link.ask(calls.indexes(), calls.indexes().path))
        assert self._home.index is not None
        return self._home.index

    @property
    def model(self) -> str:
        """The name of the index's model; asked for once."""
        if self._home.model is None:
            self._home.model = self._ask(calls.named("model"))
        return self._home.model

    @property
    def mode(self) -> str:
        """How the server searches unless told otherwise."""
        return self._ask(calls.named("mode"))

    def __len__(self) -> int:
        """Return the number of passages."""
        return self.count()

    def __bool__(self) -> bool:
        """Return True: an empty index is an index."""
        return True

    def __contains__(self, id: object) -> bool:
        """Tell whether a passage has an id."""
        if not isinstance(id, str) or not id:
            return False
        return bool(self.count({"$id": check_ids([id])[0]}))

    def __repr__(self) -> str:
        """Say which index of which server it is; never the key."""
        return f"<Client {self._home.told(closed=self._link.closed)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process ask the same server; the key does not travel.

        Raises:
            InputError: the key was given, rather than found in the environment.
        """
        return made_again, (Client, self._home.address.url, self._home.options())

    def __copy__(self) -> Client:
        """Return the client itself."""
        return self

    def __deepcopy__(self, memo: object) -> Client:
        """Return the client itself."""
        return self

    def __enter__(self) -> Client:
        """Use the client in a ``with`` block, which closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close all connections. Twice does no harm."""
        self._link.close()

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        diversity: float | None = None,
        fetch_k: int | None = None,
        query_adapter: str | None = None,
        evidence: bool = False,
    ) -> list[Hit]:
        """Find the passages that answer a query best.

        Args:
            query: see :meth:`Retriever.search`, as for all that follow.
            k: how many passages at most.
            where: metadata filter.
            mode: what is compared.
            diversity: choose passages that do not repeat one another.
            fetch_k: among so many.
            query_adapter: ``"auto"`` or ``"none"``.
            evidence: have the evidence come with the hits. Otherwise ``hit.evidence`` asks the
                server for that of all hits of the answer when the first is looked at.

        Returns:
            Hits, best first.

        Raises:
            InputError, FilterError, ConfigError: see :meth:`Retriever.search`.
        """
        members = calls.asking(k, where, mode, query_adapter, **calls.diverse(diversity, fetch_k))
        again = None if evidence else self._again(query, members)
        return self._ask(calls.search(query, members, evidence=evidence, again=again))

    def search_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: str | None = None,
        evidence: bool = False,
    ) -> list[list[Hit]]:
        """Answer several queries, 32 in a request; see :meth:`search`."""
        texts = check_queries(queries, filtered=where is not None)
        members = calls.asking(k, where, mode, query_adapter)
        again = partial(self._again, members=members) if not evidence else lambda query: None
        found: list[list[Hit]] = []
        for part in batches(texts, calls.MOST_QUERIES):
            found += self._ask(calls.search_many(part, members, evidence=evidence, again=again))
        return found

    def rank_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: str | None = None,
    ) -> list[list[tuple[str, float]]]:
        """Answer queries by ids and scores alone; see :meth:`Retriever.rank_many`."""
        texts = check_queries(queries, filtered=where is not None)
        members = calls.asking(k, where, mode, query_adapter)
        found: list[list[tuple[str, float]]] = []
        for part in batches(texts, calls.MOST_QUERIES):
            found += self._ask(calls.rank_many(part, members))
        return found

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
        query_adapter: str | None = None,
        max_tokens: int | None = None,
        evidence: bool = False,
    ) -> list[Hit]:
        """Order somebody else's texts, 1,000 at most; see :meth:`Retriever.rerank`.

        Args:
            query: the question.
            candidates: texts, or passages.
            k: how many to keep.
            strict: refuse blank texts.
            query_adapter: see :meth:`search`.
            max_tokens: see :meth:`Retriever.rerank`; a server has a bound of its own.
            evidence: see :meth:`search`; the texts are encoded again for it later.
        """
        passages, members = calls.check_reranking(candidates, k, strict, query_adapter, max_tokens)

        def again(hits: Sequence[Hit]) -> list[Hit]:
            texts = [Passage(hit.id, hit.text) for hit in hits]
            return self._ask(calls.rerank(query, texts, members, evidence=True, again=None))

        later = None if evidence else again
        return self._ask(calls.rerank(query, passages, members, evidence=evidence, again=later))

    def explain(self, query: str, id: str, *, query_adapter: str | None = None) -> Explanation:
        """Show which words of a passage answered a query; see :meth:`Retriever.explain`.

        Its ``heat``, the cosines of all tokens, is left out.

        Raises:
            PassageNotFoundError: no passage has this id.
        """
        return self._ask(calls.explain(query, id, query_adapter))

    def plan(
        self,
        query: str,
        *,
        k: int = 10,
        where: Where | None = None,
        mode: Mode | None = None,
        query_adapter: str | None = None,
    ) -> SearchPlan:
        """Show how a search is answered; see :meth:`Retriever.plan`."""
        return self._ask(calls.plan(query, calls.asking(k, where, mode, query_adapter)))

    def get(self, ids: Iterable[str]) -> list[Passage]:
        """Return the passages that have these ids, in the order asked; others are left out."""
        parts = batches(check_ids(ids), calls.MOST_PASSAGES)
        return [one for part in parts for one in self._ask(calls.get(part))]

    def count(self, where: Where | None = None) -> int:
        """Count the passages, or those that match a filter."""
        return self._ask(calls.count(where))

    def passages(
        self, where: Where | None = None, *, limit: int | None = None, after: str | None = None
    ) -> Iterator[Passage]:
        """Yield the passages as they come, in the order in which they were added.

        Where the connection breaks in the midst of it, the list is asked for again from there on.

        Args:
            where: only what matches.
            limit: at most so many, evenly over all of them.
            after: only those that were added after the passage with this id.
        """
        return self._listed(Listing(where, limit, after, self._home.address.url))

    def _listed(self, listing: Listing) -> Iterator[Passage]:
        tries = self._home.patience.begin(writes=False)
        while not listing.ended:
            call = listing.call()
            try:
                for chunk in self._link.chunks(call, self._path(call), tries):
                    yield from listing.feed(chunk)
                    tries.renew(self._home.patience.timeout)
                listing.check_end()
            except AttemptError as failed:
                time.sleep(listing.pause(tries, failed))

    def stats(self) -> ViewStats:
        """Count what the index, or the caller's part of it, holds."""
        return self._ask(calls.stats())

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

        See :meth:`Retriever.add`. A server takes 1,000 passages and 32 MiB in one commit;
        :meth:`add_stream` takes any number.

        Raises:
            InputError: see there; or more than a server takes. Nothing was changed.
            ReadOnlyError, StorageFullError, IndexLockedError: nothing was changed.
            ServerUnavailableError: the connection broke; it may or may not have been done. To do it
                again does no harm.
        """
        checked = check_passages(texts, ids, metadata, strict=strict)
        call = calls.put(checked.passages, strict=strict)
        checked.intake.report(logger)
        if checked.passages:
            with reporting(progress, len(checked.passages), "adding") as report:
                self._ask(call)
                report(len(checked.passages))
        return checked.added

    async def aadd(self, texts: Iterable[str], **options: Any) -> AddedIds:
        """Do what :meth:`add` does without blocking the event loop."""
        return await asyncio.to_thread(self.add, texts, **options)

    def add_stream(
        self,
        passages: Iterable[Passage | Mapping[str, Any]],
        *,
        batch: int = BATCH,
        strict: bool = False,
        progress: ProgressLike = None,
    ) -> int:
        """Add passages from an iterator, in as many commits as it takes and in bounded memory.

        See :meth:`Retriever.add_stream`. Each batch is a request, and sent once the one before it
        is committed: so an error says how many were, and the same stream, given again, goes on
        there.

        Args:
            passages: passages, or mappings with ``text`` and, if you like, ``id`` and ``metadata``.
            batch: passages in a commit at most, 1,000 or less; fewer where they are long.
            strict: see :meth:`Retriever.add`.
            progress: see there; it counts passages, stored ones included.

        Returns:
            How many passages the stream had, without the blank ones, which are left out.
        """
        items, stream = check_stream(passages), Stream(batch, strict=strict)
        with reporting(progress, None, "adding") as report:
            try:
                for block in stream.blocks(items):
                    if block.passages:
                        self._ask(stream.call(block))
                    stream.done(block)
                    report(block.read)
            except LFM2ColBERTError as error:
                stream.tell(error)
                raise
            finally:
                stream.intake.report(logger)
        return stream.added

    def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: Where | None = None,
        all: bool = False,  # noqa: A002 - what it says
    ) -> int:
        """Delete passages by id or by filter, in one commit; see :meth:`Retriever.delete`."""
        wanted = settled(where)
        checked, _ = check_deletion(ids, wanted, all)
        return self._ask(calls.delete(checked, None if all else wanted))

    async def adelete(self, ids: Iterable[str] | None = None, **options: Any) -> int:
        """Do what :meth:`delete` does without blocking the event loop."""
        return await asyncio.to_thread(self.delete, ids, **options)

    def _again(self, query: str, members: Mapping[str, Any]) -> Again:
        return lambda hits: self._ask(calls.evidence_of(query, members, hits))

    def _ask(self, call: Call[T]) -> T:
        return self._link.ask(call, self._path(call))

    def _path(self, call: Call[Any]) -> str:
        return f"/v1/indexes/{self.index}{call.path}"
