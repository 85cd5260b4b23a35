"""What a search compares, and what a hit says of itself."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from lfm2_colbert_rag import Hit

Mode: TypeAlias = Literal["late", "lexical", "hybrid"]
"""What a search compares: meanings, words, or both."""


def evidence_of(query: str, hit: Hit) -> list[dict[str, Any]]:
    """Return the words of a passage that answered words of the query, strongest first, as JSON.

    Example:
        >>> evidence_of("open?", Hit("1", 1.0, 1.0, "Open at nine.", {}))
        []
    """
    return [
        {
            "query": list(match.query_span),
            "passage": list(match.passage_span),
            "strength": match.strength,
            "words": [query[slice(*match.query_span)], hit.text[slice(*match.passage_span)]],
        }
        for match in hit.evidence
    ]
