"""Which reader a file of each kind has."""

from __future__ import annotations

from .records import Reader

__all__ = ["READERS"]

READERS: dict[str, Reader] = {}
