"""A server put together, started, and stopped when its work is done."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any

import uvicorn

from ..errors import ConfigError, LFM2ColBERTError
from .access.gate import Gate
from .access.keys import KeyFile
from .admission import Admission
from .app import Application
from .indexes import Shelf
from .jobs import Jobs
from .metrics import Metrics
from .part import Part
from .protocol import StrictProtocol
from .rates import Rates
from .services import Services, State
from .settings import Settings, Tls
from .writing.place import Place
from .writing.process import WritingProcess

logger = logging.getLogger(__name__)

_LONGEST_HEAD = 16 << 10  # bytes
_FINISHING = 30  # seconds for requests that run when it stops
_PROBED = 10.0  # seconds from one look at its own health to the next
_SWITCH = 0.001  # seconds for which a thread may keep the others waiting
_WAITING_FOR_SEARCHES = 3600.0


def serve(settings: Settings, *, started: Callable[[str], None] = lambda url: None) -> None:
    """Serve until a signal says to stop.

    Args:
        settings: how.
        started: called with the address once it listens.

    Raises:
        ConfigError: it would be open to strangers, or there are no keys.
        OSError: the address cannot be listened on.
    """
    sys.setswitchinterval(_SWITCH)
    keys = KeyFile(settings.keys)
    if not keys.keys():
        raise ConfigError(
            f"{settings.keys} holds no key, so that nobody could ask. Run: "
            f"lfm2-colbert keys create --keys {settings.keys} --name first"
        )
    audit = None
    if settings.audit is not None and settings.audited != "off":
        from .audit import AuditLog

        audit = AuditLog(settings.audit, what=settings.audited)
    try:
        asyncio.run(_serve(settings, keys, audit, started))
    finally:
        if audit is not None:
            audit.close()


async def _serve(
    settings: Settings, keys: KeyFile, audit: Any | None, started: Callable[[str], None]
) -> None:
    async with running(settings, keys, audit) as services:
        config = uvicorn.Config(
            Application(services),
            host=settings.host,
            port=settings.port,
            uds=None if settings.socket is None else str(settings.socket),
            http=StrictProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            date_header=True,
            backlog=settings.capacity.connections,
            timeout_graceful_shutdown=_FINISHING,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
        )
        config.load()
        if settings.tls is not None:
            config.ssl = context(settings.tls)
        server = _Server(config, services, settings, started)
        await server.serve()
    if not server.started:
        raise ConfigError(f"{address(settings)} cannot be listened on; another program may be.")


class _Server(uvicorn.Server):
    """Says when it listens, and waits a moment before it stops, so that proxies can look elsewhere.

    uvicorn stops listening at once.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        services: Services,
        settings: Settings,
        started: Callable[[str], None],
    ) -> None:
        super().__init__(config)
        self._services = services
        self._settings = settings
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        with suppress(SystemExit):  # the address is taken; callers see that it has not started
            await super().startup(sockets)
        if not self.started:
            self.should_exit = True
            return
        port = self._settings.port
        if self._settings.socket is None:
            port = self.servers[0].sockets[0].getsockname()[1]
        if hasattr(signal, "SIGHUP"):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._renew)
        self._started(address(self._settings, port))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._services.state.is_draining or not self._settings.drain_seconds:
            self._services.state.is_draining = True
            super().handle_exit(sig, frame)
            return
        self._services.state.is_draining = True
        loop = asyncio.get_event_loop()
        loop.call_later(self._settings.drain_seconds, super().handle_exit, sig, frame)

    def _renew(self) -> None:
        """Read the certificate anew, which new connections will see."""
        tls = self._settings.tls
        if tls is None or self.config.ssl is None:
            return
        try:
            self.config.ssl.load_cert_chain(tls.certificate, tls.key)
        except (OSError, ssl.SSLError) as error:
            logger.error("the certificate was not renewed: %s", error)


@asynccontextmanager
async def running(settings: Settings, keys: KeyFile, audit: Any | None) -> AsyncIterator[Services]:
    """Give what handlers work with, as long as the block lasts.

    Args:
        settings: how the server is run.
        keys: who may ask.
        audit: what is written down.
    """
    capacity = settings.capacity
    if not settings.folder.exists():
        settings.folder.mkdir(mode=0o700, parents=True)
    shelf = Shelf(settings.folder, most=capacity.indexes, read_only=True)
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
    services = Services(
        settings,
        Gate(keys, isolation=settings.isolation),
        Rates(time.monotonic),
        Admission(capacity.searches, capacity.queue, capacity.seconds),
        Admission(2, capacity.writes, _WAITING_FOR_SEARCHES),
        pool,
        shelf.names,
        shelf.has,
        shelf.lend,
        shelf.model,
        shelf.close,
        writer.do,
        Jobs(writer.do),
        metrics,
        audit,
        State(),
    )
    _describe(metrics, settings)
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
        services.metrics.gauges["ingest_restarts"].set(writer.restarts)
        try:
            async with asyncio.timeout(_PROBED):
                await loop.run_in_executor(services.pool, _probe, services, shelf)
            services.state.is_well = True
        except (TimeoutError, LFM2ColBERTError, OSError, MemoryError) as error:
            if services.state.is_well:
                logger.error("the server cannot search: %s", error or type(error).__name__)
            services.state.is_well = False


def _warm(services: Services, shelf: Shelf) -> None:
    for name in shelf.names()[: services.settings.capacity.indexes]:
        try:
            with shelf.lend(name, Part(None, services.settings.tenant_field)) as view:
                for mode in ("late", view.mode):
                    view.search("Are you ready?", k=1, mode=mode)
        except (LFM2ColBERTError, OSError, MemoryError) as error:  # it may be mended meanwhile
            logger.error("the index %s cannot be searched: %s", name, error)


def _probe(services: Services, shelf: Shelf) -> None:
    names = shelf.names()[:1]
    for name in names:
        with shelf.lend(name, Part(None, services.settings.tenant_field)) as view:
            view.rank_many(["Are you well?"], 1, mode="late")


def context(tls: Tls) -> ssl.SSLContext:
    """Return what speaks TLS, 1.2 at least.

    Raises:
        ConfigError: the files do not hold what they should, or the certificate has expired.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca is not None:
            made.load_verify_locations(tls.client_ca)
            made.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{tls.certificate} and {tls.key} are no certificate and its key, or {tls.client_ca} "
            f"holds none ({error})."
        ) from None
    if expiry(tls) < time.time():
        raise ConfigError(f"the certificate {tls.certificate} has expired; renew it.")
    return made


def expiry(tls: Tls) -> float:
    """Return when the certificate expires, in seconds since 1970."""
    decode = getattr(ssl, "_ssl")._test_decode_cert  # noqa: B009 - typeshed does not know it
    return ssl.cert_time_to_seconds(decode(str(tls.certificate))["notAfter"])


def address(settings: Settings, port: int | None = None) -> str:
    """Return where it listens, as a URL."""
    if settings.socket is not None:
        return f"unix:{settings.socket}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "http" if settings.tls is None else "https"
    return f"{scheme}://{host}:{settings.port if port is None else port}"


def _describe(metrics: Metrics, settings: Settings) -> None:
    from .. import __version__

    metrics.build.info({"version": __version__})
    if settings.tls is not None:
        metrics.gauges["tls_certificate_expiry_seconds"].set(expiry(settings.tls))
