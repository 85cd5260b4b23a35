"""Bodies of requests, read within limits of size and of time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from .problems import Problem

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

LONGEST_LINE = 1 << 20  # bytes of a line of a stream
PATIENCE = 10.0  # seconds without a byte
SLOWEST = 1024  # bytes a second, once the patience is over


class ClientGone(Exception):  # noqa: N818 - no error: it is just over
    """Whoever asked is no longer there; nothing is to be answered."""


class Body:
    """The body of a request, and whether all of it has come.

    Args:
        receive: of the request.
        headers: of the request.
    """

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        names = dict(headers)
        self.is_whole = (
            b"transfer-encoding" not in names and names.get(b"content-length", b"0") == b"0"
        )
        # Such a client sends nothing until it is told to, and by then it knows.
        self._waits = b"expect" in names

    async def __call__(self) -> Message:
        """Return what comes next, as ``receive`` does."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            self.is_whole = True
        return message

    async def skip(self, most: int, seconds: float) -> None:
        """Read what is left.

        Args:
            most: bytes that are read.
            seconds: for how long.
        """
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while not (self.is_whole or self._waits) and size < most:
                    message = await self()
                    if message["type"] == "http.disconnect":
                        break
                    size += len(message.get("body", b""))
        except TimeoutError:
            pass


def check_framing(headers: Headers, most: int) -> None:
    """Refuse requests whose end proxies might see elsewhere, and bodies that are too large.

    Raises:
        Problem: what the client is told.
    """
    lengths: set[bytes] = set()
    chunked = False
    for name, value in headers:
        if name == b"content-length":
            lengths.add(value)
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise Problem("media-type", "The body must not be compressed.")
    if chunked and lengths:
        raise Problem("malformed", "Content-Length and Transfer-Encoding are both there.")
    if lengths and int(next(iter(lengths))) > most:
        raise Problem("too-large", f"The body has more than {most:,} bytes.")


def check_media(headers: Headers, media: str, *, may_be_missing: bool = False) -> None:
    """Refuse a body of another media type than the route takes.

    Args:
        headers: of the request.
        media: what it takes.
        may_be_missing: whether a client may say nothing of it, as some libraries do.

    Raises:
        Problem: it is another.
    """
    given = [value for name, value in headers if name == b"content-type"]
    if may_be_missing and not given:
        return
    kind = given[0].split(b";")[0].strip().lower() if len(given) == 1 else b""
    if kind != media.encode():
        raise Problem("media-type", f"The body must be of the media type {media}.")


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Yield a body as it comes.

    Raises:
        ClientGone: before it was whole.
        Problem: it came too slowly.
    """
    waited, read = 0.0, 0  # what is done with the parts meanwhile is no delay of the client's
    while True:
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                message = await receive()
        except TimeoutError:
            raise Problem("timeout") from None
        waited += time.monotonic() - began
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        read += len(part)
        if read < (waited - PATIENCE) * SLOWEST:
            raise Problem("timeout")
        if part:
            yield part
        if not message.get("more_body"):
            return


async def read_body(receive: Receive, most: int) -> bytes:
    """Return a whole body.

    Raises:
        ClientGone: before it was whole.
        Problem: it came too slowly, or has more than so many bytes.
    """
    parts, size = [], 0
    async for part in chunks(receive):
        size += len(part)
        if size > most:
            raise Problem("too-large", f"The body has more than {most:,} bytes.")
        parts.append(part)
    return b"".join(parts)


async def blocks_of_lines(
    receive: Receive, lines: int, most: int
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Yield the lines of a body, many at a time, and the number of the first of them, from 1.

    Nothing more is read than what makes a block, so that whoever sends waits.

    Args:
        receive: of the request.
        lines: of a block at most.
        most: bytes of a block, about.

    Raises:
        ClientGone: before it was whole; what was yielded is whole.
        Problem: it came too slowly, or a line has more than :data:`LONGEST_LINE` bytes.
    """
    first, held, size, rest = 1, list[bytes](), 0, b""
    async for part in chunks(receive):
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            _check_line(line, first + len(held))
            held.append(line)
            size += len(line)
            if len(held) >= lines or size >= most:
                yield first, held
                first, held, size = first + len(held), [], 0
        _check_line(rest, first + len(held))
    if rest.strip():
        held.append(rest)
    if held:
        yield first, held


def _check_line(line: bytes, number: int) -> None:
    if len(line) > LONGEST_LINE:
        said = f"has more than {LONGEST_LINE:,} bytes"
        raise Problem("too-large", errors=((f"line {number}", said),))


async def until_gone(receive: Receive) -> None:
    """Wait until whoever asked is no longer there."""
    while (await receive())["type"] != "http.disconnect":
        pass
