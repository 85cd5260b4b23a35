"""Which servers an address names, and where they keep an index."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

from ...errors import ConfigError
from ..address import Address
from ..patience import Patience

__all__ = ["Server", "Servers"]

PORT = 5432
PREFIX = "lfm2_"
"""Begins the names of schemas, so that no other is ever taken for an index, or dropped."""

_OPTIONS = ("servers", "sslmode", "timeout", "retries")
_SSL = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_LONGEST = 63 - len(PREFIX)
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


@dataclass(frozen=True)
class Server:
    """A server, or a primary with its standbys, of which whichever may be written is used.

    Attributes:
        hosts: one or several.
        ports: as many.

    Example:
        >>> Server.parse("db1:5432|db1-standby").hosts
        ('db1', 'db1-standby')
    """

    hosts: tuple[str, ...]
    ports: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Server:
        """Read ``host``, ``host:port``, or several of them with ``|`` between.

        Raises:
            ConfigError: it is none of these.
        """
        hosts, ports = [], []
        for one in text.split("|"):
            if not _HOST.fullmatch(one):
                raise ConfigError(f"servers are written host:port, not {one!r:.100}.")
            host, colon, port = one.rpartition(":") if re.search(r":\d+$", one) else (one, "", "")
            hosts.append(host.strip("[]"))
            ports.append(int(port) if colon else PORT)
        return cls(tuple(hosts), tuple(ports))

    def __str__(self) -> str:
        """Write it as it is read."""
        return "|".join(f"{host}:{port}" for host, port in zip(self.hosts, self.ports, strict=True))


@dataclass(frozen=True)
class Servers:
    """The servers that an index is divided over, and how they are asked.

    Attributes:
        address: of the index.
        shards: one server each, in the order that the index was made with.
        patience: how long they are waited for.
        sslmode: as libpq has it; None for its own choice.
    """

    address: Address
    shards: tuple[Server, ...]
    patience: Patience
    sslmode: str | None = None

    @classmethod
    def of(cls, address: Address) -> Servers:
        """Read an address; the server that it names is the first, ``servers=`` names the others.

        Raises:
            ConfigError: an option that there is not, a server without a host, a name that is too
                long, or a server that is named twice.

        Example:
            >>> servers = Servers.of(Address.parse("postgresql://db1/app/manuals?servers=db2,db3"))
            >>> [str(one) for one in servers.shards]
            ['db1:5432', 'db2:5432', 'db3:5432']
        """
        unknown = sorted(set(address.options) - set(_OPTIONS))
        if unknown:
            raise ConfigError(
                f"{address} has no option {unknown[0]!r}; these are {', '.join(_OPTIONS)}."
            )
        if len(address.name) > _LONGEST:
            raise ConfigError(f"{address.name!r} is longer than {_LONGEST} characters.")
        ssl = address.options.get("sslmode")
        if ssl is not None and ssl not in _SSL:
            raise ConfigError(f"sslmode must be one of {', '.join(_SSL)}, not {ssl!r:.40}.")
        named = address.options.get("servers")
        first = f"{address.host}:{PORT if address.port is None else address.port}"
        texts = [first, *(named.split(",") if named else ())]
        shards = tuple(Server.parse(text) for text in _with_standbys(texts))
        if len(set(shards)) < len(shards):
            raise ConfigError(f"{address} names a server twice; each is a part of the index.")
        return cls(address, shards, Patience.of(address.options), ssl)

    @property
    def database(self) -> str:
        """The database on every server."""
        return self.address.folder.strip("/") or "postgres"

    def shard_of(self, id: str) -> int:
        """Return which server has a passage."""
        return crc32(id.encode()) % len(self.shards)


def _with_standbys(texts: list[str]) -> list[str]:
    """Join a text that begins with ``|`` to the one before: the standbys of the first server."""
    joined: list[str] = []
    for text in texts:
        if text.startswith("|") and joined:
            joined[-1] += text
        else:
            joined.append(text)
    return joined
