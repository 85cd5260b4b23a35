"""Indexes: ways to search the token vectors of one generation."""

from __future__ import annotations

from .base import Index, LiveSegment, Ranking
from .compressed.search import CompressedIndex
from .exact import ExactIndex
from .settings import SearchSettings
from .trace import SearchTrace, exact_trace

__all__ = [
    "CompressedIndex",
    "ExactIndex",
    "Index",
    "LiveSegment",
    "Ranking",
    "SearchSettings",
    "SearchTrace",
    "exact_trace",
]
