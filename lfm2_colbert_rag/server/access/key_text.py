"""The text that is a key: ``lcb_<id>_<secret>_<checksum>``.

The beginning and the checksum let scanners of secrets know one where they find it, and let what
was mistyped be told without a look at any key. The id is public: it names the key in lists and
logs. The secret has 256 random bits, so that a plain hash of it is enough to keep.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

from ...errors import InputError

BEGINNING = "lcb_"
KEY_ID = re.compile(r"[a-z2-7]{8}")

_TEXT = re.compile(r"lcb_([a-z2-7]{8})_([A-Za-z0-9_-]{43})_([0-9a-f]{8})")
_USE = b"tenant-token-v1"


@dataclass(frozen=True)
class KeyText:
    """A key, taken apart.

    Attributes:
        id: its public part.
        digest: SHA-256 of its secret, which is what a server keeps.
    """

    id: str
    digest: bytes = field(repr=False)


def new_text(id: str) -> str:
    """Return a new key as text.

    Args:
        id: its public part; see :func:`new_id`.
    """
    body = f"{BEGINNING}{id}_{secrets.token_urlsafe(32)}"
    return f"{body}_{_checksum(body)}"


def new_id() -> str:
    """Return 40 random bits as eight characters."""
    return base64.b32encode(secrets.token_bytes(5)).decode().lower()


def parse_text(text: str) -> KeyText:
    """Take a key apart.

    Raises:
        InputError: it is no key, or was mistyped; the message holds nothing of it.
    """
    match = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if match is None or _checksum(text[: match.end(2)]) != match[3]:
        raise InputError(
            "this is no key: one has the form lcb_<id>_<secret>_<checksum>, and a checksum that "
            "tells mistakes. Copy it again, or make a new one with `lfm2-colbert keys create`."
        )
    return KeyText(match[1], digest_of(match[2]))


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode("ascii")).digest()


def signing_secret(digest: bytes) -> bytes:
    """Return what tenant tokens of a key are signed with.

    Args:
        digest: of the key's secret.
    """
    return hmac.digest(digest, _USE, "sha256")


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode('ascii')):08x}"
