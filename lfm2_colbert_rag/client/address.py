"""Where a server is, with what key it is asked, and how it is known to be the right one."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from .._support.paths import PathLike, absolute_path
from ..errors import ConfigError, InputError, shown

KEY_VARIABLE = "LFM2_COLBERT_API_KEY"
"""The environment's variable in which the key is looked for where none is given."""

VerifyLike: TypeAlias = "PathLike | ssl.SSLContext | None"
"""Certificates that are trusted: a file of them, a context, or those that the system trusts."""

_VISIBLE = re.compile(r"[\x21-\x7e]{1,4096}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PATH = re.compile(r"[A-Za-z0-9._~/%-]*")
_FORM = "such as https://search.example.org or http://127.0.0.1:7707"


@dataclass(frozen=True)
class Address:
    """A server as it is asked.

    Attributes:
        url: its address, without a slash at the end.
        key: what it knows the caller by; None where it asks for no key.
        verify: see :data:`VerifyLike`.
        unix_socket: the socket on which it listens, instead of the address's host.
        insecure: the key may go over a network unencrypted.
        named: the key was given, rather than found in the environment.
    """

    url: str
    key: str | None = field(repr=False)
    verify: Path | ssl.SSLContext | None
    unix_socket: Path | None
    insecure: bool
    named: bool

    @classmethod
    def of(
        cls,
        url: object,
        api_key: object,
        verify: object,
        unix_socket: PathLike | None,
        insecure: object,
    ) -> Address:
        """Check what a caller gave.

        Raises:
            ConfigError: an address that is none, a key that cannot be one, or one that would go
                over a network unencrypted. The message never shows the key.
        """
        key = _check_key(api_key)
        file = None if unix_socket is None else absolute_path(unix_socket)
        if file is not None and not hasattr(socket, "AF_UNIX"):
            raise ConfigError("this system has no Unix sockets; leave unix_socket out.")
        checked = _check_url(url)
        if not isinstance(insecure, bool):
            raise ConfigError(f"insecure must be True or False, not {shown(insecure)}.")
        address = cls(
            checked, key, _check_verify(verify), file, insecure, named=api_key is not None
        )
        if key is not None and not insecure and not address.private:
            raise ConfigError(
                f"{checked} would carry the key over the network for all to read. Use https://, or "
                "say insecure=True where the network is your own."
            )
        return address

    @property
    def local(self) -> bool:
        """Whether nothing leaves this machine."""
        return self.unix_socket is not None or _is_loopback(urlsplit(self.url).hostname or "")

    @property
    def private(self) -> bool:
        """Whether nobody can read what is said."""
        return self.local or self.url.startswith("https:")

    def context(self) -> ssl.SSLContext | bool:
        """Return what certificates are verified with; nothing where there are none."""
        if not self.url.startswith("https:"):
            return False
        if isinstance(self.verify, ssl.SSLContext):
            return self.verify
        try:
            return ssl.create_default_context(cafile=self.verify) if self.verify else _trusted()
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{self.verify} cannot be read as a file of certificates ({error}); give one in "
                "PEM."
            ) from None

    def options(self) -> dict[str, Any]:
        """Return what a client of httpx is made with, but for what carries it."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "lfm2-colbert-rag"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        # Nothing that stays on this machine goes through a proxy that the environment names.
        return {"headers": headers, "follow_redirects": False, "trust_env": not self.local}


def check_index_name(name: object) -> str:
    """Return the name of an index on a server.

    Raises:
        ConfigError: no index can have it.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"index {shown(name)} is no name of an index on a server: those are of a-z, 0-9, - and "
            "_, 63 characters at most."
        )
    return name


def _check_key(api_key: object) -> str | None:
    key = os.environ.get(KEY_VARIABLE) or None if api_key is None else api_key
    if key is None:
        return None
    if not isinstance(key, str) or not _VISIBLE.fullmatch(key):
        what = KEY_VARIABLE if api_key is None else "api_key"
        raise ConfigError(
            f"{what} is no key: it must be a string of visible ASCII characters, as "
            "lfm2-colbert keys create shows it."
        )
    return key


def _check_url(url: object) -> str:
    try:
        parts = urlsplit(url) if isinstance(url, str) and _VISIBLE.fullmatch(url) else None
        port = parts.port if parts else None
    except ValueError:
        parts = port = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"url {shown(url)} is no address of a server; give one {_FORM}.")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"url has a user or a password in it; give one {_FORM}, and api_key.")
    if parts.query or parts.fragment or port == 0 or not _PATH.fullmatch(parts.path):
        raise ConfigError(f"url {shown(url)} has more than an address and a path; give {_FORM}.")
    if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]+", parts.netloc):
        raise ConfigError(f"url {shown(url)} names no host; give one {_FORM}.")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _check_verify(verify: object) -> Path | ssl.SSLContext | None:
    if verify is None or isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, bool):
        raise ConfigError(
            f"verify={verify} is no choice: certificates are always verified. Give the file of the "
            "authority that signed the server's, in PEM; None for those that the system trusts."
        )
    try:
        return absolute_path(verify)  # type: ignore[arg-type]
    except InputError as error:
        raise ConfigError(f"verify: {error}") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _trusted() -> ssl.SSLContext:
    """Trust what the system does, also an authority of the house's own, and what certifi has."""
    import certifi  # comes with httpx

    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    return context
