"""How a server is run, and what it refuses to start as."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import ConfigError, shown

Isolation: TypeAlias = Literal["index", "view"]
"""What keeps tenants apart: an index for each, or a view for each of one index."""

Api: TypeAlias = Literal["rerank", "mcp", "dify", "openai", "playground"]
"""What is spoken besides the native API; see ``docs/connect.md``."""

APIS: tuple[Api, ...] = ("rerank", "mcp", "dify", "openai", "playground")

_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_NARROWEST = 8  # bits that a proxy's network has at least
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Tls:
    """Files of a server that speaks TLS by itself.

    Attributes:
        certificate: its certificate and those between it and the root, as PEM.
        key: its private key, as PEM; nobody else may read the file.
        client_ca: certificates of those who may sign a client's; None asks clients for none.

    Raises:
        ConfigError: a file is missing, or others may read the key.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def __post_init__(self) -> None:
        for file in filter(None, (self.certificate, self.key, self.client_ca)):
            if not file.is_file():
                raise ConfigError(f"{file} is no file; it must hold PEM for TLS.")
        require_private(self.key)


@dataclass(frozen=True)
class Capacity:
    """How much a server takes on at once.

    Attributes:
        searches: how many searches run side by side.
        queue: how many more may wait; of one caller at most half of them.
        seconds: how long a search may wait for its turn.
        writes: how many blocks of passages may wait for the writing process, in all.
        connections: how many clients may be connected.
        indexes: how many indexes are kept open.
        key_rate: requests a second of one key, unless the key says otherwise; twice as many at
            once.
        rerank_tokens: tokens of texts that one request may have encoded to be reranked.
        failures: requests a minute of one address that may fail for want of a key before the
            address is told to wait; whoever has a key is let in all the same.

    Raises:
        ConfigError: one of them is not above zero.
    """

    searches: int = 4
    queue: int = 64
    seconds: float = 10.0
    writes: int = 64
    connections: int = 256
    indexes: int = 64
    key_rate: float = 60.0
    rerank_tokens: int = 20_000
    failures: int = 10

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"{name.replace('_', ' ')} must be above 0, not {value}.")


