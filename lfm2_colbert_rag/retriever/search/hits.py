"""Scores to hits: the best window of each passage, ties broken, evidence found when asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from ..._support.token_vectors import check_query_spans
from ...errors import REMEDY, IndexCorruptError
from ...index.base import Index
from ...index.lexical.bm25 import LexicalRanking
from ...index.maxsim import maxsim, similarities
from ...types import Hit, Leg, Match, Passage, Window
from .evidence import compare_tokens, find_matches
from .explanation import Explanation
from .late import Answer, Query, ask, relevances


class StoredWindows(Protocol):
    """Windows as they are stored, by row and place, such as those of a generation."""

    def window(self, row: int, place: int) -> Window:
        """Return a window with its vectors."""
        ...

    def window_spans(self, windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return only the characters of windows."""
        ...


def ranked_hits(
    query: Sequence[Query],
    answer: Answer,
    stored: StoredWindows,
    passages: Mapping[int, Passage],
    k: int,
    legs: Mapping[int, Mapping[str, Leg]] | None = None,
) -> list[Hit]:
    """Turn what an index found into hits, best first; equal scores are ordered by id.

    Args:
        query: the windows of what was asked.
        answer: what the index answered.
        stored: the windows of what was searched.
        passages: the ranked passages, by row.
        k: most hits.
        legs: by row, what each leg gave; None where the ranking is that of the late leg.
    """
    ranked = ranked_order(answer, passages, k)
    spans = stored.window_spans([(one.row, one.place) for one in ranked])
    given = [
        {"late": Leg(rank, one.score)} if legs is None else legs[one.row]
        for rank, one in enumerate(ranked, 1)
    ]
    scaled = relevances(query, [leg["late"].score for leg in given])
    return [
        _make_hit(
            query[one.asked],
            passages[one.row],
            one.score,
            relevance,
            span,
            partial(stored.window, one.row, one.place),
            leg,
        )
        for one, relevance, span, leg in zip(ranked, scaled, spans, given, strict=True)
    ]


class RankedRow(NamedTuple):
    """A row among the best of a question: which window of which of both gave its score."""

    row: int
    score: float
    place: int
    asked: int


def ranked_order(answer: Answer, passages: Mapping[int, Passage], k: int) -> list[RankedRow]:
    """Order what an index found, best first; equal scores by id."""
    ranking = answer.ranking
    columns = (ranking.rows, ranking.scores, ranking.windows, answer.asked)
    found = map(RankedRow, *(column.tolist() for column in columns))
    return sorted(found, key=lambda one: (-one.score, passages[one.row].id))[:k]


def matching_hits(passages: Iterable[Passage]) -> list[Hit]:
    """Turn what matches a filter into hits, where nothing was asked that could rank it."""
    return [Hit(one.id, 0.0, 0.0, one.text, copy.deepcopy(dict(one.metadata))) for one in passages]


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
        for rank, (row, score) in enumerate(lexical_order(ranking, passages, k), 1)
    ]


def lexical_order(
    ranking: LexicalRanking, passages: Mapping[int, Passage], k: int
) -> list[tuple[int, float]]:
    """Order what the lexical index found, rows and scores, best first; equal scores by id."""
    found = zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True)
    return sorted(found, key=lambda one: (-one[1], passages[one[0]].id))[:k]


def reranked_hits(
    query: Sequence[Query],
    passages: Sequence[Passage],
    windows: Sequence[tuple[int, Window]],
    k: int,
) -> list[Hit]:
    """Rank passages that were just encoded; equal scores keep their order.

    Args:
        query: the windows of what was asked.
        passages: the passages.
        windows: their windows, each with its passage's place, ascending.
        k: most hits.
    """
    scores = maxsim(
        [one.encoded.vectors for one in query], [one.encoded.vectors for _, one in windows]
    )
    if len(query) > 1:
        scores = np.stack([one.deviations(row) for one, row in zip(query, scores, strict=True)])
    asked = scores.argmax(axis=0).tolist()
    best: dict[int, tuple[float, int]] = {}
    for number, score in enumerate(scores.max(axis=0).tolist()):
        place = windows[number][0]
        if place not in best or best[place][0] < score:
            best[place] = score, number
    ranked = sorted(best, key=lambda place: (-best[place][0], place))[:k]
    scaled = relevances(query, [best[place][0] for place in ranked])
    return [
        _make_hit(
            query[asked[number]],
            passages[place],
            score,
            relevance,
            windows[number][1].span,
            partial(_same, windows[number][1]),
        )
        for place, relevance in zip(ranked, scaled, strict=True)
        for score, number in [best[place]]
    ]


def blank_hits(passages: Sequence[Passage], scores: Sequence[float]) -> list[Hit]:
    """Return hits that nothing was compared with: relevance 0, no evidence, and no higher score.

    Args:
        passages: the blank passages.
        scores: those of all other hits.
    """
    score = min(0.0, *scores) if scores else 0.0
    return [
        Hit(one.id, score, 0.0, one.text, copy.deepcopy(dict(one.metadata))) for one in passages
    ]


def explain_row(query: Sequence[Query], row: int, passage: Passage, index: Index) -> Explanation:
    """Explain the score of one live row."""
    (answer,) = ask(index, [query], 1, np.array([row]))
    return explain_answer(query, answer, index.segments, passage)


def explain_answer(
    query: Sequence[Query], answer: Answer, stored: StoredWindows, passage: Passage
) -> Explanation:
    """Explain the score of the one row that an answer ranks.

    Args:
        query: the windows of what was asked.
        answer: what was answered.
        stored: the windows of what was searched.
        passage: the row's.
    """
    asked, row = query[int(answer.asked[0])], int(answer.ranking.rows[0])
    hit = ranked_hits(query, answer, stored, {row: passage}, 1)[0]
    window = _within(stored.window(row, int(answer.ranking.windows[0])), passage)
    best = similarities(asked.encoded.vectors, window.encoded.vectors).max(axis=1)
    spans = asked.encoded.spans
    total = best.sum()
    share = float(best[spans[:, 1] > spans[:, 0]].sum() / total) if total else 0.0
    return Explanation(
        asked.text,
        passage,
        hit.score,
        hit.relevance,
        hit.evidence,
        share,
        hit.window,
        compare_tokens(asked.encoded, asked.text, window, passage.text),
        asked.span,
    )


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
