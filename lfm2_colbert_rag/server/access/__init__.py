"""Who asks, and what they may do: keys, the tokens made of them, and the gate that reads both."""

from __future__ import annotations

from .callers import SCOPES, Caller, Rights
from .gate import Gate, Refused
from .key_record import Key
from .keys import KeyFile
from .tokens import mint

__all__ = ["SCOPES", "Caller", "Gate", "Key", "KeyFile", "Refused", "Rights", "mint"]
