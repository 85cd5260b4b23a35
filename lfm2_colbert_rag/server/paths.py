"""What a path answers: who asks is known before anything of a body is read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from ..errors import LFM2ColBERTError
from .access.gate import Refused
from .problems import Problem, problem_of
from .reading import ClientGone, Message, Receive, check_framing, check_media, read_body
from .request import Answer, Request
from .sending import Send, send_answer

if TYPE_CHECKING:
    from .access.callers import Caller
    from .calls import Call
    from .route import Route
    from .services import Services

logger = logging.getLogger(__name__)

_ENDLESS = 1 << 62


class PathApplication:
    """What a path answers, by method.

    Args:
        services: what handlers work with.
        routes: by method.
    """

    def __init__(self, services: Services, routes: Mapping[str, Route]) -> None:
        self._services = services
        self._routes = routes
        self._decoders = {
            route.name: msgspec.json.Decoder(route.body)
            for route in routes.values()
            if route.body is not None and not route.is_raw
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            Problem: what the client is told instead.
            ClientGone: whoever asked has left.
        """
        call: Call = scope["call"]
        route = self._routes.get(scope["method"])
        if route is None:
            raise Problem("method", allowed=tuple(sorted(self._routes)))
        call.route, call.params = route, scope["path_params"]
        call.caller = self._admit(route, scope["headers"], call)
        request = Request(
            *(call.id, self._services, call.caller, route.path, dict(call.params)),
            *(scope["headers"], receive, call.facts),
        )
        try:
            await self._read(route, request)
            answer = await route.handler(request)
            status = route.status if answer.status is None else answer.status
            await send_answer(send, Answer(answer.body, status, answer.media), route.headers)
        except (Problem, ClientGone):
            raise
        except LFM2ColBERTError as error:
            problem = problem_of(error)
            if problem.code == "internal":
                logger.exception("request %s failed", call.id)
            raise problem from error
        except Exception as error:  # of whatever kind: a client sees no more than that
            logger.exception("request %s failed", call.id)
            raise Problem("internal") from error

    def _admit(self, route: Route, headers: list[tuple[bytes, bytes]], call: Call) -> Caller | None:
        """Tell who asks.

        Raises:
            Problem: he may not.
        """
        services = self._services
        if route.scope is None or (route.scope == "metrics" and services.settings.metrics_open):
            return None
        try:
            caller = services.gate.caller(headers, call.remote)
        except Refused as refused:
            call.facts.reason = refused.reason
            services.metrics.failures.labels(refused.reason).inc()
            raise Problem(refused.code, retry_after=refused.retry_after) from None
        call.caller = caller
        if route.scope != "any" and not caller.may(route.scope):
            raise Problem("forbidden", f"The key is not for {route.scope}.")
        rate = services.settings.capacity.key_rate if caller.rate is None else caller.rate
        services.rates.take(caller.key_id, rate)
        if route.writes and services.audit is not None:
            services.audit.require()
        return caller

    async def _read(self, route: Route, request: Request) -> None:
        """Read the body, where the route has one.

        Raises:
            Problem: it is too large, of another kind, or not what the route takes.
        """
        most = 0 if route.body is None else route.most
        check_framing(request.headers, _ENDLESS if most is None else most)
        if route.body is None:
            return
        check_media(request.headers, route.media, may_be_missing=route.api is not None)
        if most is None:
            return
        request.raw = await read_body(request.receive, most)
        decoder = self._decoders.get(route.name)
        if decoder is not None:
            request.body = request.decoded(decoder, request.raw)
