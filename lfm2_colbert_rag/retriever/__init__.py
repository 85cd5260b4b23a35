"""The retriever: one facade over the write path, the read path and what happens between calls."""

from __future__ import annotations

from .facade import Retriever

__all__ = ["Retriever"]