@dataclass(frozen=True)
class Settings:
    """How a server is run.

    Attributes:
        folder: an index, or a folder of indexes.
        keys: the file of keys.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        socket: a Unix socket to listen on instead.
        tls: files for TLS; None speaks plain HTTP.
        insecure_http: whether plain HTTP beyond this machine is wanted.
        behind_proxy: networks of proxies that say truly where a request is from; such a proxy
            speaks TLS.
        allowed_hosts: names by which clients may ask, besides those of this machine itself.
        origins: web pages that may ask, such as ``https://chat.example.com``.
        isolation: see :data:`Isolation`.
        tenant_field: the key of metadata that says whose a passage is, with views.
        model: the model of indexes that are made over HTTP.
        read_only: whether nothing is written.
        backups: the folder for backups and exports; None makes none.
        audit: the folder of the audit log.
        audited: what is written there: ``"writes"`` (and what is refused), ``"all"``, ``"off"``.
        metrics_open: whether ``/metrics`` asks for no key.
        without: what is not spoken of :data:`APIS`.
        capacity: see :class:`Capacity`.
        drain_seconds: how long it goes on taking requests, not ready, after SIGTERM.

    Raises:
        ConfigError: it would be open to strangers; the message says which option helps.
    """

    folder: Path
    keys: Path
    host: str = "127.0.0.1"
    port: int = 7707
    socket: Path | None = None
    tls: Tls | None = None
    insecure_http: bool = False
    behind_proxy: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    isolation: Isolation = "index"
    tenant_field: str = "tenant"
    model: str = "nano"
    read_only: bool = False
    backups: Path | None = None
    audit: Path | None = None
    audited: Literal["writes", "all", "off"] = "writes"
    metrics_open: bool = False
    without: tuple[Api, ...] = ()
    capacity: Capacity = field(default_factory=Capacity)
    drain_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._check_names()
        self._check_listening()
        self._check_places()

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.socket is not None or _is_loopback(self.host)

    @property
    def hosts(self) -> frozenset[str]:
        """Names that a Host header may hold, without ports."""
        own = () if self.host in ("0.0.0.0", "::") else (self.host.lower(),)
        return frozenset((*self.own_names, *own, *self.allowed_hosts))

    @property
    def own_names(self) -> frozenset[str]:
        """Names by which this machine calls itself: no other is reached by them."""
        return frozenset(_LOOPBACK_NAMES)

    def is_open_to(self, address: str) -> bool:
        """Tell whether an address may ask at all.

        Plain HTTP before a proxy is for the proxy, and for what runs beside the server.
        """
        if self.is_local or self.tls is not None or self.insecure_http:
            return True
        return self.trusts(address) or _is_loopback(address)

    def trusts(self, address: str) -> bool:
        """Tell whether an address is that of one of the proxies."""
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            # A Unix socket has no address; whoever may open it was let in by its folder.
            return self.socket is not None and bool(self.behind_proxy)
        return any(peer in ipaddress.ip_network(one) for one in self.behind_proxy)

    def _check_names(self) -> None:
        for name in self.allowed_hosts:
            if not _HOST_NAME.fullmatch(name):
                raise ConfigError(
                    f"--allowed-host {shown(name)} is no host's name; write each in full, in lower "
                    "case, without a port: a wildcard would let any web page in."
                )
        for origin in self.origins:
            if not re.fullmatch(r"https?://[a-z0-9.:\[\]-]+", origin):
                raise ConfigError(
                    f"--cors-origin {shown(origin)} is no origin; write scheme and host, such as "
                    "https://chat.example.com. A wildcard would let any web page in."
                )
        for network in self.behind_proxy:
            _check_network(network)
        for api in self.without:
            if api not in APIS:
                raise ConfigError(f"--without {shown(api)}: it is one of {', '.join(APIS)}.")

    def _check_listening(self) -> None:
        if self.socket is None and not 0 <= self.port <= 65535:
            raise ConfigError(f"--port must be from 0 to 65535, not {self.port}.")
        is_plain = self.tls is None and not (self.behind_proxy or self.insecure_http)
        if is_plain and not self.is_local:
            raise ConfigError(
                f"keys and texts would cross the network to {self.host} in the clear. Give "
                "--tls-cert and --tls-key, or put a proxy that speaks TLS before it and name its "
                "address with --behind-proxy; --insecure-http is for networks that you trust with "
                "both."
            )
        if not self.is_local and not self.allowed_hosts and self.host in ("0.0.0.0", "::"):
            raise ConfigError(
                "a server on all addresses must be told by which names it is asked, or any web "
                "page could reach it under a name of its own. Give --allowed-host for each."
            )

    def _check_places(self) -> None:
        if self.audited == "all" and self.audit is None:
            raise ConfigError("--audit all needs a folder to write to. Name one with --audit-log.")
        folder = self.folder.resolve()
        for what, path in (
            ("--keys", self.keys),
            ("--audit-log", self.audit),
            ("--backups", self.backups),
            ("--uds", self.socket),
            ("--tls-key", None if self.tls is None else self.tls.key),
        ):
            if path is not None and folder in (path.resolve(), *path.resolve().parents):
                raise ConfigError(
                    f"{what} {path} lies in {self.folder}, where indexes are, and would be copied "
                    "with them. Name a place outside."
                )


def require_private(file: Path) -> None:
    """Refuse a file that others may read.

    Raises:
        ConfigError: they may; the message says which command helps.
    """
    if os.name == "nt":
        return
    mode = file.stat().st_mode
    if mode & _OTHERS:
        raise ConfigError(
            f"{file} can be read by others (mode {stat.S_IMODE(mode):04o}). Run: chmod 600 {file}"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise ConfigError(
            f"--host must be an IP address or localhost, not {shown(host)}."
        ) from None


def _check_network(network: str) -> None:
    try:
        parsed = ipaddress.ip_network(network)
    except ValueError as error:
        raise ConfigError(f"--behind-proxy {shown(network)} is no network ({error}).") from None
    if parsed.prefixlen < _NARROWEST:
        raise ConfigError(
            f"--behind-proxy {network} would believe anybody who says where a request is from. "
            "Name the address of the proxy."
        )
