"""Scores to hits: the best window of each passage, ties broken, evidence found when asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..._support.token_vectors import check_query_spans
from ...errors import REMEDY, IndexCorruptError
from ...index.base import Index, Ranking
from ...index.lexical.bm25 import LexicalRanking
from ...index.maxsim import maxsim, similarities
from ...types import Hit, Leg, Match, Passage, TokenVectors, Window
from .evidence import compare_tokens, find_matches
from .explanation import Explanation
from .relevance import Baseline, relevances


@dataclass(frozen=True)
class Query:
    """A query, its vectors, and what it scores by chance, where that is known."""

    text: str
    encoded: TokenVectors
    baseline: Baseline | None = None


def ranked_hits(
    query: Query,
    ranking: Ranking,
    index: Index,
    passages: Mapping[int, Passage],
    k: int,
    legs: Mapping[int, Mapping[str, Leg]] | None = None,
) -> list[Hit]:
    """Turn what an index found into hits, best first; equal scores are ordered by id.

    Args:
        query: what was asked.
        ranking: what the index answered.
        index: the generation that was searched.
        passages: the ranked passages, by row.
        k: most hits.
        legs: by row, what each leg gave; None where the ranking is that of the late leg.
    """
    ranked = sorted(
        zip(ranking.rows.tolist(), ranking.scores.tolist(), ranking.windows.tolist(), strict=True),
        key=lambda found: (-found[1], passages[found[0]].id),
    )
    ranked = ranked[:k]
    spans = index.segments.window_spans([(row, place) for row, _, place in ranked])
    given = [
        {"late": Leg(rank, score)} if legs is None else legs[row]
        for rank, (row, score, _) in enumerate(ranked, 1)
    ]
    scaled = _relevances(query, [leg["late"].score for leg in given])
    return [
        _make_hit(
            query,
            passages[row],
            score,
            relevance,
            span,
            partial(index.segments.window, row, place),
            leg,
        )
        for (row, score, place), relevance, span, leg in zip(
            ranked, scaled, spans, given, strict=True
        )
    ]


def lexical_hits(
    ranking: LexicalRanking,
    passages: Mapping[int, Passage],
    k: int,
    find_evidence: Callable[[int], tuple[Match, ...]],
) -> list[Hit]:
    """Turn what the lexical index found into hits; equal scores are ordered by id.

    Args:
        ranking: what it answered.
        passages: the ranked passages, by row.
        k: most hits.
        find_evidence: finds the evidence in a row, when it is asked for.
    """
    ranked = sorted(
        zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True),
        key=lambda found: (-found[1], passages[found[0]].id),
    )
    return [
        Hit(
            passages[row].id,
            score,
            min(1.0, score / ranking.ideal),
            passages[row].text,
            copy.deepcopy(dict(passages[row].metadata)),
            legs={"lexical": Leg(rank, score)},
            _find_evidence=partial(find_evidence, row),
        )
        for rank, (row, score) in enumerate(ranked[:k], 1)
    ]


def reranked_hits(
    query: Query, passages: Sequence[Passage], windows: Sequence[tuple[int, Window]], k: int
) -> list[Hit]:
    """Rank passages that were just encoded; equal scores keep their order.

    Args:
        query: what was asked.
        passages: the passages.
        windows: their windows, each with its passage's place, ascending.
        k: most hits.
    """
    scores = maxsim([query.encoded.vectors], [one.encoded.vectors for _, one in windows])[0]
    best: dict[int, tuple[float, Window]] = {}
    for (place, window), score in zip(windows, scores.tolist(), strict=True):
        if place not in best or best[place][0] < score:
            best[place] = score, window
    ranked = sorted(best, key=lambda place: (-best[place][0], place))[:k]
    scaled = _relevances(query, [best[place][0] for place in ranked])
    return [
        _make_hit(query, passages[place], score, relevance, window.span, partial(_same, window))
        for place, relevance in zip(ranked, scaled, strict=True)
        for score, window in [best[place]]
    ]


def blank_hits(passages: Sequence[Passage]) -> list[Hit]:
    """Return hits that nothing was compared with: score and relevance 0, and no evidence."""
    return [Hit(one.id, 0.0, 0.0, one.text, copy.deepcopy(dict(one.metadata))) for one in passages]


def explain_row(query: Query, row: int, passage: Passage, index: Index) -> Explanation:
    """Explain the score of one live row."""
    ranking = index.search([query.encoded.vectors], 1, rows=np.array([row]))[0]
    hit = ranked_hits(query, ranking, index, {row: passage}, 1)[0]
    window = _within(index.segments.window(row, int(ranking.windows[0])), passage)
    best = similarities(query.encoded.vectors, window.encoded.vectors).max(axis=1)
    spans = query.encoded.spans
    total = best.sum()
    share = float(best[spans[:, 1] > spans[:, 0]].sum() / total) if total else 0.0
    return Explanation(
        query.text,
        passage,
        hit.score,
        hit.relevance,
        hit.evidence,
        share,
        hit.window,
        compare_tokens(query.encoded, query.text, window, passage.text),
    )


def _relevances(query: Query, scores: Sequence[float]) -> list[float]:
    return relevances(scores, len(query.encoded), query.baseline)


def _within(window: Window, passage: Passage) -> Window:
    """Refuse a window of other characters than its passage has."""
    if not window.fits(len(passage.text)):
        raise IndexCorruptError(
            f"a span of passage {passage.id!r} lies outside of its text. {REMEDY}"
        )
    return window


def _same(window: Window) -> Window:
    return window


def _make_hit(
    query: Query,
    passage: Passage,
    score: float,
    relevance: float,
    span: tuple[int, int],
    get_window: Callable[[], Window],
    legs: Mapping[str, Leg] | None = None,
) -> Hit:
    def find_evidence() -> tuple[Match, ...]:
        check_query_spans(query.encoded, query.text)
        window = _within(get_window(), passage)
        return find_matches(query.encoded, query.text, window, passage.text)

    return Hit(
        passage.id,
        score,
        relevance,
        passage.text,
        copy.deepcopy(dict(passage.metadata)),  # shares nothing that could be changed
        window=None if span == (0, len(passage.text)) else span,
        legs=dict(legs or {}),
        _find_evidence=find_evidence,
    )
