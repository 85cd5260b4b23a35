"""A server's parts, put together and kept going."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from ..errors import LFM2ColBERTError
from ..index.jit.readiness import waiting_for_kernels
from .access.gate import Gate
from .access.keys import KeyFile
from .admission import Admission
from .audit.log import AuditLog
from .dialects.mcp import McpEndpoint
from .jobs import Jobs
from .metrics import Metrics
from .openapi import document
from .part import Part
from .rates import Rates
from .routes import spoken
from .services import Services, State
from .settings import Settings
from .tls import expiry
from .writing.place import Place
from .writing.process import WritingProcess

if TYPE_CHECKING:
    from .indexes import Shelf

logger = logging.getLogger(__name__)

_PROBED_INDEXES = 4  # looked at each time, those used last
_PROBED = 10.0  # seconds from one look at its own health to the next
_WRITING_SECONDS = 3600.0  # that a block may wait for those before it


@asynccontextmanager
async def running(
    settings: Settings, shelf: Shelf, keys: KeyFile, audit: AuditLog | None, version: str
) -> AsyncIterator[Services]:
    """Give what handlers work with, as long as the block lasts.

    Args:
        settings: how the server is run.
        shelf: its indexes.
        keys: who may ask.
        audit: what is written down.
        version: of the library.
    """
    capacity = settings.capacity
    if not settings.folder.exists():
        settings.folder.mkdir(mode=0o700, parents=True)
    writer = WritingProcess(
        Place(
            str(settings.folder.resolve()),
            settings.model,
            None if settings.backups is None else str(settings.backups.resolve()),
            capacity.indexes,
        )
    )
    pool = ThreadPoolExecutor(capacity.searches, thread_name_prefix="search")
    metrics = Metrics()
    tools = McpEndpoint(settings)
    services = Services(
        settings,
        Gate(keys, isolation=settings.isolation, failures=capacity.failures),
        keys,
        Rates(time.monotonic),
        Admission(capacity.searches, capacity.queue, capacity.seconds),
        Admission(2, capacity.writes, _WRITING_SECONDS),
        pool,
        shelf.names,
        shelf.has,
        shelf.lend,
        shelf.model,
        shelf.close,
        writer.do,
        Jobs(writer.do),
        metrics,
        tools.answer,
        audit,
        State(),
        msgspec.json.encode(document(version, spoken(settings))),
    )
    _describe(metrics, settings, version)
    writer.on_restart = metrics.restarts.inc
    watch = asyncio.create_task(_watch(services, shelf, writer))
    try:
        if not settings.read_only:
            await writer.start()
        yield services
    finally:
        services.state.is_draining = True
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await tools.close()
        await writer.stop()
        pool.shutdown()
        shelf.close()


async def _watch(services: Services, shelf: Shelf, writer: WritingProcess) -> None:
    """Answer a first question of each index, and then one now and then, to know that it can."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(services.pool, _warm, services, shelf)
    services.state.is_warm = True
    while True:
        await asyncio.sleep(_PROBED)
        try:
            async with asyncio.timeout(_PROBED):
                await loop.run_in_executor(services.pool, _probe, services, shelf)
            services.state.is_well = True
        except (TimeoutError, OSError, MemoryError) as error:
            if services.state.is_well:
                logger.error("the server cannot search: %s", error or type(error).__name__)
            services.state.is_well = False


def _warm(services: Services, shelf: Shelf) -> None:
    for name in shelf.names()[: services.settings.capacity.indexes]:
        try:
            part = Part(None, services.settings.tenant_field)
            with waiting_for_kernels(), shelf.lend(name, part) as view:
                for mode in ("late", view.mode):
                    view.search("Are you ready?", k=1, mode=mode)
        except (LFM2ColBERTError, OSError, MemoryError) as error:  # it may be mended meanwhile
            logger.error("the index %s cannot be searched: %s", name, error)


def _probe(services: Services, shelf: Shelf) -> None:
    """Ask the indexes that are open, and count what they hold; one that is broken is but one."""
    for name in shelf.opened()[:_PROBED_INDEXES]:
        try:
            with shelf.lend_index(name) as retriever:
                retriever.rank_many(["Are you well?"], 1, mode="late")
                # Where every index is a tenant's, its name is none for a label.
                if services.settings.isolation == "view" or shelf.is_one:
                    services.metrics.count_index(name, retriever.stats())
        except LFM2ColBERTError as error:
            logger.warning("the index %s cannot be searched: %s", name, error)


def _describe(metrics: Metrics, settings: Settings, version: str) -> None:
    metrics.build.info({"version": version})
    if settings.tls is not None:
        metrics.gauges["tls_certificate_expiry_seconds"].set(expiry(settings.tls))
