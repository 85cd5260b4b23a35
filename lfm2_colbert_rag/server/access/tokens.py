"""Tenant tokens: short-lived rights that a customer's back end makes of a key by itself.

A token is a JWT, signed with HMAC-SHA-256 by a secret that is derived from the key's. It may say
less than its key, on every axis, and never more. What this module does not know makes a token
invalid: an unknown claim might have been meant to narrow it.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..._support.characters import is_valid
from ..._support.extras import require
from ..._support.safe_json import JsonError, parse_json
from ...errors import InputError, LFM2ColBERTError, shown
from ...types import Where
from .callers import SCOPES
from .key_text import KEY_ID, parse_text, signing_secret
from .rights import Rights, plain_filter

ALGORITHM = "HS256"
LONGEST_LIFE = 24 * 3600
"""Seconds that a token may be valid."""

MOST_AHEAD = 60
"""Seconds that the clock of whoever made a token may be ahead of the server's."""

MOST_CHARACTERS = 8192
"""Of a token."""

_LONGEST_SUBJECT = 256
_SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})")
_NARROWING = ("scopes", "indexes", "tenant", "where", "fields")
_REQUIRED = frozenset({"exp", "iat"})
_CLAIMS = _REQUIRED | {"sub", *_NARROWING}
# The types of claims in JSON; what they must look like besides, ``Rights`` knows.
_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("scopes", "indexes", "fields"), list),
    **dict.fromkeys(("tenant", "sub"), str),
    "where": dict,
}


