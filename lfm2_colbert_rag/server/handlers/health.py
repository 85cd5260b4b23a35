"""Whether the server is well, and what it has counted."""

from __future__ import annotations

from ..answers import StatusAnswer
from ..metrics import MEDIA
from ..problems import Problem
from ..request import Answer, Request, encode

_OK = encode(StatusAnswer("ok"))


async def live(request: Request) -> Answer:
    """Say that the event loop runs; nothing else is looked at."""
    return Answer(_OK)


async def ready(request: Request) -> Answer:
    """Say whether a search would be accepted."""
    state = request.services.state
    if state.is_draining:
        raise Problem("draining")
    if not state.is_warm:
        raise Problem("starting")
    if not state.is_well:
        raise Problem("overloaded")
    return Answer(_OK)


async def document(request: Request) -> Answer:
    """Show what can be asked, as OpenAPI."""
    return Answer(request.services.document)


async def metrics(request: Request) -> Answer:
    """Show what was counted, for Prometheus."""
    services = request.services
    gauges = services.metrics.gauges
    gauges["search_queue_length"].set(services.searching.waiting)
    gauges["search_running"].set(services.searching.running)
    gauges["ingest_queue_length"].set(services.writing.waiting)
    gauges["ready"].set(services.state.is_ready)
    gauges["indexes"].set(len(services.names()))
    if services.audit is not None:
        gauges["audit_write_errors"].set(services.audit.failures)
    return Answer(services.metrics.text(), media=MEDIA)
