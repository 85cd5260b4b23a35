"""What the audit log notes of a request, and the lines that it becomes.

A line is a JSON object. ``seq`` counts the lines, and ``prev`` is the SHA-256 of the line before,
so that no line can be changed, taken out, put in or moved without breaking what follows. Control
characters and all that is not ASCII are escaped: nothing in a line can begin another one, or draw
on the terminal of whoever reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

NOTHING = "0" * 64
"""What the first line of a log says of the one before."""

LONGEST_LINE = 256 << 10
"""Bytes of a line at most, with its end."""

_LONGEST_TEXT = 256
_MOST_FIELDS = 32

# What was not decided by this library is cut to these many characters.
_TEXTS = ("request_id", "key_id", "sub", "tenant", "remote", "action", "index", "reason")
_NUMBERS = ("ids_count", "k", "hits", "status", "bytes", "ms")


@dataclass(frozen=True)
class AuditRecord:
    """One request, without its query, texts, metadata, ids of passages, or values in filters.

    Attributes:
        ts: when, in seconds since 1970.
        request_id: the id that its answer had.
        key_id: the public part of the key; None where there was none.
        sub: on whose behalf, as a token says.
        tenant: whose passages.
        remote: the address that it came from.
        action: what was done, such as ``search`` or ``passages.delete``.
        index: with which index.
        ids_count: how many ids it named.
        k: how many hits it asked for.
        filter_fields: the fields that its filter asked for, without their values.
        hits: how many hits it got.
        status: of the answer.
        bytes: of the answer.
        ms: how long it took, in milliseconds.
        reason: why it was refused.
    """

    ts: float
    request_id: str
    action: str
    status: int
    key_id: str | None = None
    sub: str | None = None
    tenant: str | None = None
    remote: str | None = None
    index: str | None = None
    ids_count: int | None = None
    k: int | None = None
    filter_fields: tuple[str, ...] = ()
    hits: int | None = None
    bytes: int | None = None
    ms: float | None = None
    reason: str | None = None

    def members(self) -> dict[str, Any]:
        """Return what of it stands in a line; what is not there is left out."""
        members: dict[str, Any] = {"ts": moment(self.ts)}
        members |= {name: _cut(getattr(self, name)) for name in _TEXTS}
        members |= {name: getattr(self, name) for name in _NUMBERS}
        members["filter_fields"] = [_cut(one) for one in self.filter_fields[:_MOST_FIELDS]] or None
        return {name: value for name, value in members.items() if value is not None}


def moment(seconds: float) -> str:
    """Return a time as lines show it, ``2026-11-30T14:03:07.250Z``; odd ones as the number."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def make_line(seq: int, prev: str, members: Mapping[str, Any]) -> bytes:
    """Return a line with its end.

    Args:
        seq: how many lines there are with it.
        prev: what :func:`hash_of` gives for the line before.
        members: the rest.
    """
    text = json.dumps({"seq": seq, "prev": prev, **members}, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def hash_of(line: bytes) -> str:
    """Return the hash of a line, without its end."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[: _LONGEST_TEXT - 3]}..."
