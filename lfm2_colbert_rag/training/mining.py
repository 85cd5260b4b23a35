"""Passages that look like answers and are none, found by the model that is to learn the difference.

What scores nearly as well as an answer is often one that nobody labelled, and to train against it
does harm: it is kept out by comparing its mean cosine with that of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .._support.progress import ProgressLike, reporting
from ..encoder.protocol import query_room
from ..errors import ConfigError
from ..index.maxsim import maxsim

if TYPE_CHECKING:
    from ..retriever import Retriever
    from ..types import Mode, TokenMatrix
    from .labels import Labelled

__all__ = ["Mining", "mine_negatives"]

_AT_ONCE = 64  # questions


@dataclass(frozen=True)
class Mining:
    """Which passages become negatives.

    Attributes:
        number: how many a question.
        depth: among so many first hits of the current model.
        margin: how near to the best answer they may score: with .95 they lie a twentieth of the
            answer's mean cosine below it at least, whichever sign that has.
        below_lexical: leave out the first so many hits of BM25, which are often answers where
            questions are titles; 0 leaves out none.
        lexical: take BM25's first hits, whatever they score: to see what that does to a model.

    Raises:
        ConfigError: a number that cannot be used.
    """

    number: int = 1
    depth: int = 40
    margin: float = 0.95
    below_lexical: int = 0
    lexical: bool = False

    def __post_init__(self) -> None:
        """Refuse what finds nothing."""
        if min(self.number, self.depth) < 1 or self.below_lexical < 0 or not 0 < self.margin <= 1:
            raise ConfigError(
                f"mining takes a number and a depth of at least 1, a margin above 0 and up to 1, "
                f"not {self.number!r}, {self.depth!r} and {self.margin!r}."
            )

    def limit(self, best: float) -> float:
        """Return the mean cosine up to which a passage is a negative, given that of the answer.

        Example:
            >>> Mining().limit(0.8), round(Mining().limit(-0.2), 3)
            (0.76, -0.21)
        """
        return best - (1 - self.margin) * abs(best)


def mine_negatives(
    retriever: Retriever,
    questions: Sequence[Labelled],
    how: Mining | None = None,
    *,
    texts: Mapping[str, str] | None = None,
    progress: ProgressLike = None,
) -> list[Labelled]:
    """Give each question that has no negatives some.

    Args:
        retriever: the index; its model ranks.
        questions: labelled questions.
        how: which passages to take.
        texts: of answers by their ids, where they are compared with a part of what the index has:
            a passage without the title that is its question.
        progress: see ``Retriever.add``; it counts questions.

    Returns:
        The questions in their order. One for which nothing is left stays without.
    """
    chosen = Mining() if how is None else how
    miner = _Miner(retriever, chosen, {} if texts is None else texts)
    found: list[Labelled] = []
    with reporting(progress, len(questions), "mining") as report:
        for start in range(0, len(questions), _AT_ONCE):
            some = questions[start : start + _AT_ONCE]
            found += miner.mine(some)
            report(len(some))
    return found


class _Miner:
    def __init__(self, retriever: Retriever, how: Mining, texts: Mapping[str, str]) -> None:
        self._retriever = retriever
        self._encoder = retriever.encoder
        self._adapter = retriever.query_adapter
        self._how = how
        self._texts = texts

    def mine(self, questions: Sequence[Labelled]) -> list[Labelled]:
        """Return questions with negatives for those that have none, in their order."""
        open_ones = [one for one in questions if not one.negatives]
        if not open_ones:
            return list(questions)
        texts = [one.question for one in open_ones]
        if self._how.lexical:
            found = [list(ranked) for ranked in self._ranked(texts, self._how.depth, "lexical")]
        else:
            found = self._clearly_less(open_ones)
        mined = {
            one.question: replace(one, negatives=tuple(self._kept(one, ids)))
            for one, ids in zip(open_ones, found, strict=True)
        }
        return [mined.get(one.question, one) for one in questions]

    def _kept(self, one: Labelled, ids: Sequence[str]) -> list[str]:
        return [id for id in ids if not one.grades.get(id)][: self._how.number]

    def _ranked(self, texts: list[str], depth: int, mode: Mode) -> list[dict[str, float]]:
        return [dict(hits) for hits in self._retriever.rank_many(texts, depth, mode=mode)]

    def _clearly_less(self, questions: Sequence[Labelled]) -> list[list[str]]:
        """Return for each question what scores clearly less than an answer to it, best first."""
        texts = [one.question for one in questions]
        ranked = self._ranked(texts, self._how.depth, "late")
        led: list[dict[str, float]] = [{} for _ in texts]
        if self._how.below_lexical:
            led = self._ranked(texts, self._how.below_lexical, "lexical")
        asked = self._encoder.encode_query(texts)
        spans = self._encoder.token_spans(texts)
        found = []
        for place, one in enumerate(questions):
            question = self._mapped(asked[place].vectors)
            scores = self._scores(question, ranked[place], tokens=len(spans[place]))
            limit = self._how.limit(self._best_answer(one, question, scores))
            kept = (id for id, score in scores.items() if score <= limit)
            found.append([id for id in kept if id not in led[place]])
        return found

    def _scores(
        self, question: TokenMatrix, ranked: Mapping[str, float], *, tokens: int
    ) -> dict[str, float]:
        """Return the mean cosines of hits: their scores are sums of these.

        What is not read at once is asked in sentences, and scores otherwise.
        """
        if tokens > query_room(self._encoder):
            return dict(zip(ranked, self._cosines(question, self._stored(ranked)), strict=True))
        return {id: score / max(1, len(question)) for id, score in ranked.items()}

    def _best_answer(
        self, one: Labelled, question: TokenMatrix, scores: Mapping[str, float]
    ) -> float:
        """Return the highest mean cosine of an answer, as the text that trains."""
        cut = [self._texts[id] for id in one.positives if id in self._texts]
        rest = [id for id in one.positives if id not in self._texts]
        matrices = [one.vectors for one in self._encoder.encode_document(cut)] if cut else []
        matrices += self._stored(id for id in rest if id not in scores)
        known = [scores[id] for id in rest if id in scores]
        return max([*known, *self._cosines(question, matrices)])

    def _mapped(self, vectors: TokenMatrix) -> TokenMatrix:
        return vectors if self._adapter is None else self._adapter.map(vectors)

    def _stored(self, ids: Iterable[str]) -> list[TokenMatrix]:
        return [np.concatenate(windows) for windows in self._retriever.vectors(list(ids))]

    @staticmethod
    def _cosines(question: TokenMatrix, matrices: Sequence[TokenMatrix]) -> list[float]:
        return (maxsim([question], matrices)[0] / max(1, len(question))).tolist()
