"""The model ``small`` of lfm2-colbert-rag, which finds it by its entry point.

>>> from lfm2_colbert_rag import load_encoder
>>> encoder = load_encoder("small")                              # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDER"]

FOLDER = Path(__file__).with_name("model")
"""Where the model is."""
