"""The socket that a server listens on, bound before anything else is done or made."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ConfigError
from .settings import Settings

_MODE = 0o660  # of a Unix socket: its owner's, and its group's for the proxy
_WHY = {
    errno.EADDRINUSE: "another program listens there; stop it, or choose another with --port",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another with --host",
    errno.EACCES: "this user may not; choose a port above 1023 with --port",
}


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Give a socket that is bound to what the settings say; a Unix socket is removed at the end.

    Raises:
        ConfigError: it cannot be bound; the message says what helps.
    """
    if settings.socket is None:
        with _bound(settings.host, settings.port) as made:
            yield made
        return
    with _bound_file(settings.socket) as made:
        own = settings.socket.lstat()
        try:
            yield made
        finally:
            with suppress(OSError):
                if os.path.samestat(own, settings.socket.lstat()):
                    settings.socket.unlink()


def _bound(host: str, port: int) -> socket.socket:
    # A name would be looked up, and nothing leaves this machine.
    place = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in place else socket.AF_INET
    # Named, since asyncio sends at once (TCP_NODELAY) where it sees that a socket is TCP; else the
    # body of an answer waits 40 ms for the client to acknowledge the head.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((place, port))
    except OSError as error:
        made.close()
        why = _WHY.get(error.errno or 0, error.strerror)
        raise ConfigError(f"port {port} of {host} cannot be listened on: {why}.") from None
    return made


def _bound_file(path: Path) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigError("this system has no Unix sockets; leave --uds out.")
    family = socket.AF_UNIX
    _clear(path, family)
    made = socket.socket(family)
    try:
        made.bind(str(path))
        path.chmod(_MODE)
    except OSError as error:
        made.close()
        why = error.strerror or str(error)
        raise ConfigError(
            f"{path} cannot be listened on ({why}). Name a place with --uds in a folder that "
            "exists and that this user may write to, in at most 100 bytes."
        ) from None
    return made


def _clear(path: Path, family: socket.AddressFamily) -> None:
    """Remove what a killed server left there, and nothing else."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"{path} is there and no socket; name another place with --uds.")
    with socket.socket(family) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"{path} is there and cannot be used ({error.strerror}).") from None
        else:
            raise ConfigError(
                f"another server listens on {path}; stop it, or name another place with --uds."
            )
