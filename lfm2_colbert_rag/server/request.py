"""One request, from its head to its answer, as handlers see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from .part import Part
from .problems import Problem, decoding_problem
from .reading import Headers, Receive
from .writing.errands import Errand

if TYPE_CHECKING:
    from ..retriever.view import View
    from .access.callers import Caller
    from .services import Services

JSON = "application/json"
NDJSON = "application/x-ndjson"

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Answer:
    """What is sent.

    Attributes:
        body: all of it; or a stream of parts.
        status: the status code; None for that of the route.
        media: the media type.
    """

    body: bytes | AsyncIterator[bytes] = b""
    status: int | None = None
    media: str = JSON


@dataclass(eq=False)
class Facts:
    """What is known of a request, for the audit log: never what was asked.

    Attributes:
        ids: how many ids it named.
        k: how many hits were asked for.
        filtered: names of fields of its filter.
        hits: how many came.
        index: which index.
        reason: why it was refused.
    """

    ids: int | None = None
    k: int | None = None
    filtered: tuple[str, ...] = ()
    hits: int | None = None
    index: str | None = None
    reason: str = ""


@dataclass(eq=False)
class Request:
    """One request.

    Attributes:
        id: its own id.
        services: what handlers work with.
        caller: who asks; None on routes without a key.
        path: what was asked for, with names in braces.
        params: what the path names.
        headers: all of them.
        receive: gives the body, where it has not been read.
        facts: for the audit log.
        body: the body, decoded where the route says of what kind it is.
        raw: the body as it came.
    """

    id: str
    services: Services
    caller: Caller | None
    path: str
    params: dict[str, str]
    headers: Headers
    receive: Receive
    facts: Facts
    body: Any = None
    raw: bytes = b""

    @property
    def known_caller(self) -> Caller:
        """Who asks, on a route that needs a key."""
        if self.caller is None:
            raise Problem("unauthorized")
        return self.caller

    @property
    def index(self) -> str:
        """The index that the path names.

        Raises:
            Problem: there is none, or not for the caller: one answer for both.
        """
        return self.index_named(self.params["index"])

    def index_named(self, name: str) -> str:
        """Return an index's name, where the caller may know of it; errors as of :attr:`index`."""
        if not self.has(name):
            raise Problem("index-not-found", "There is no such index.")
        self.facts.index = name
        return name

    def has(self, name: str) -> bool:
        """Tell whether there is an index of a name that the caller may know of."""
        return self.known_caller.sees(name) and self.services.has(name)

    def some_index(self, named: str | None = None) -> str:
        """Return the index that a client of another API means.

        Args:
            named: where it may name one, such as a model; what names none is not looked at.

        Returns:
            The one that is named, or the first of those that the caller sees.

        Raises:
            Problem: he sees none.
        """
        if named is not None and self.has(named):
            return self.index_named(named)
        sees = self.known_caller.sees
        for name in self.services.names():
            if sees(name):
                return self.index_named(name)
        raise Problem("index-not-found", "The key sees no index, whose model this takes; make one.")

    @property
    def part(self) -> Part:
        """What the caller may see of an index.

        Raises:
            Problem: passages belong to tenants, and the caller is none.
        """
        caller, settings = self.known_caller, self.services.settings
        if settings.isolation == "view" and caller.tenant is None:
            raise Problem("tenant-required")
        fields = None if caller.fields is None else sorted(caller.fields)
        where = caller.filter
        return Part(
            caller.tenant,
            settings.tenant_field,
            None if where is None else dict(where),
            fields,
        )

    @property
    def party(self) -> str:
        """With whom the caller shares his place in queues."""
        caller = self.known_caller
        return f"{caller.key_id}/{caller.tenant or ''}"

    async def ask(
        self, work: Callable[[View], _T], *, index: str | None = None, watched: bool = True
    ) -> _T:
        """Ask the caller's view of an index, in a thread, once it is his turn.

        Args:
            work: what to do.
            index: which index, as one of the methods above returned it; None for that of the path.
            watched: whether to notice here that whoever asked has left.

        Raises:
            Problem: there is no room, or the server is not ready.
            ClientGone: whoever asked has left.
        """
        services, name, part = self.services, self.index if index is None else index, self.part
        if not services.state.is_warm:
            raise Problem("starting")
        began = time.monotonic()
        async with services.searching.turn(self.party, self.receive if watched else None):
            admitted = time.monotonic()
            services.metrics.stages.labels("queue").observe(admitted - began)

            def do() -> _T:
                with services.lend(name, part) as view:
                    return work(view)

            found = await asyncio.get_running_loop().run_in_executor(services.pool, do)
            services.metrics.stages.labels("rank").observe(time.monotonic() - admitted)
            return found

    async def write(self, errand: Errand) -> dict[str, Any]:
        """Have the writing process do an errand, once it is the caller's turn.

        Raises:
            Problem: it failed, or there is no room.
        """
        async with self.services.writing.turn(self.party):
            return await self.services.write(errand)

    def decoded(self, decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
        """Return a body as what its route takes.

        Raises:
            Problem: it is something else; values are not told.
        """
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise decoding_problem(error) from None


def encode(answer: Any) -> bytes:
    """Return an answer as JSON."""
    return msgspec.json.encode(answer)
