"""What the two processes tell one another: messages in frames of known length."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import msgspec

_LENGTH = struct.Struct("<I")
HEAD = _LENGTH.size
"""Bytes before each message."""


def frame(message: Any) -> bytes:
    """Return a message as it is sent."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


def length(head: bytes) -> int:
    """Return how many bytes come after a head."""
    (found,) = _LENGTH.unpack(head)
    return int(found)


def read_frame(file: BinaryIO) -> Any:
    """Return the next message; None at the end."""
    head = file.read(HEAD)
    if len(head) < HEAD:
        return None
    body = file.read(length(head))
    return msgspec.msgpack.decode(body) if len(body) == length(head) else None
