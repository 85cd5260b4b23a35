"""Answers and problems, as they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .problems import Problem, Telling
from .reading import ClientGone, Message
from .request import Answer

Send = Callable[[Message], Awaitable[None]]

COMMON = (
    (b"cache-control", b"no-store"),
    (b"vary", b"authorization, origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
"""Headers of all answers."""

_STALLED = 60.0  # seconds in which a client takes nothing of a stream


async def send_answer(
    send: Send, answer: Answer, more: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send an answer, a stream of parts as it comes.

    Args:
        send: of the request.
        answer: what is sent.
        more: further headers.
    """
    headers = list(more)
    if answer.status not in (202, 204):
        headers.append((b"content-type", answer.media.encode()))
    status = 200 if answer.status is None else answer.status
    start = {"type": "http.response.start", "status": status, "headers": headers}
    if isinstance(answer.body, bytes):
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})
        return
    # A client may wait with the body until it is told to go on (RFC 9110, 10.1.1), which it is when
    # the body is first asked for, and cannot be once an answer has begun.
    parts = aiter(answer.body)
    first = await anext(parts, b"")
    await send(start)
    await _send_part(send, first)
    async for part in parts:
        await _send_part(send, part)
    await send({"type": "http.response.body", "body": b""})


async def _send_part(send: Send, part: bytes) -> None:
    """Send a part of a stream, to a client that takes it.

    Raises:
        ClientGone: it takes nothing for too long.
    """
    try:
        async with asyncio.timeout(_STALLED):
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except TimeoutError:
        raise ClientGone from None


async def send_problem(
    send: Send,
    problem: Problem,
    telling: Telling,
    before_closing: Callable[[], Awaitable[None]] | None,
) -> None:
    """Send a problem.

    Args:
        send: of the request.
        problem: what is told.
        telling: how it is.
        before_closing: done between the last byte and hanging up, which is done as something of
            the body is still to come; None where the connection stays.
    """
    body = telling.body
    headers = [
        (b"content-type", telling.media.encode()),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in problem.headers().items()),
    ]
    if before_closing is not None:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": telling.status, "headers": headers})
    if before_closing is not None:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await before_closing()
        body = b""
    await send({"type": "http.response.body", "body": body})
