"""What a search found, before anybody reads it: made into hits, or into ids and scores alone.

Texts are read and relevance is worked out for hits only. Who wants thousands of rankings, as an
evaluation does, has no use for either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ...index.lexical.bm25 import LexicalRanking
from ...types import Hit, Leg, Match, Passage
from .chance import Chance
from .hits import StoredWindows, lexical_hits, lexical_order, ranked_hits, ranked_order
from .late import Answer, Query
from .questions import Question

Ranked = list[tuple[str, float]]


class Found(ABC):
    """What some questions found in one generation."""

    @abstractmethod
    def hits(self, k: int) -> list[list[Hit]]:
        """Return the best k hits of each question, best first; equal scores are ordered by id."""

    @abstractmethod
    def ranks(self, k: int) -> list[Ranked]:
        """Return ids and scores of the same."""


@dataclass(frozen=True, eq=False)
class VectorsFound(Found):
    """Found by late interaction, alone or with BM25.

    Attributes:
        questions: what was asked.
        queries: the windows of each.
        answers: what the index answered to each.
        legs: of each, by row, what each leg gave; None where late interaction was alone.
        passages: the ranked passages, by row.
        stored: the windows of what was searched.
        chance: what is known of scores by chance.
    """

    questions: Sequence[Question]
    queries: Sequence[Sequence[Query]]
    answers: Sequence[Answer]
    legs: Sequence[Mapping[int, Mapping[str, Leg]] | None]
    passages: Mapping[int, Passage]
    stored: StoredWindows
    chance: Chance

    def hits(self, k: int) -> list[list[Hit]]:
        """See :meth:`Found.hits`."""
        queries = [
            windows if len(windows) > 1 else windows_asked(question, self.chance)
            for question, windows in zip(self.questions, self.queries, strict=True)
        ]
        return [
            ranked_hits(query, answer, self.stored, self.passages, k, legs)
            for query, answer, legs in zip(queries, self.answers, self.legs, strict=True)
        ]

    def ranks(self, k: int) -> list[Ranked]:
        """See :meth:`Found.ranks`."""
        passages = self.passages
        return [
            [(passages[one.row].id, one.score) for one in ranked_order(answer, passages, k)]
            for answer in self.answers
        ]


@dataclass(frozen=True, eq=False)
class TermsFound(Found):
    """Found by BM25 alone.

    Attributes:
        texts: what was asked.
        rankings: what the lexical index answered to each.
        passages: the ranked passages, by row.
        find_evidence: finds what of a text answered in a row, when it is asked for.
    """

    texts: Sequence[str]
    rankings: Sequence[LexicalRanking]
    passages: Mapping[int, Passage]
    find_evidence: Callable[[str, int], tuple[Match, ...]]

    def hits(self, k: int) -> list[list[Hit]]:
        """See :meth:`Found.hits`."""
        return [
            lexical_hits(ranking, self.passages, k, partial(self.find_evidence, text))
            for text, ranking in zip(self.texts, self.rankings, strict=True)
        ]

    def ranks(self, k: int) -> list[Ranked]:
        """See :meth:`Found.ranks`."""
        passages = self.passages
        return [
            [(passages[row].id, score) for row, score in lexical_order(one, passages, k)]
            for one in self.rankings
        ]


def windows_asked(question: Question, chance: Chance | None = None) -> list[Query]:
    """Return the windows of a question, and what each scores by chance."""
    whole = len(question.windows) == 1
    return [
        Query(
            question.text,
            window.encoded,
            None if chance is None else chance.baseline(window.encoded.vectors),
            None if whole else window.span,
        )
        for window in question.windows
    ]


def windows_to_rank(question: Question, chance: Chance) -> list[Query]:
    """Return the windows of a question as ranking needs them.

    What a question scores by chance orders nothing where it has one window.
    """
    return windows_asked(question, chance if len(question.windows) > 1 else None)
