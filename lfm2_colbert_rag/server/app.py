"""The application: what is true of all requests, and what each route asks for before its handler."""

from __future__ import annotations

import ipaddress
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router

from ..errors import LFM2ColBERTError
from .access.callers import Caller
from .access.gate import Refused
from .audit import AuditRecord
from .problems import Problem, problem_of
from .reading import ClientGone, Message, Receive, check_framing, check_media, read_body
from .request import Answer, Facts, Request, encode
from .routes import ROUTES, Route
from .services import Services

logger = logging.getLogger(__name__)

Send = Callable[[Message], Awaitable[None]]

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_MOST_HEADERS = 64
_PROBLEM = b"application/problem+json"
_COMMON = (
    (b"cache-control", b"no-store"),
    (b"vary", b"authorization, origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(eq=False)
class _Call:
    """One request on its way.

    Attributes:
        id: its id.
        remote: the address that it came from.
        began: when.
        route: what it asks for; None until that is known.
        status: of its answer; 0 until it is sent.
        caller: who asks.
        facts: for the audit log.
        sent: bytes of the answer.
        params: what the path names.
    """

    id: str
    remote: str
    began: float
    route: Route | None = None
    status: int = 0
    caller: Caller | None = None
    facts: Facts = field(default_factory=Facts)
    sent: int = 0
    params: Mapping[str, str] = field(default_factory=dict)


class Application:
    """An ASGI application.

    Args:
        services: what its handlers work with.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        paths: dict[str, dict[str, Route]] = {}
        for route in ROUTES:
            paths.setdefault(route.path, {})[route.method] = route
        self._router = Router(
            [StarletteRoute(path, _Path(services, known)) for path, known in paths.items()],
            redirect_slashes=False,
            default=_no_route,
        )

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not spoken here")
        headers = scope["headers"]
        call = _Call(_request_id(headers), self._remote(scope), time.monotonic())
        scope["call"] = call

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                given = [(b"x-request-id", call.id.encode()), *_COMMON, *self._cors(headers)]
                message = {**message, "headers": [*message["headers"], *given]}
            else:
                call.sent += len(message.get("body", b""))
            await send(message)

        try:
            self._check_head(scope)
            if scope["method"] == "OPTIONS":
                await _send(answer, Answer(status=204))
            else:
                await self._router(scope, receive, answer)
        except Problem as problem:
            await self._refuse(scope, call, problem, answer)
        except ClientGone:
            pass  # nobody is there to be told
        finally:
            await self._count(scope, call)

    async def _refuse(
        self, scope: Message, call: _Call, problem: Problem, answer: Send
    ) -> None:
        self._services.metrics.refused.labels(problem.code).inc()
        call.facts.reason = call.facts.reason or problem.code
        if call.status:  # the answer has begun, and can only break off
            raise RuntimeError("the answer broke off")
        # What is left of a body is not waited for.
        await _send_problem(answer, problem, call.id, close=scope["method"] not in _SAFE)

    def _check_head(self, scope: Message) -> None:
        headers = scope["headers"]
        if len(headers) > _MOST_HEADERS:
            raise Problem("head-too-large")
        hosts = [value for name, value in headers if name == b"host"]
        if self._services.settings.socket is None or hosts:
            name = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
            if _without_port(name) not in self._services.settings.hosts:
                raise Problem("host")
        origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
        known = self._services.settings.origins
        if origins and scope["method"] != "GET" and any(one not in known for one in origins):
            raise Problem("forbidden", "Web pages of this origin may not ask.")

    def _cors(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        given = [value for name, value in headers if name == b"origin"]
        known = self._services.settings.origins
        if len(given) != 1 or given[0].decode("latin-1") not in known:
            return []
        return [
            (b"access-control-allow-origin", given[0]),
            (b"access-control-allow-headers", b"authorization, content-type, x-request-id"),
            (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
            (b"access-control-expose-headers", b"x-request-id, retry-after"),
        ]

    def _remote(self, scope: Message) -> str:
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._services.settings.trusts(peer):
            return peer or "local"
        said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        last = said[-1].decode("latin-1").split(",")[-1].strip() if said else ""
        try:
            return str(ipaddress.ip_address(last))
        except ValueError:
            return peer or "local"

    async def _count(self, scope: Message, call: _Call) -> None:
        route = "none" if call.route is None else call.route.name
        method = scope["method"] if call.route else "other"
        metrics = self._services.metrics
        metrics.requests.labels(route, method, str(call.status or 499)).inc()
        metrics.seconds.labels(route).observe(time.monotonic() - call.began)
        await self._write_down(call)

    async def _write_down(self, call: _Call) -> None:
        audit, route = self._services.audit, call.route
        if audit is None or route is None or route.scope is None:
            return
        refused = call.status in (401, 403, 429)
        settings = self._services.settings
        if not (route.writes or refused or settings.audited == "all"):
            return
        record = _record(call, route)
        try:
            if route.writes:
                await _in_thread(lambda: audit.append(record, durable=True))
            else:
                audit.append(record, durable=False)
            self._services.metrics.gauges["audit_failed"].set(0)
        except LFM2ColBERTError as error:
            self._services.metrics.gauges["audit_failed"].set(1)
            logger.error("the audit log cannot be written: %s", error)


class _Path:
    """What a path answers, by method.

    Args:
        services: what handlers work with.
        routes: by method.
    """

    def __init__(self, services: Services, routes: Mapping[str, Route]) -> None:
        self._services = services
        self._routes = routes
        self._decoders = {
            route: msgspec.json.Decoder(route.body)
            for route in routes.values()
            if route.body is not None and not route.is_raw
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        call: _Call = scope["call"]
        route = self._routes.get(scope["method"])
        if route is None:
            raise Problem("method")
        call.route, call.params = route, scope["path_params"]
        request = Request(
            call.id, self._services, None, scope["path_params"], scope["headers"], receive
        )
        request.facts = call.facts
        call.caller = request.caller = await self._admit(route, scope["headers"], call)
        try:
            await self._read(route, request, receive)
            answer = await route.handler(request)
            if answer.status == 200 and route.status != 200:
                answer = Answer(answer.body, route.status, answer.media)
            await _send(send, answer)
        except LFM2ColBERTError as error:
            if problem_of(error).code == "internal":
                logger.exception("request %s failed", call.id)
            raise problem_of(error) from error
        except (Problem, ClientGone):
            raise
        except Exception as error:  # of whatever kind: a client sees no more than that
            logger.exception("request %s failed", call.id)
            raise Problem("internal") from error

    async def _admit(
        self, route: Route, headers: list[tuple[bytes, bytes]], call: _Call
    ) -> Caller | None:
        """Tell who asks, before anything of the body is read.

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
        if not caller.may(route.scope):
            raise Problem("forbidden", f"The key is not for {route.scope}.")
        rate = services.settings.capacity.key_rate if caller.rate is None else caller.rate
        services.rates.take(caller.key_id, rate)
        if route.writes and services.audit is not None:
            services.audit.require()
        return caller

    async def _read(self, route: Route, request: Request, receive: Receive) -> None:
        """Read the body, where the route has one.

        Raises:
            Problem: it is too large, of another kind, or not what the route takes.
        """
        most = 0 if route.body is None else route.most
        check_framing(request.headers, (1 << 62) if most is None else most)
        if route.body is None:
            return
        check_media(request.headers, route.media)
        if most is None:
            return
        request.raw = await read_body(receive, most)
        request.facts.size = len(request.raw)
        decoder = self._decoders.get(route)
        if decoder is not None:
            request.body = request.decoded(decoder, request.raw)


async def _no_route(scope: Message, receive: Receive, send: Send) -> None:
    raise Problem("no-route")


async def _send(send: Send, answer: Answer) -> None:
    headers = [(b"content-type", answer.media.encode())] if answer.status != 204 else []
    if isinstance(answer.body, bytes):
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    async for part in answer.body:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _send_problem(send: Send, problem: Problem, id: str, *, close: bool) -> None:
    body = encode(problem.body(id))
    headers = [(b"content-type", _PROBLEM), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in problem.headers().items()]
    if close and problem.code not in ("invalid", "malformed"):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _in_thread(work: Callable[[], Any]) -> None:
    import asyncio

    await asyncio.to_thread(work)


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """Return the client's own id of a request where it is a plain one, else a new one."""
    given = [value.decode("latin-1") for name, value in headers if name == b"x-request-id"]
    if len(given) == 1 and _ID.fullmatch(given[0]):
        return given[0]
    return str(uuid.uuid4())


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _record(call: _Call, route: Route) -> AuditRecord:
    caller, facts = call.caller, call.facts
    return AuditRecord(
        ts=time.time(),
        request_id=call.id,
        key_id=None if caller is None else caller.key_id,
        sub=None if caller is None else caller.subject,
        tenant=None if caller is None else caller.tenant,
        remote=call.remote,
        action=route.name,
        index=call.params.get("index"),
        ids_count=facts.ids,
        k=facts.k,
        filter_fields=list(facts.filtered),
        hits=facts.hits,
        status=call.status,
        bytes=facts.size,
        ms=round((time.monotonic() - call.began) * 1000, 3),
        reason=facts.reason,
    )
