"""A server put together, started, and stopped when its work is done."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from ..errors import ConfigError
from .access.keys import KeyFile
from .app import Application
from .assembly import running
from .audit.log import AuditLog
from .indexes import Shelf
from .listening import listening
from .protocol import StrictProtocol
from .services import Services
from .settings import Settings
from .starting import require_startable, stay_offline
from .tls import context, expiry, load

logger = logging.getLogger(__name__)

_LONGEST_HEAD = 16 << 10  # bytes
_KEPT_ALIVE = 75  # seconds of an idle connection; proxies keep theirs for a minute
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
        ConfigError: it would be open to strangers or of no use, or the address cannot be listened
            on. Nothing was made then.
        KeyFileError, AuditUnavailableError: these files cannot be used.
    """
    sys.setswitchinterval(_SWITCH)
    stay_offline()
    keys = KeyFile(settings.keys)
    require_startable(settings, keys)
    tls = None if settings.tls is None else context(settings.tls)
    with listening(settings) as listener, _audit(settings) as audit:
        asyncio.run(_serve(settings, tls, listener, (keys, audit), version, started))


@contextmanager
def _audit(settings: Settings) -> Iterator[AuditLog | None]:
    if settings.audit is None or settings.audited == "off":
        yield None
        return
    log = AuditLog(settings.audit, what=settings.audited)
    try:
        yield log
    finally:
        log.close()


async def _serve(
    settings: Settings,
    tls: ssl.SSLContext | None,
    listener: socket.socket,
    access: tuple[KeyFile, AuditLog | None],
    version: str,
    started: Callable[[str], None],
) -> None:
    shelf = Shelf(settings.folder, most=settings.capacity.indexes, read_only=True)
    async with running(settings, shelf, *access, version) as services:
        config = uvicorn.Config(
            Application(services),
            http=StrictProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            date_header=True,
            backlog=settings.capacity.connections,
            timeout_keep_alive=_KEPT_ALIVE,
            timeout_graceful_shutdown=_FINISHING,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
        )
        config.load()
        config.ssl = tls
        await _Server(config, services, settings, started).serve(sockets=[listener])


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
        """Listen, and say where."""
        await super().startup(sockets)
        port = self._settings.port
        if sockets and self._settings.socket is None:
            port = sockets[0].getsockname()[1]
        if hasattr(signal, "SIGHUP"):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._renew)
        self._started(address(self._settings, port))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in order, and so that all that surrounds the server is closed too.

        uvicorn's own raises the signal again once it has stopped, which would end the process.
        """
        state, seconds = self._services.state, self._settings.drain_seconds
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        elif state.is_draining or not seconds:
            self.should_exit = True
        else:
            asyncio.get_event_loop().call_later(seconds, setattr, self, "should_exit", True)
        state.is_draining = True

    def _renew(self) -> None:
        """Read the certificate anew, which new connections will see."""
        tls = self._settings.tls
        if tls is None or self.config.ssl is None:
            return
        try:
            context(tls)  # a certificate without its key must not take the place of both
            load(self.config.ssl, tls)
        except (ConfigError, OSError) as error:
            logger.error("the certificate was not renewed: %s", error)
            return
        ends = self._services.metrics.gauges["tls_certificate_expiry_seconds"]
        ends.set(expiry(tls))


def address(settings: Settings, port: int | None = None) -> str:
    """Return where it listens, as a URL."""
    if settings.socket is not None:
        return f"unix:{settings.socket}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "http" if settings.tls is None else "https"
    return f"{scheme}://{host}:{settings.port if port is None else port}"
