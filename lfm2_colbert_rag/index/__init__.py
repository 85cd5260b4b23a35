"""Indexes: ways to search the token vectors of one generation."""

from __future__ import annotations

from .base import Index, LiveSegment, Ranking
from .exact import ExactIndex

__all__ = ["ExactIndex", "Index", "LiveSegment", "Ranking"]
