"""What a route is: all that the router, the OpenAPI document, the docs and the tests know of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .problems import Told, plainly_told
from .request import JSON, Answer, Request
from .settings import Api

Scope: TypeAlias = Literal["search", "rerank", "read", "write", "admin", "metrics", "audit", "any"]
Handler: TypeAlias = Callable[[Request], Awaitable[Answer]]

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Route:
    """Something that can be asked of the server.

    Attributes:
        method: the HTTP method.
        path: with names in braces.
        name: its name in OpenAPI and in the audit log.
        scope: what a key must be for, ``"any"`` if it does not matter; None where no key is needed.
        handler: answers it.
        said: one line on it.
        body: what its body holds; None where it has none.
        answer: what the body of its answer holds; None where it has none.
        status: of an answer that is no problem.
        media: of the body.
        answered: media types of the answer.
        most: bytes of the body; None for a stream without end.
        writes: whether it changes anything.
        problems: codes of problems of its own.
        is_raw: whether the handler takes the body as it came, as the process that writes reads it.
        api: what it belongs to; None for what is always there.
        is_described: whether OpenAPI tells of it; what a protocol of its own describes is not.
        told: puts problems as its clients know them.
        headers: of its answers, in the place of what all answers have.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    name: str
    scope: Scope | None
    handler: Handler
    said: str
    body: type[Any] | None = None
    answer: type[Any] | None = None
    status: int = 200
    media: str = JSON
    answered: tuple[str, ...] = (JSON,)
    most: int | None = 2 * MEBIBYTE
    writes: bool = False
    problems: tuple[str, ...] = ()
    is_raw: bool = False
    api: Api | None = None
    is_described: bool = True
    told: Told = plainly_told
    headers: tuple[tuple[bytes, bytes], ...] = ()
