"""Addresses of indexes that lie in an engine: ``qdrant://host:6334/manuals``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard
from urllib.parse import parse_qsl, unquote, urlsplit

from ..errors import ConfigError, shown

SCHEMES = ("qdrant", "qdrant+file", "postgresql")
"""The engines that an address can name; ``qdrant+file`` is Qdrant's client without a server."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Address:
    """Where an index lies.

    Attributes:
        scheme: one of :data:`SCHEMES`.
        host: the server; empty where there is none.
        port: its port; None for the engine's own.
        name: of the index, a collection or a table there.
        folder: where a file engine keeps it, or the database of a server that has several.
        user: who asks, where the engine wants to know; not shown.
        password: of the user; not shown.
        options: what stands behind the question mark.

    Example:
        >>> address = Address.parse("qdrant://search.example.org:6334/manuals?tls=true")
        >>> address.host, address.port, address.name, address.options
        ('search.example.org', 6334, 'manuals', {'tls': 'true'})
        >>> str(address)
        'qdrant://search.example.org:6334/manuals'
    """

    scheme: str
    host: str
    port: int | None
    name: str
    folder: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address.

        Raises:
            ConfigError: an unknown engine, or an address without a host or a name.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"{shown(_without_secret(text))} is no address: {error}.") from None
        if parts.scheme not in SCHEMES:
            named = ", ".join(f"{one}://" for one in SCHEMES)
            raise ConfigError(
                f"{shown(_without_secret(text))} names no engine that an index can lie in; these "
                f"are {named}."
            )
        folder, _, name = unquote(parts.path).rpartition("/")
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{shown(_without_secret(text))} names no index: at its end belongs a name of "
                "letters, digits, _ . and -, as in qdrant://host:6334/manuals."
            )
        local = parts.scheme.endswith("+file")
        if local == bool(parts.hostname) or (
            not local and folder.strip("/") and parts.scheme[0] != "p"
        ):
            raise ConfigError(
                f"{shown(_without_secret(text))} must name "
                + ("a folder and an index in it" if local else "a host and an index on it")
                + ", and nothing else."
            )
        return cls(
            parts.scheme,
            parts.hostname or "",
            port,
            name,
            folder,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
        )

    def __str__(self) -> str:
        """Write it for people: no user, no password, no options."""
        place = self.host if self.port is None else f"{self.host}:{self.port}"
        return f"{self.scheme}://{place}{self.folder}/{self.name}"


def is_address(place: object) -> TypeGuard[str]:
    """Tell an address from the path of a folder.

    Example:
        >>> is_address("qdrant://localhost/manuals"), is_address("support.index")
        (True, False)
    """
    return isinstance(place, str) and _ADDRESS.match(place) is not None


def _without_secret(text: str) -> str:
    """Return an address that may be shown: whatever stands before an @ is left out."""
    scheme, slashes, rest = text.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}".partition("?")[0]
