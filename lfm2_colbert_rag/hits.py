"""Ranked rows to hits: ties broken by id, metadata copied, evidence found when asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .encoder import Encoder
from .evidence import find_matches
from .index import Index, Ranking
from .types import Hit, Match, Passage, TokenVectors, relevance


@dataclass(frozen=True)
class HitMaker:
    """Turns rankings of rows into hits.

    Attributes:
        encoder: what encoded the passages.
        index: the generation that was searched.
        passages: the ranked passages, by row.
        k: most hits of a ranking.
    """

    encoder: Encoder
    index: Index
    passages: dict[int, Passage]
    k: int

    def hits(self, text: str, query: TokenVectors, ranking: Ranking) -> list[Hit]:
        """Return the hits of one query, best first; equal scores are ordered by id."""
        ranked = sorted(
            zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True),
            key=lambda pair: (-pair[1], self.passages[pair[0]].id),
        )
        return [
            make_hit(self.passages[row], score, query, partial(self._evidence, text, query, row))
            for row, score in ranked[: self.k]
        ]

    def _evidence(self, text: str, query: TokenVectors, row: int) -> tuple[Match, ...]:
        passage = self.passages[row].text
        spans = self.encoder.document_spans([passage])[0]
        return find_matches(query, text, self.index.vectors(row), spans, passage)


def make_hit(
    passage: Passage,
    score: float,
    query: TokenVectors,
    find_evidence: Callable[[], tuple[Match, ...]],
) -> Hit:
    """Return a hit that shares nothing mutable with the passage."""
    metadata = json.loads(json.dumps(passage.metadata))
    return Hit(
        passage.id, score, relevance(score, len(query)), passage.text, metadata, find_evidence
    )
