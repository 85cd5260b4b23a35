"""Compressed vectors: segments, codebooks, and :class:`CompressedIndex`, which searches them."""

from __future__ import annotations

from .search import CompressedIndex

__all__ = ["CompressedIndex"]
