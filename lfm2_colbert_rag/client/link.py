"""What carries a client's calls: connections of one process, opened when they are needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
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


class Link:
    """Carries calls to a server, from any number of threads.

    Args:
        address: where it is.
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
        self._http: httpx.Client | None = None
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Leave the parent's connections to it."""
        self._lock = threading.Lock()
        if self._http is not None:
            abandon(self._http)
            self._http = None

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self.closed = True
            http, self._http = self._http, None
        if http is not None:
            http.close()

    def ask(self, call: Call[T], path: str) -> T:
        """Return what a server answers to a call.

        Args:
            call: the call.
            path: its whole path.

        Raises:
            LFM2ColBERTError: it failed.
        """
        tries, content = self.patience.begin(writes=call.writes), content_of(call)
        while True:
            try:
                response, found = self._once(call, path, content, tries)
                return answer_of(call, response, found, self.address.url)
            except AttemptError as failed:
                pause = tries.pause(failed)
            time.sleep(pause)

    def chunks(self, call: Call[T], path: str, tries: Tries) -> Iterator[bytes]:
        """Yield a list as it comes; it may be of any length.

        Raises:
            AttemptError: it failed.
        """
        place = self.address.url
        with translated(place), self._send(call, path, call.content(), tries) as response:
            if response.status_code != 200:
                content = self._read(response, tries)
                raise failures.of_answer(
                    response.status_code, response.headers, content, place, call.subject
                )
            check_type(response, LINES, place)
            yield from response.iter_raw()

    def _once(
        self, call: Call[T], path: str, content: bytes | None, tries: Tries
    ) -> tuple[httpx.Response, bytes]:
        with (
            translated(self.address.url),
            self._send(call, path, content, tries) as response,
        ):
            return response, self._read(response, tries)

    def _send(
        self, call: Call[T], path: str, content: bytes | None, tries: Tries
    ) -> AbstractContextManager[httpx.Response]:
        return self._client().stream(
            call.method, self.address.url + path, **request_options(content, tries)
        )

    def _read(self, response: httpx.Response, tries: Tries) -> bytes:
        reading = Reading(response, tries, self.address.url)
        for chunk in response.iter_raw():
            reading.add(chunk)
        return bytes(reading.content)

    def _client(self) -> httpx.Client:
        with self._lock:
            if self.closed:
                raise closed_error()
            if self._http is None:
                self._http = self._connected()
            return self._http

    def _connected(self) -> httpx.Client:
        import httpx

        verify, socket, transport = self.address.context(), self.address.unix_socket, None
        if socket is not None:
            # What httpx opens for a file that is not there, it does not close.
            if not socket.exists():
                raise failures.no_socket(self.address.url, socket)
            transport = httpx.HTTPTransport(verify=verify, uds=str(socket))
        return httpx.Client(verify=verify, transport=transport, **client_options(self.address))
