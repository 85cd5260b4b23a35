"""Indexes: ways to search the token vectors of one generation."""

from __future__ import annotations

from .base import Index, LiveSegment, Ranking
from .compressed import CompressedIndex, SearchPlan
from .exact import ExactIndex
from .settings import SearchSettings

__all__ = [
    "CompressedIndex",
    "ExactIndex",
    "Index",
    "LiveSegment",
    "Ranking",
    "SearchPlan",
    "SearchSettings",
]
