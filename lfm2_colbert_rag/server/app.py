"""The application: what is true of all requests, around the paths of the table of routes."""

from __future__ import annotations

import logging
from functools import partial
from typing import TypeAlias

from starlette.routing import Route as StarletteRoute
from starlette.routing import Router

from ..errors import LFM2ColBERTError
from .calls import Call
from .heads import check_head, cors_headers, remote_of, request_id
from .paths import PathApplication
from .problems import Problem, plainly_told, problem_of
from .reading import Body, ClientGone, Message, Receive
from .request import Answer
from .route import Route
from .routes import spoken
from .sending import COMMON, Send, send_answer, send_problem
from .services import Services

Header: TypeAlias = tuple[bytes, bytes]

logger = logging.getLogger(__name__)

# Bytes, and seconds, that are read of a body that is not wanted.
_OURS, _STRANGERS = (16 << 20, 5.0), (1 << 20, 1.0)


class Application:
    """An ASGI application.

    Args:
        services: what its handlers work with.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        paths: dict[str, dict[str, Route]] = {}
        for route in spoken(services.settings):
            paths.setdefault(route.path, {})[route.method] = route
        self._router = Router(
            [
                StarletteRoute(path, PathApplication(services, routes))
                for path, routes in paths.items()
            ],
            redirect_slashes=False,
            default=_no_route,
        )

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not spoken here")
        settings = self._services.settings
        call = Call(request_id(scope), remote_of(scope, settings), scope["method"])
        scope["call"], body = call, Body(receive, scope["headers"])
        own = [(b"x-request-id", call.id.encode()), *COMMON, *cors_headers(scope, settings)]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                message = {**message, "headers": _joined(message["headers"], own)}
            call.sent += len(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await call.note(self._services)
            await send(message)

        try:
            await self._answer(scope, body, answer)
        except LFM2ColBERTError as error:
            await self._refuse(call, body, problem_of(error), answer)
        except Problem as problem:
            await self._refuse(call, body, problem, answer)
        except ClientGone:
            pass  # nobody is there to be told
        finally:
            await call.note(self._services)
            call.close(self._services)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        check_head(scope, self._services.settings)
        if scope["method"] == "OPTIONS":
            await send_answer(send, Answer(status=204))
        else:
            await self._router(scope, receive, send)

    async def _refuse(self, call: Call, body: Body, problem: Problem, send: Send) -> None:
        self._services.metrics.refused.labels(problem.code).inc()
        call.facts.reason = call.facts.reason or problem.code
        if call.status:  # the answer has begun, and can only break off
            raise ConnectionAbortedError("the answer broke off")
        telling = (plainly_told if call.route is None else call.route.told)(problem, call.id)
        before_closing = None if body.is_whole else partial(self._skip, call, body)
        await send_problem(send, problem, telling, before_closing)

    async def _skip(self, call: Call, body: Body) -> None:
        """Let a client send on for a while: hung up on while he sends, he would not hear why."""
        most, seconds = _OURS if call.caller is not None else _STRANGERS
        await body.skip(most, seconds)


def _joined(own: list[Header], common: list[Header]) -> list[Header]:
    """Return the headers of an answer, with those of all answers that it does not have."""
    names = {name for name, _ in own}
    return [*own, *(one for one in common if one[0] not in names)]


async def _no_route(scope: Message, receive: Receive, send: Send) -> None:
    raise Problem("no-route")
