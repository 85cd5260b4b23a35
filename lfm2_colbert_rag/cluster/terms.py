"""The terms of texts as sparse vectors, so that an engine's product of them is our BM25.

What depends on the passage alone is in its vector: how often it has a term, less the longer it is.
How much a question's terms count is in the question's. How rare a term is the engine knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np

from ..index.lexical.analyser import is_wordlike, weigh
from ..index.lexical.bm25 import K1_STRETCHES, K1_WORDS, B
from ..index.lexical.occurrences import find_occurrences
from .points import Sparse


def term_id(term: str) -> int:
    """Return the number of a term.

    Example:
        >>> term_id("_fox_")
        1033188446
    """
    return crc32(term.encode("utf-8", "surrogatepass"))


def terms_of(texts: Sequence[str], average: float) -> list[Sparse]:
    """Return the terms of passages, weighed as BM25 does.

    Args:
        texts: of the passages.
        average: terms of a passage of average length; the same for all of an index.

    Example:
        >>> one, other = terms_of(["fox", "fox fox"], 4.0)
        >>> bool(other.weights.max() > one.weights.max())
        True
    """
    found = find_occurrences(texts)
    lengths = np.bincount(found.places, found.counts, len(texts))
    k1 = np.array([K1_WORDS if is_wordlike(term) else K1_STRETCHES for term in found.terms])
    ids = np.array([term_id(term) for term in found.terms], np.int64)
    norms = (1 - B + B * lengths / average)[found.places]
    mine = k1[found.ranks] if len(k1) else np.empty(0)
    weights = found.counts * (mine + 1) / (found.counts + mine * norms)
    order = np.argsort(found.places, kind="stable")
    bounds = np.searchsorted(found.places[order], np.arange(1, len(texts)))
    numbers = ids[found.ranks[order]] if len(ids) else np.empty(0, np.int64)
    return [
        Sparse.summed(some, worth)
        for some, worth in zip(
            np.split(numbers, bounds), np.split(weights[order], bounds), strict=True
        )
    ]


def average_length(texts: Sequence[str]) -> float:
    """Return how many terms texts have in the mean, at least 1.

    Example:
        >>> average_length(["fox", ""])
        1.5
    """
    found = find_occurrences(texts)
    return max(1.0, float(found.counts.sum()) / max(1, len(texts)))


def asked_terms(query: str) -> Sparse:
    """Return the terms of a question, and how much each counts."""
    return _numbered(weigh(query))


def shares(query: Sparse, passages: Sequence[Sparse | None]) -> list[float]:
    """Return which part of a question's terms each passage has, 0..1, each counted alike.

    Example:
        >>> asked = asked_terms("red fox")
        >>> shares(asked, [asked, None])
        [1.0, 0.0]
    """
    whole = float(query.weights.sum()) or 1.0
    return [
        0.0
        if one is None
        else min(1.0, float(query.weights[np.isin(query.ids, one.ids)].sum()) / whole)
        for one in passages
    ]


def _numbered(weights: Mapping[str, float]) -> Sparse:
    ids = np.array([term_id(term) for term in weights], np.int64)
    return Sparse.summed(ids, np.array(list(weights.values()), np.float64))
