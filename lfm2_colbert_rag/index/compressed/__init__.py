"""Compressed vectors: segments, codebooks, and :class:`CompressedIndex`, which searches them."""

from __future__ import annotations

from . import rehearsal  # noqa: F401, says how kernels are made ready
from .search import CompressedIndex

__all__ = ["CompressedIndex"]
