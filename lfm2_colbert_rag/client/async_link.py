"""What carries the calls of an asynchronous client: connections of one event loop each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVar

from .._support.extras import require
from .._support.forking import abandon, renew_in_child
from . import failures
from .address import Address
from .calls import Call
from .exchange import (
    LINES,
    Reading,
    answer_of,
    check_type,
    client_options,
    closed_error,
    content_of,
    request_options,
    translated,
)
from .failures import AttemptError
from .patience import Patience, Tries

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class AsyncLink:
    """Does what :class:`~.link.Link` does, for coroutines of any number of event loops.

    Args:
        address: where the server is.
        patience: how long to wait for it.

    Raises:
        MissingExtraError: httpx is not installed.
    """

    def __init__(self, address: Address, patience: Patience) -> None:
        require("httpx", extra="client")
        self.address = address
        self.patience = patience
        self.closed = False
        self._lock = threading.Lock()
        self._http: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Leave the parent's connections to it."""
        self._lock = threading.Lock()
        abandon(*self._http.values())
        self._http = {}

    async def close(self) -> None:
        """Close the connections of this event loop; those of others go with their loops."""
        with self._lock:
            self.closed = True
            http = self._http.pop(asyncio.get_running_loop(), None)
        if http is not None:
            await http.aclose()

    async def ask(self, call: Call[T], path: str) -> T:
        """Return what a server answers to a call; see :meth:`.link.Link.ask`."""
        tries, content = self.patience.begin(writes=call.writes), content_of(call)
        while True:
            try:
                response, found = await self._once(call, path, content, tries)
                return answer_of(call, response, found, self.address.url)
            except AttemptError as failed:
                pause = tries.pause(failed)
            await asyncio.sleep(pause)

    async def chunks(self, call: Call[T], path: str, tries: Tries) -> AsyncGenerator[bytes, None]:
        """Yield a list as it comes; see :meth:`.link.Link.chunks`."""
        place = self.address.url
        with translated(place):
            async with self._send(call, path, call.content(), tries) as response:
                if response.status_code != 200:
                    content = await self._read(response, tries)
                    raise failures.of_answer(
                        response.status_code, response.headers, content, place, call.subject
                    )
                check_type(response, LINES, place)
                async for chunk in response.aiter_raw():
                    yield chunk

    async def _once(
        self, call: Call[T], path: str, content: bytes | None, tries: Tries
    ) -> tuple[httpx.Response, bytes]:
        with translated(self.address.url):
            async with self._send(call, path, content, tries) as response:
                return response, await self._read(response, tries)

    def _send(
        self, call: Call[T], path: str, content: bytes | None, tries: Tries
    ) -> AbstractAsyncContextManager[httpx.Response]:
        return self._client().stream(
            call.method, self.address.url + path, **request_options(content, tries)
        )

    async def _read(self, response: httpx.Response, tries: Tries) -> bytes:
        reading = Reading(response, tries, self.address.url)
        async for chunk in response.aiter_raw():
            reading.add(chunk)
        return bytes(reading.content)

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self.closed:
                raise closed_error()
            if loop not in self._http:
                # Nothing of a loop that is over can be closed any more; it is let go of.
                self._http = {one: http for one, http in self._http.items() if not one.is_closed()}
                self._http[loop] = self._connected()
            return self._http[loop]

    def _connected(self) -> httpx.AsyncClient:
        import httpx

        verify, socket, transport = self.address.context(), self.address.unix_socket, None
        if socket is not None:
            transport = httpx.AsyncHTTPTransport(verify=verify, uds=str(socket))
        return httpx.AsyncClient(verify=verify, transport=transport, **client_options(self.address))