class TokenError(Exception):
    """A token cannot be accepted. Never reaches users: all of them are told the same.

    Args:
        reason: why, for whoever runs the server: ``bad-token`` or ``expired``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Claims:
    """What a token says, of which all but the narrowing was checked.

    Attributes:
        issued: when it was made, in seconds since 1970.
        expires: when it ends.
        subject: on whose behalf; None where it does not say.
        narrowing: arguments of :meth:`Rights.narrowed`.
    """

    issued: float
    expires: float
    subject: str | None = None
    narrowing: Mapping[str, Any] = field(default_factory=dict)

    def require_valid(self, now: float) -> None:
        """Check the times.

        Raises:
            TokenError: it has expired, is of the future, or would be valid for too long.
        """
        if self.expires <= now:
            raise TokenError("expired")
        life = self.expires - self.issued
        ahead = self.issued > now + MOST_AHEAD
        if ahead or not 0 < life <= LONGEST_LIFE or self.expires - now > LONGEST_LIFE:
            raise TokenError("bad-token")


def mint(
    key: str,
    *,
    expires_in: float = 3600,
    tenant: str | None = None,
    scopes: Iterable[str] | None = None,
    indexes: Iterable[str] | None = None,
    where: Where | None = None,
    fields: Iterable[str] | None = None,
    subject: str | None = None,
    clock: Callable[[], float] = time.time,
) -> str:
    """Make a token of a key, without asking a server.

    What is left out stays as it is with the key. A server refuses a token that says more than its
    key may.

    Args:
        key: the key's text.
        expires_in: seconds from now; at most 24 hours.
        tenant: whose passages it sees.
        scopes: what it is for.
        indexes: the indexes that it may know of.
        where: a filter that all it sees must match.
        fields: the keys of metadata that it sees.
        subject: on whose behalf; stands in the audit log.
        clock: what time it is, in seconds since 1970.

    Returns:
        The token.

    Raises:
        InputError: the key is none, or an argument cannot be used.
        ConfigError: a tenant's or a field's name that cannot be one.
        FilterError: the filter is malformed.
        MissingExtraError: PyJWT is not installed.

    Example:
        >>> from lfm2_colbert_rag.server.access.key_text import new_text
        >>> mint(new_text("a2b3c4d5"), tenant="acme", scopes=["search"]).count(".")
        2
    """
    parsed = parse_text(key)
    if not _is_number(expires_in) or not 1 <= expires_in <= LONGEST_LIFE:
        raise InputError(
            f"expires_in is 1 to {LONGEST_LIFE:,} seconds, which are 24 hours, not "
            f"{shown(expires_in)}."
        )
    given: dict[str, Any] = {"tenant": tenant, "where": plain_filter(where)}
    given |= {"scopes": _listed(scopes), "indexes": _listed(indexes), "fields": _listed(fields)}
    narrowing = {name: value for name, value in given.items() if value is not None}
    Rights.of(SCOPES).narrowed(**narrowing)
    now = math.floor(clock())
    claims: dict[str, Any] = {"iat": now, "exp": math.floor(now + expires_in), **narrowing}
    if subject is not None:
        claims["sub"] = _subject(subject)
    token = _library().encode(
        claims, signing_secret(parsed.digest), algorithm=ALGORITHM, headers={"kid": parsed.id}
    )
    if len(token) > MOST_CHARACTERS:
        raise InputError(
            f"the token has {len(token):,} characters, and may have {MOST_CHARACTERS:,}; narrow "
            "the key itself by the long filter."
        )
    return str(token)


def key_id_of(token: str) -> str:
    """Return the public part of the key that a token says it was made of.

    Raises:
        TokenError: it is no token.
    """
    match = _SHAPE.fullmatch(token) if len(token) <= MOST_CHARACTERS else None
    if match is None:
        raise TokenError("bad-token")
    header = _json(_decoded(match[1]))
    kid = header.get("kid")
    if header != {"alg": ALGORITHM, "typ": "JWT", "kid": kid}:
        raise TokenError("bad-token")
    if not isinstance(kid, str) or not KEY_ID.fullmatch(kid):
        raise TokenError("bad-token")
    return kid


def read_token(token: str, digest: bytes, now: float) -> Claims:
    """Return what a token says.

    Args:
        token: after :func:`key_id_of`.
        digest: of the secret of its key.
        now: what time it is.

    Raises:
        TokenError: its signature is wrong, it has expired or is not valid yet, or it has claims
            that are unknown or of another type.
    """
    for part in token.split("."):
        _decoded(part)
    try:
        signed = _verifier().decode_complete(token, signing_secret(digest), algorithms=[ALGORITHM])
    except _library().PyJWTError:
        raise TokenError("bad-token") from None
    claims = _json(signed["payload"])
    if not _REQUIRED <= claims.keys() <= _CLAIMS:
        raise TokenError("bad-token")
    if any(not isinstance(claims[name], _TYPES[name]) for name in claims.keys() - _REQUIRED):
        raise TokenError("bad-token")
    if not (_is_number(claims["iat"]) and _is_number(claims["exp"])):
        raise TokenError("bad-token")
    try:
        subject = None if "sub" not in claims else _subject(claims["sub"])
    except InputError:
        raise TokenError("bad-token") from None
    narrowing = {name: claims[name] for name in _NARROWING if name in claims}
    read = Claims(float(claims["iat"]), float(claims["exp"]), subject, narrowing)
    read.require_valid(now)
    return read


def narrowed(rights: Rights, claims: Claims) -> Rights:
    """Return the rights of a key made less by what its token says.

    Raises:
        TokenError: it would have more, or names what cannot be a right.
    """
    try:
        return rights.narrowed(**claims.narrowing)
    except LFM2ColBERTError:
        raise TokenError("bad-token") from None


def _decoded(part: str) -> bytes:
    """Decode a part as it is written in one way only; the usual decoders skip what is wrong."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise TokenError("bad-token") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise TokenError("bad-token")
    return data


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = parse_json(data)
    except JsonError:
        raise TokenError("bad-token") from None
    if not isinstance(value, dict):
        raise TokenError("bad-token")
    return value


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e15


def _listed(names: Any) -> list[Any] | None:
    if names is None:
        return None
    if isinstance(names, list | tuple | set | frozenset):
        return sorted(names, key=str)
    raise InputError(f"a list of names is wanted, not {shown(names)}.")


def _subject(subject: object) -> str:
    if isinstance(subject, str) and 0 < len(subject) <= _LONGEST_SUBJECT and is_valid(subject):
        return subject
    raise InputError(
        f"subject is a text of 1 to {_LONGEST_SUBJECT} characters, not {shown(subject)}."
    )


@cache
def _verifier() -> Any:
    return _library().PyJWS(algorithms=[ALGORITHM])


def _library() -> Any:
    return require("jwt", extra="server")
