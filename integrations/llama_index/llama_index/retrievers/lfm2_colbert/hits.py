"""What a search compares."""

from __future__ import annotations

from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["late", "lexical", "hybrid"]
"""What a search compares: meanings, words, or both."""
