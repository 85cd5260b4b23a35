"""An index in Qdrant: plans, points and filters in the words of its client."""

from __future__ import annotations

from .backend import QdrantBackend
from .connection import Connection

__all__ = ["Connection", "QdrantBackend"]
