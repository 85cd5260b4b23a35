"""HTTP/1.1 as uvicorn speaks it with h11, and what it would forgive: slow heads, folded lines."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .problems import Problem
from .request import encode

PATIENCE = 10.0
"""Seconds from a connection, or the first byte of another request, to the end of its head."""

_FOLDED = (b"\r\n ", b"\r\n\t", b"\n ", b"\n\t")
_END = b"\r\n\r\n"


class StrictProtocol(H11Protocol):
    """Hangs up on clients that take too long for a head, or write it in ways that mislead proxies.

    What it cannot read is answered with a problem, as everything else is.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._patience: asyncio.TimerHandle | None = None
        self._head = b""

    def connection_made(self, transport: Any) -> None:
        """Wait for the head of a request, so long and no longer."""
        super().connection_made(transport)
        if len(self.connections) > self.config.backlog:
            self._hang_up(Problem("overloaded"))
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Look at the head before h11 makes one line of what was folded."""
        if self.conn.their_state is h11.IDLE:
            if self._patience is None:
                self._wait_for_head()
            self._head = (self._head + data)[: self.conn._max_incomplete_event_size]
            head = self._head.partition(_END)[0]
            if any(fold in head for fold in _FOLDED):
                self._hang_up(Problem("malformed", "A line of the head is folded."))
                return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head = b""
            self._stop_waiting()

    def send_400_response(self, msg: str) -> None:
        """Say that a request cannot be read, where nothing has been answered yet."""
        self._hang_up(Problem("malformed"))

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(PATIENCE, self._late)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _late(self) -> None:
        if self._head:
            self._hang_up(Problem("timeout"))
        else:
            self.transport.close()

    def _hang_up(self, problem: Problem) -> None:
        if self.transport.is_closing():
            return
        body = encode(problem.body("none"))
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE, h11.ERROR):
            more = "".join(f"{name}: {value}\r\n" for name, value in problem.headers().items())
            head = (
                f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
                "content-type: application/problem+json\r\n"
                f"content-length: {len(body)}\r\n{more}"
                "connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
