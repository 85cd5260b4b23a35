"""What both peers and this library encode, and how the results are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lfm2_colbert_rag.index.maxsim import maxsim
from lfm2_colbert_rag.types import TokenVectors

TEXTS = [
    "What is the capital of France?",
    "Où est la gare ?",
    "Die Hauptstadt von Deutschland ist Berlin!",
    "الكتاب على الطاولة ، أين هو؟",
    "日本語のテキスト、東京。",
    "ภาษาไทย ที่นี่",
    "!!!",
    "well... that is 100% (really) fine; isn't it?",
    "ẞ 🙂 Ж qwx",
    "a",
    "the quick brown fox jumps over the lazy dog." + " La gare, où est-elle ?" * 20,
    "Paris, Berlin," * 8,
]  # none with whitespace around it, which sentence-transformers keeps

VECTORS, SCORES = 1e-4, 1e-3
"""How far vectors and MaxSim may be apart."""


def difference(ours: Sequence[TokenVectors], theirs: Sequence[Any]) -> float:
    """Return the largest difference of any number in the vectors of the same texts."""
    pairs = [(one.vectors, np.asarray(other)) for one, other in zip(ours, theirs, strict=True)]
    assert [a.shape for a, _ in pairs] == [b.shape for _, b in pairs]
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def scores(queries: Sequence[TokenVectors], documents: Sequence[TokenVectors]) -> Any:
    """Return MaxSim ``(queries, documents)`` as this library computes it."""
    return maxsim([q.vectors for q in queries], [d.vectors for d in documents])
