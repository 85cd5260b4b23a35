"""What is known of a request when it is over: counted, and written down without what was asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import LFM2ColBERTError
from .audit.records import AuditRecord
from .request import Facts

if TYPE_CHECKING:
    from .access.callers import Caller
    from .route import Route
    from .services import Services

logger = logging.getLogger(__name__)

GONE = 499
"""The status that is counted where whoever asked has left, as nginx does."""

_REFUSED = (401, 403, 429)


@dataclass(eq=False)
class Call:
    """One request on its way.

    Attributes:
        id: its id.
        remote: the address that it came from.
        method: as it was sent.
        began: when, on a clock that never goes back.
        route: what it asks for; None until that is known.
        status: of its answer; 0 until it is sent.
        sent: bytes of its answer.
        caller: who asks.
        params: what the path names.
        facts: for the audit log.
        is_noted: whether it was written down.
    """

    id: str
    remote: str
    method: str
    began: float = field(default_factory=time.monotonic)
    route: Route | None = None
    status: int = 0
    sent: int = 0
    caller: Caller | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    is_noted: bool = False

    def close(self, services: Services) -> None:
        """Count it."""
        route, metrics = self.route, services.metrics
        name, method = ("none", "other") if route is None else (route.name, self.method)
        metrics.requests.labels(name, method, str(self.status or GONE)).inc()
        metrics.seconds.labels(name).observe(time.monotonic() - self.began)

    async def note(self, services: Services) -> None:
        """Write it down where that is asked for, once: before whoever asked knows it is done."""
        route, metrics = self.route, services.metrics
        if self.is_noted or services.audit is None or route is None or route.scope is None:
            return
        self.is_noted = True
        refused = self.status in _REFUSED
        if not (route.writes or refused or services.settings.audited == "all"):
            return
        audit, record, failed = services.audit, self._record(route), metrics.gauges["audit_failed"]
        try:
            if route.writes and not refused:
                await asyncio.to_thread(audit.append, record, durable=True)
            else:
                audit.append(record, durable=False)
        except LFM2ColBERTError as error:
            logger.error("the audit log cannot be written: %s", error)
        failed.set(audit.is_failing)

    @property
    def _index(self) -> str | None:
        return self.params.get("index", self.facts.index)

    def _record(self, route: Route) -> AuditRecord:
        caller, facts = self.caller, self.facts
        return AuditRecord(
            ts=time.time(),
            request_id=self.id,
            key_id=None if caller is None else caller.key_id,
            sub=None if caller is None else caller.subject,
            tenant=None if caller is None else caller.tenant,
            remote=self.remote,
            action=route.name,
            # A name that is none may be anything.
            index=None if facts.reason == "index-not-found" else self._index,
            ids_count=facts.ids,
            k=facts.k,
            filter_fields=facts.filtered,
            hits=facts.hits,
            status=self.status or GONE,
            bytes=self.sent,
            ms=round((time.monotonic() - self.began) * 1000, 3),
            reason=facts.reason or None,
        )
