# mypy: ignore-errors
"""The inner loops of an exact index, compiled by numba when first used."""

from __future__ import annotations

from .quantizing import quantize_queries, quantize_windows
from .scoring import score_blocks, score_halves

__all__ = ["quantize_queries", "quantize_windows", "score_blocks", "score_halves"]
