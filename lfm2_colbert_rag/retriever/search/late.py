"""The late leg: questions against an index, window by window.

A question of one window is ranked by its MaxSim. Of a longer one, each window is a question of its
own, and the best answer to any of them counts. Windows differ in what they score by chance, so
their scores are compared as deviations from that. Sums over windows would be sums over all that
the question is not about: benchmarks/long_questions.py compares the ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...index.base import Index, Ranking
from ...types import TokenVectors
from .relevance import Baseline, clipped, scaled
from .relevance import relevances as of_scores

PASSAGES = 100  # of an index, as far as allowance() asks


@dataclass(frozen=True, eq=False)
class Query:
    """What is asked at once: a question, or a window of one.

    Attributes:
        text: the whole question.
        encoded: the window's vectors, with spans in the whole question.
        baseline: what it scores by chance; None where that is not known.
        span: the window's characters ``[start, end)``; None for all of them.
    """

    text: str
    encoded: TokenVectors
    baseline: Baseline | None = None
    span: tuple[int, int] | None = None

    def deviations(self, scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return how far scores lie above chance; the mean cosines where that is not known."""
        if self.baseline is None:
            return scores / max(1, len(self.encoded))
        return (scores.astype(np.float64) - self.baseline.mean) / self.baseline.std

    def cosines(self, deviations: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return the mean cosines that :meth:`deviations` made something else of."""
        if self.baseline is None:
            return deviations.astype(np.float64)
        scores = deviations * self.baseline.std + self.baseline.mean
        return scores / max(1, len(self.encoded))


@dataclass(frozen=True, eq=False)
class Answer:
    """What an index answers to all windows of a question.

    Attributes:
        ranking: its scores are MaxSim where there is one window, else the best deviation from
            chance of any window.
        asked: ``(n,)`` int64 which of the windows that is.
    """

    ranking: Ranking
    asked: npt.NDArray[np.int64]

    @classmethod
    def joined(cls, answers: Sequence[Answer]) -> Answer:
        """Put answers of different rows together."""
        parts = [answer.ranking for answer in answers]
        asked = np.concatenate([answer.asked for answer in answers])
        rows = np.concatenate([one.rows for one in parts])
        scores = np.concatenate([one.scores for one in parts])
        places = np.concatenate([one.windows for one in parts])
        order = np.lexsort((rows, -scores))
        return cls(Ranking(rows[order], scores[order], places[order]), asked[order])

    def cut(self, k: int) -> Answer:
        """Keep the best k rows, and all that tie with the last of them."""
        ranking = self.ranking.cut(k)
        return Answer(ranking, self.asked[: len(ranking)])

    def cosines(self, windows: Sequence[Query]) -> npt.NDArray[np.float32]:
        """Return ``(n,)`` the mean cosine of a window's tokens and what answered them best."""
        scores = self.ranking.scores
        if len(windows) == 1:
            return scores / np.float32(max(1, len(windows[0].encoded)))
        cosines = np.empty(len(scores), np.float32)
        for number, window in enumerate(windows):
            mine = self.asked == number
            cosines[mine] = window.cosines(scores[mine])
        return cosines


def ask(
    index: Index,
    questions: Sequence[Sequence[Query]],
    k: int,
    rows: npt.NDArray[np.int64] | None = None,
) -> list[Answer]:
    """Rank passages for each question, in one pass over the index.

    What is among the best k of a question is so of the window that decides for it, so nothing is
    lost by asking each window for its best k.

    Args:
        index: what to search.
        questions: the windows of each.
        k: how many passages each wants.
        rows: ascending rows to which the search is limited; None for all.
    """
    vectors = [window.encoded.vectors for windows in questions for window in windows]
    rankings = iter(index.search(vectors, k, rows=rows))
    return [best_windows(windows, [next(rankings) for _ in windows], k) for windows in questions]


def best_windows(windows: Sequence[Query], rankings: Sequence[Ranking], k: int) -> Answer:
    """Rank each row by the window of the question that it answers best."""
    if len(windows) == 1:
        return Answer(rankings[0], np.zeros(len(rankings[0]), np.int64))
    rows = np.concatenate([one.rows for one in rankings])
    places = np.concatenate([one.windows for one in rankings])
    asked = np.repeat(np.arange(len(windows)), [len(one) for one in rankings])
    strengths = np.concatenate(
        [
            window.deviations(one.scores).astype(np.float32)
            for window, one in zip(windows, rankings, strict=True)
        ]
    )
    order = np.lexsort((asked, -strengths, rows))
    order = order[np.unique(rows[order], return_index=True)[1]]
    order = order[np.lexsort((rows[order], -strengths[order]))]
    return Answer(Ranking(rows[order], strengths[order], places[order]), asked[order]).cut(k)


def relevances(windows: Sequence[Query], scores: Sequence[float]) -> list[float]:
    """Scale the scores of one question's answers to 0..1.

    Args:
        windows: of the question.
        scores: as :class:`Answer` has them.
    """
    if len(windows) == 1:
        return of_scores(scores, len(windows[0].encoded), windows[0].baseline)
    if windows[0].baseline is None:
        return [clipped(score) for score in scores]
    allowed = allowance(len(windows))
    return [scaled(score - allowed) for score in scores]


def allowance(windows: int) -> float:
    """Return by how much the best of so many windows deviates more from chance than one would.

    It is what the largest of so many times :data:`PASSAGES` normal numbers is above the largest of
    :data:`PASSAGES`.

    Example:
        >>> round(allowance(1), 2), round(allowance(25), 2)
        (0.0, 0.92)
    """
    return float(np.sqrt(2 * np.log(windows * PASSAGES)) - np.sqrt(2 * np.log(PASSAGES)))


def joined(windows: Sequence[Query]) -> Query:
    """Return all windows of a question as one; nothing is known of its chance."""
    if len(windows) == 1:
        return windows[0]
    parts = [window.encoded for window in windows]
    encoded = replace(
        parts[0],
        vectors=np.concatenate([one.vectors for one in parts]),
        token_ids=np.concatenate([one.token_ids for one in parts]),
        spans=np.concatenate([one.spans for one in parts]),
    )
    return Query(windows[0].text, encoded)
