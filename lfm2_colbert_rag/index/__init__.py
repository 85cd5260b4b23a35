"""Indexes: ways to search the token vectors of one generation."""

from __future__ import annotations

from .base import Index, LiveSegment, Ranking
from .compressed import CompressedIndex
from .exact import ExactIndex
from .plan import FusionPlan, SearchPlan, exact_plan
from .settings import SearchSettings

__all__ = [
    "CompressedIndex",
    "ExactIndex",
    "FusionPlan",
    "Index",
    "LiveSegment",
    "Ranking",
    "SearchPlan",
    "SearchSettings",
    "exact_plan",
]
