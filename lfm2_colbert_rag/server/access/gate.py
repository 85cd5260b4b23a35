"""Finds out who asks, by the headers of a request and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

from cachetools import LRUCache

from ..._support.extras import require
from ..._support.forking import renew_in_child
from ...errors import ConfigError, InputError, shown
from .callers import Caller
from .key_record import Key
from .key_text import BEGINNING, parse_text
from .rights import Rights
from .throttle import Throttle
from .tokens import MOST_CHARACTERS, Claims, TokenError, key_id_of, narrowed, read_token

if TYPE_CHECKING:
    from .keys import KeyFile

Isolation: TypeAlias = Literal["index", "view"]

HEADERS = frozenset({b"authorization", b"api-key", b"x-api-key"})
"""Where a key or a token may stand; one of them, once."""

_BEARER = re.compile(rb"bearer +", re.IGNORECASE)
_CREDENTIAL = re.compile(rb"[A-Za-z0-9._-]+")
# Compared with where there is no such key, so that both take the same time.
_NOBODYS = bytes(32)
_NOTHING = Rights.of(["search"], tenant="nobody")
_TOKENS = 4096  # of which is kept what they say; those asked with last

_Read: TypeAlias = "tuple[Key, Claims, Rights]"


class Refused(Exception):  # noqa: N818 - it is an answer, and the server gives it
    """The gate does not let a request in. Never reaches users: the server answers them.

    Attributes:
        code: ``unauthorized``, or ``rate-limited`` after too many failures from one address.
        reason: why, for metrics and the audit log, never for whoever asks: ``missing``,
            ``malformed``, ``unknown``, ``expired``, ``revoked``, ``bad-token``, ``tenant`` or
            ``throttled``.
        retry_after: seconds, of ``rate-limited``.
        key_id: the public part of a key that exists, where the request named one.
    """

    def __init__(
        self, reason: str, *, retry_after: int | None = None, key_id: str | None = None
    ) -> None:
        super().__init__(reason)
        self.code = "unauthorized" if retry_after is None else "rate-limited"
        self.reason = reason
        self.retry_after = retry_after
        self.key_id = key_id


class Gate:
    """Tells by a request's headers who asks; safe to use from several threads.

    Args:
        keys: the keys.
        isolation: what keeps tenants apart: ``"index"``, an index each, where no key or token may
            have a tenant; or ``"view"``.
        clock: what time it is, in seconds since 1970.
        ticks: seconds that only go forward, for counting failures.
        failures: that one address may have in a minute.

    Raises:
        ConfigError: a live key has a tenant, and the isolation is ``"index"``.
        KeyFileError: the file of keys cannot be used.
        MissingExtraError: PyJWT is not installed.

    Example:
        >>> import tempfile
        >>> from lfm2_colbert_rag.server.access.keys import KeyFile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     keys = KeyFile(f"{folder}/keys.json")
        ...     key, text = keys.create("chatbot", ["search"])
        ...     gate = Gate(keys, isolation="index")
        ...     gate.caller([(b"authorization", b"Bearer " + text.encode())], "10.0.0.7").name
        'chatbot'
    """

    def __init__(
        self,
        keys: KeyFile,
        *,
        isolation: Isolation,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        failures: int = 10,
    ) -> None:
        if isolation not in ("index", "view"):
            raise ConfigError(f"isolation is 'index' or 'view', not {shown(isolation)}.")
        require("jwt", extra="server")
        self._keys = keys
        self._views = isolation == "view"
        self._clock = clock
        self._throttle = Throttle(failures, ticks=ticks)
        self.renew_after_fork()
        renew_in_child(self)
        self._require_no_tenants()

    def renew_after_fork(self) -> None:
        """Begin anew: another thread of the parent may have been about to change what is kept."""
        self._read: LRUCache[bytes, _Read] = LRUCache(_TOKENS)
        self._keeping = threading.Lock()

    def caller(self, headers: Iterable[tuple[bytes, bytes]], remote: str) -> Caller:
        """Return who asks.

        A right key is let in however often its address failed: neighbours behind one address
        cannot lock one another out.

        Args:
            headers: of the request, names and values.
            remote: the address that it came from.

        Raises:
            Refused: there is no key, or not one that may come in.
        """
        try:
            return self._admit(self.credential(headers))
        except Refused as refusal:
            wait = self._throttle.failed(remote)
            if wait is None:
                raise
            raise Refused("throttled", retry_after=wait, key_id=refusal.key_id) from None

    @staticmethod
    def credential(headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the key or the token of a request.

        Raises:
            Refused: there is none, or more than one, or what cannot be one.
        """
        found = [(name.lower(), value) for name, value in headers if name.lower() in HEADERS]
        if not found:
            raise Refused("missing")
        if len(found) > 1:  # which one is meant? What stands before this server may see the other
            raise Refused("malformed")
        name, value = found[0]
        value = value.strip(b" \t")
        if name == b"authorization":
            value = _BEARER.sub(b"", value, count=1) if _BEARER.match(value) else value
        if len(value) > MOST_CHARACTERS or not _CREDENTIAL.fullmatch(value):
            raise Refused("malformed")
        return value.decode("ascii")

    def _admit(self, credential: str) -> Caller:
        now = self._clock()
        if credential.startswith(BEGINNING):
            key = self._key(credential, now)
            return self._made(key, key.rights, None, key.expires, is_token=False)
        try:
            return self._by_token(credential, now)
        except TokenError as error:
            raise Refused(error.reason) from None

    def _key(self, text: str, now: float) -> Key:
        try:
            given = parse_text(text)
        except InputError:
            raise Refused("malformed") from None
        key = self._keys.find(given.id)
        right = hmac.compare_digest(given.digest, _NOBODYS if key is None else key.digest)
        if key is None or not right:
            raise Refused("unknown", key_id=None if key is None else key.id)
        return _live(key, now)

    def _by_token(self, token: str, now: float) -> Caller:
        id = key_id_of(token)
        key = self._keys.find(id)
        claims, rights = self._token(token, key, now)
        if key is None:  # whoever signs with nobody's secret
            raise TokenError("bad-token")
        _live(key, now)
        ends = claims.expires if key.expires is None else min(claims.expires, key.expires)
        return self._made(key, rights, claims.subject, ends, is_token=True)

    def _token(self, token: str, key: Key | None, now: float) -> tuple[Claims, Rights]:
        """Return what a token says and may, which is worked out once while its key stays."""
        name = hashlib.sha256(token.encode("ascii")).digest()
        with self._keeping:
            known = self._read.get(name)
        if known is not None and known[0] is key:
            known[1].require_valid(now)
            return known[1:]
        claims = read_token(token, _NOBODYS if key is None else key.digest, now)
        rights = narrowed(_NOTHING if key is None else key.rights, claims)
        if key is not None:
            with self._keeping:
                self._read[name] = (key, claims, rights)
        return claims, rights

    def _made(
        self,
        key: Key,
        rights: Rights,
        subject: str | None,
        expires: float | None,
        *,
        is_token: bool,
    ) -> Caller:
        if rights.tenant is not None and not self._views:
            raise Refused("tenant", key_id=key.id)
        return Caller(
            key.id,
            key.name,
            rights.scopes,
            rights.indexes,
            rights.tenant,
            rights.where,
            rights.fields,
            key.rate,
            subject,
            expires,
            is_token,
        )

    def _require_no_tenants(self) -> None:
        now, keys = self._clock(), self._keys.keys()
        for key in keys:
            if not self._views and key.rights.tenant is not None and key.is_live(now):
                raise ConfigError(
                    f"the key {key.id} ({shown(key.name)}) is of a tenant, but tenants are kept "
                    "apart by indexes here: revoke it, or start with --isolation view."
                )


def _live(key: Key, now: float) -> Key:
    if key.revoked is not None:
        raise Refused("revoked", key_id=key.id)
    if not key.is_live(now):
        raise Refused("expired", key_id=key.id)
    return key
