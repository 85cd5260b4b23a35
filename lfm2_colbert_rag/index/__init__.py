"""Indexes: ways to search the token vectors of one generation."""

from __future__ import annotations

from .base import Index, LiveSegment, LiveSegments, Ranking
from .exact.search import ExactIndex
from .settings import SearchSettings
from .trace import SearchTrace, exact_trace

__all__ = [
    "ExactIndex",
    "Index",
    "LiveSegment",
    "LiveSegments",
    "Ranking",
    "SearchSettings",
    "SearchTrace",
    "exact_trace",
]
