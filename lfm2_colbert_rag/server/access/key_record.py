"""What a server keeps of a key, and its form in the key file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import InputError, shown
from .callers import conjunction
from .key_text import KEY_ID
from .rights import Rights

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MEMBERS = frozenset(
    {
        *("id", "sha256", "name", "scopes", "indexes", "tenant", "where", "fields"),
        *("rate", "expires", "created", "revoked"),
    }
)
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Key:
    """A key as it is kept: all but its secret.

    Attributes:
        id: its public part.
        name: what it is called; two keys of one name may be in use, so that one replaces the other.
        rights: what it is good for.
        created: when it was made, in seconds since 1970.
        rate: requests a second that it may ask; None where the server's own limit counts.
        expires: when it ends, in seconds since 1970; None for never.
        revoked: when it was revoked; None where it was not.
        digest: SHA-256 of its secret. Who has it can make tenant tokens: it is in no message.

    Raises:
        InputError: a name, a number or an id that cannot be one.
    """

    id: str
    name: str
    rights: Rights
    created: float
    rate: float | None = None
    expires: float | None = None
    revoked: float | None = None
    digest: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not KEY_ID.fullmatch(self.id):
            raise InputError(f"{shown(self.id)} is no id of a key.")
        check_name(self.name)
        for what in ("created", "rate", "expires", "revoked"):
            number = getattr(self, what)
            if number is not None and not _is_positive(number):
                raise InputError(f"{what} of a key is a positive number, not {shown(number)}.")
        if self.created is None:
            raise InputError("created of a key is a positive number, not None.")

    def is_live(self, now: float) -> bool:
        """Tell whether the key is neither revoked nor expired."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    def to_dict(self) -> dict[str, Any]:
        """Return what may be shown of it, as a JSON object."""
        rights = self.rights
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(rights.scopes),
            "indexes": None if rights.indexes is None else sorted(rights.indexes),
            "tenant": rights.tenant,
            "where": conjunction(rights.where) if rights.where else None,
            "fields": None if rights.fields is None else sorted(rights.fields),
            "rate": self.rate,
            "expires": self.expires,
            "created": self.created,
            "revoked": self.revoked,
        }


def stored(key: Key) -> dict[str, Any]:
    """Return a key as it stands in the key file."""
    return {**key.to_dict(), "sha256": key.digest.hex()}


def from_stored(row: object) -> Key:
    """Read a key that :func:`stored` wrote.

    Raises:
        InputError: it is none; what is unknown is refused, since it might have narrowed the key.
        ConfigError: a tenant's or a field's name that cannot be one.
        FilterError: its filter is malformed.
    """
    if not isinstance(row, Mapping) or row.keys() != _MEMBERS:
        raise InputError(f"a key has the members {', '.join(sorted(_MEMBERS))}, and no others.")
    digest = row["sha256"]
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise InputError("the sha256 of a key has 64 hexadecimal digits.")
    rights = Rights.of(
        *(row[name] for name in ("scopes", "indexes", "tenant", "where", "fields")),
    )
    rest = {name: row[name] for name in ("id", "name", "created", "rate", "expires", "revoked")}
    return Key(rights=rights, digest=bytes.fromhex(digest), **rest)


def check_name(name: object) -> str:
    """Return the name of a key.

    Raises:
        InputError: it cannot be one.
    """
    if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and _is_tidy(name):
        return name
    raise InputError(
        f"{shown(name)} cannot be the name of a key: it has 1 to {_LONGEST_NAME} printable "
        "characters, and neither begins nor ends with a space."
    )


def _is_tidy(name: str) -> bool:
    return name.isprintable() and name == name.strip()


def _is_positive(number: object) -> bool:
    if isinstance(number, bool) or not isinstance(number, int | float):
        return False
    return 0 < number < 1e11 and math.isfinite(number)  # seconds until the year 5138
