"""Heads of requests: by which name the server is asked, from which page, from where."""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import TYPE_CHECKING, Any

from .problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .settings import Settings

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?")
_MOST = 64  # headers
_PORTS = {"http": ":80", "https": ":443"}  # which browsers leave out of an origin
_CORS = (
    (b"access-control-allow-headers", b"authorization, content-type, x-request-id"),
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
    (b"access-control-expose-headers", b"x-request-id, retry-after"),
)


def check_head(scope: Mapping[str, Any], settings: Settings) -> None:
    """Refuse what a browser may have been tricked into, and heads that are too long.

    Raises:
        Problem: the Host is none of the server's names, or the page none of those that may ask.
    """
    if len(scope["headers"]) > _MOST:
        raise Problem("head-too-large")
    if not settings.is_open_to(_peer(scope)):
        raise Problem("forbidden", "Ask by the proxy before this server.")
    hosts = _values(scope, b"host")
    if settings.socket is None or hosts:
        name = _without_port(hosts[0].lower()) if len(hosts) == 1 else ""
        if name not in settings.hosts:
            raise Problem("host")
    if scope["method"] != "GET":
        others = set(_values(scope, b"origin")) - set(settings.origins)
        if others - _own_origins(scope, settings):
            raise Problem("forbidden", "Web pages of this origin may not ask; see --cors-origin.")


def cors_headers(scope: Mapping[str, Any], settings: Settings) -> list[tuple[bytes, bytes]]:
    """Return what lets a page of one of the origins read an answer."""
    given = _values(scope, b"origin")
    if len(given) != 1 or given[0] not in settings.origins:
        return []
    return [(b"access-control-allow-origin", given[0].encode("latin-1")), *_CORS]


def remote_of(scope: Mapping[str, Any], settings: Settings) -> str:
    """Return the address that a request is from: as the proxy says, where one is trusted."""
    peer = _peer(scope)
    if settings.trusts(peer):
        said = _values(scope, b"x-forwarded-for")
        last = said[-1].split(",")[-1].strip() if said else ""
        try:
            return str(ipaddress.ip_address(last))
        except ValueError:
            pass
    return peer or "local"


def request_id(scope: Mapping[str, Any]) -> str:
    """Return the client's own id of a request where it is a plain one, else a new one."""
    given = _values(scope, b"x-request-id")
    if len(given) == 1 and _ID.fullmatch(given[0]):
        return given[0]
    return str(uuid.uuid4())


def _own_origins(scope: Mapping[str, Any], settings: Settings) -> set[str]:
    """Return the origins of the server's own page, as the browser that asks would name them.

    Made of the Host, which is one of the server's names by now. Before a proxy that speaks TLS the
    page is one of HTTPS, however the proxy asks; on this machine it may also be asked directly.
    """
    hosts = _values(scope, b"host")
    if "playground" in settings.without or len(hosts) != 1:
        return set()
    host = hosts[0].lower()
    schemes = {"http" if settings.tls is None else "https"}
    if settings.tls is None and settings.trusts(_peer(scope)):
        schemes = {"https"}
        if _without_port(host) in settings.own_names:
            schemes.add("http")
    return {f"{scheme}://{host.removesuffix(_PORTS[scheme])}" for scheme in schemes}


def _peer(scope: Mapping[str, Any]) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _values(scope: Mapping[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1") for known, value in scope["headers"] if known == name]


def _without_port(host: str) -> str:
    match = _HOST.fullmatch(host)
    return "" if match is None else (match[1] or match[2])
