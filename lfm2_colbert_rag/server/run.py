"""A server put together, started, and stopped when its work is done."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn

from ..errors import ConfigError
from .access.keys import KeyFile
from .app import Application
from .assembly import running
from .audit.log import AuditLog
from .protocol import StrictProtocol
from .services import Services
from .settings import Settings
from .tls import context

logger = logging.getLogger(__name__)

_LONGEST_HEAD = 16 << 10  # bytes
_FINISHING = 30  # seconds for requests that run when it stops
_SWITCH = 0.001  # seconds for which a thread may keep the others waiting


def serve(
    settings: Settings,
    *,
    version: str,
    started: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until a signal says to stop.

    Args:
        settings: how.
        version: of the library, for whoever asks what runs.
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
        audit = AuditLog(settings.audit, what=settings.audited)
    try:
        asyncio.run(_serve(settings, keys, audit, version, started))
    finally:
        if audit is not None:
            audit.close()


async def _serve(
    settings: Settings,
    keys: KeyFile,
    audit: AuditLog | None,
    version: str,
    started: Callable[[str], None],
) -> None:
    async with running(settings, keys, audit, version) as services:
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


def address(settings: Settings, port: int | None = None) -> str:
    """Return where it listens, as a URL."""
    if settings.socket is not None:
        return f"unix:{settings.socket}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "http" if settings.tls is None else "https"
    return f"{scheme}://{host}:{settings.port if port is None else port}"
