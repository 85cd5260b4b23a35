"""Passages that look like answers and are none, found by the model that is to learn the difference.

What scores nearly as well as an answer is often one that nobody labelled, and to train against it
does harm: it is kept out by comparing its mean cosine with that of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .._support.progress import ProgressLike, reporting
from ..errors import ConfigError
from ..index.maxsim import maxsim

if TYPE_CHECKING:
    from ..retriever import Retriever
    from ..types import Mode, TokenMatrix
    from .labels import Labelled

__all__ = ["Mining", "mine_negatives"]

_AT_ONCE = 64  # questions
_KEPT = 2_000  # passages whose vectors are kept between questions


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
        self._how = how
        self._texts = texts
        self._vectors: dict[str, TokenMatrix] = {}

    def mine(self, questions: Sequence[Labelled]) -> list[Labelled]:
        open_ones = [one for one in questions if not one.negatives]
        ranked = self._ranked([one.question for one in open_ones])
        mined = {
            one.question: replace(one, negatives=self._negatives(one, ids))
            for one, ids in zip(open_ones, ranked, strict=True)
        }
        return [mined.get(one.question, one) for one in questions]

    def _ranked(self, texts: list[str]) -> list[list[str]]:
        """Return what may become negatives of each question, best first."""
        if not texts:
            return []
        how, retriever = self._how, self._retriever
        mode: Mode = "lexical" if how.lexical else "late"
        found = _ids(retriever.rank_many(texts, how.depth, mode=mode))
        if how.lexical or not how.below_lexical:
            return found
        lexical = _ids(retriever.rank_many(texts, how.below_lexical, mode="lexical"))
        return [
            [id for id in ids if id not in set(first)]
            for ids, first in zip(found, lexical, strict=True)
        ]

    def _negatives(self, one: Labelled, ids: Sequence[str]) -> tuple[str, ...]:
        """Return the best of them that are no answers, and score clearly less than one."""
        candidates = [id for id in ids if not one.grades.get(id)]
        if not self._how.lexical and candidates:
            answers = self._answers(one.positives)
            found = [self._vectors[id] for id in self._read(candidates)]
            scores = self._scores(one.question, [*answers, *found])
            limit = self._how.limit(max(scores[: len(answers)]))
            ranked = zip(candidates, scores[len(answers) :], strict=True)
            candidates = [id for id, score in ranked if score <= limit]
        return tuple(candidates[: self._how.number])

    def _scores(self, question: str, matrices: Sequence[TokenMatrix]) -> list[float]:
        """Return mean cosines; the scores of searches are sums, or something else."""
        (encoded,) = self._retriever.encoder.encode_query([question])
        return (maxsim([encoded.vectors], matrices)[0] / max(1, len(encoded))).tolist()

    def _answers(self, ids: Sequence[str]) -> list[TokenMatrix]:
        cut = [self._texts[id] for id in ids if id in self._texts]
        encoded = self._retriever.encoder.encode_document(cut) if cut else []
        stored = self._read([id for id in ids if id not in self._texts])
        return [*(one.vectors for one in encoded), *(self._vectors[id] for id in stored)]

    def _read(self, ids: Sequence[str]) -> Sequence[str]:
        """Have the vectors of passages at hand."""
        if len(self._vectors) > _KEPT:
            self._vectors.clear()
        new = [id for id in dict.fromkeys(ids) if id not in self._vectors]
        for id, windows in zip(new, self._retriever.vectors(new), strict=True):
            self._vectors[id] = np.concatenate(windows)
        return ids


def _ids(ranked: Sequence[Sequence[tuple[str, float]]]) -> list[list[str]]:
    return [[id for id, _ in hits] for hits in ranked]
