"""The queries that went worst: what should have been found, what came instead, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import PassageNotFoundError
from ..retriever.search.asked import check_mode
from ..retriever.search.evidence import telling_matches
from ..types import Hit, Match
from .datasets import Dataset
from .own_passages import others
from .results import Answer, Evidence, Failure, ModeResult

if TYPE_CHECKING:
    from ..retriever.facade import Retriever
    from ..retriever.search.adapting import QueryAdapterLike

__all__ = ["collect_failures"]

_LOOKED = 1000  # hits among which the right passage is looked for
_EXPECTED, _FOUND = 3, 3  # passages of each kind that are shown
_SHOWN = 420  # characters of a passage
_LEAD_IN = 80  # characters before its first match


def collect_failures(
    retriever: Retriever,
    dataset: Dataset,
    result: ModeResult,
    limit: int,
    query_adapter: QueryAdapterLike | None = None,
) -> tuple[Failure, ...]:
    """Ask the worst queries again, deeper, and collect their evidence.

    Args:
        retriever: the index.
        dataset: queries and judgements.
        result: what a mode gave; the first measure decides which queries are worst, of equal ones
            the smaller id comes first. Queries with a perfect value are never among them.
        limit: how many queries at most.
        query_adapter: see ``Retriever.search``.
    """
    values = next(iter(result.per_query.values()))
    worst = sorted(
        (value, query)
        for query, value in values.items()
        if value < 1
        and query in dataset.queries
        and any(grade > 0 for grade in dataset.qrels[query].values())
    )
    mode = check_mode(result.mode)
    failures = []
    for value, query in worst[:limit]:
        text = dataset.queries[query]
        looked = max(1, min(_LOOKED, dataset.passages))
        hits = retriever.search(text, looked, mode=mode, query_adapter=query_adapter)
        if dataset.leave_out_own:
            hits = others(query, hits, looked)
        grades = dataset.qrels[query]
        failures.append(
            Failure(
                query,
                text,
                value,
                _expected(retriever, text, hits, grades, query_adapter),
                tuple(
                    _from_hit(text, hit, rank, grades.get(hit.id))
                    for rank, hit in enumerate(hits[:_FOUND], 1)
                ),
                looked,
            )
        )
    return tuple(failures)


def _expected(
    retriever: Retriever,
    query: str,
    hits: Sequence[Hit],
    grades: Mapping[str, int],
    adapter: QueryAdapterLike | None,
) -> tuple[Answer, ...]:
    ranks = {hit.id: rank for rank, hit in enumerate(hits, 1)}
    relevant = sorted((-grade, id) for id, grade in grades.items() if grade > 0)
    answers = []
    for negative, id in relevant[:_EXPECTED]:
        if id in ranks:
            answers.append(_from_hit(query, hits[ranks[id] - 1], ranks[id], -negative))
        else:
            answers.append(_not_found(retriever, query, id, -negative, adapter))
    return tuple(answers)


def _from_hit(query: str, hit: Hit, rank: int, grade: int | None) -> Answer:
    matches = telling_matches(query, hit.text, hit.evidence)
    text, evidence = _excerpt(query, hit.text, matches, hit.window)
    return Answer(hit.id, rank, grade, text, hit.score, hit.relevance, evidence)


def _not_found(
    retriever: Retriever, query: str, id: str, grade: int, adapter: QueryAdapterLike | None
) -> Answer:
    try:
        explained = retriever.explain(query, id, query_adapter=adapter)
    except PassageNotFoundError:  # judgements of missing passages were kept
        return Answer(id, None, grade, "")
    passage = explained.passage
    matches = telling_matches(query, passage.text, explained.matches)
    text, evidence = _excerpt(query, passage.text, matches, explained.window)
    return Answer(id, None, grade, text, None, None, evidence)


def _excerpt(
    query: str, text: str, matches: Sequence[Match], window: tuple[int, int] | None
) -> tuple[str, tuple[Evidence, ...]]:
    """Return the part of a text that shows its matches best, and those matches."""
    start = _best_start(text, matches) if matches else (window or (0, 0))[0]
    start = _word_start(text, start)
    end = min(len(text), start + _SHOWN)
    inside = [m for m in matches if m.passage_span[0] >= start and m.passage_span[1] <= end]
    head, tail = "…" if start else "", "…" if end < len(text) else ""
    shift = start - len(head)
    evidence = (
        Evidence(
            match.query_span,
            (match.passage_span[0] - shift, match.passage_span[1] - shift),
            round(match.strength, 3),
            (query[slice(*match.query_span)], text[slice(*match.passage_span)]),
        )
        for match in inside
    )
    return f"{head}{text[start:end]}{tail}", tuple(evidence)


def _best_start(text: str, matches: Sequence[Match]) -> int:
    """Return where an excerpt has to begin to show as much strength of matches as possible."""

    def shown(start: int) -> float:
        return sum(
            match.strength
            for match in matches
            if match.passage_span[0] >= start and match.passage_span[1] <= start + _SHOWN
        )

    latest = max(0, len(text) - _SHOWN)
    starts = (min(max(0, match.passage_span[0] - _LEAD_IN), latest) for match in matches)
    return max(sorted(starts), key=shown)


def _word_start(text: str, start: int) -> int:
    """Move a start behind the next space, if that is near; scripts without spaces keep it."""
    if start == 0:
        return 0
    space = text.find(" ", start, start + _LEAD_IN // 2)
    return start if space < 0 else space + 1
