"""What windows of a long question score, and ways to make one score of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfm2_colbert_rag.encoder import Encoder
from lfm2_colbert_rag.retriever.search.relevance import WINDOWS, BaselineSample, WindowVectors

from .talk import Talk

Values = npt.NDArray[np.float64]
BEST = "best deviation"


@dataclass(frozen=True)
class Scores:
    """What the windows of a question score.

    Attributes:
        scores: ``(windows, passages)`` MaxSim.
        means: ``(windows, 1)`` of what each scores by chance.
        stds: ``(windows, 1)``.
        lengths: ``(windows, 1)`` vectors of each.
    """

    scores: Values
    means: Values
    stds: Values
    lengths: Values

    @classmethod
    def joined(cls, parts: Sequence[Scores]) -> Scores:
        """Return all windows of several ways to cut."""
        columns = zip(
            *((one.scores, one.means, one.stds, one.lengths) for one in parts), strict=True
        )
        return cls(*(np.concatenate(column) for column in columns))

    @property
    def deviations(self) -> Values:
        """How far scores lie above chance."""
        return (self.scores - self.means) / self.stds


MERGED: Mapping[str, Callable[[Scores], Values]] = {
    "sum of all vectors": lambda one: one.scores.sum(axis=0),
    "mean of mean cosines": lambda one: (one.scores / one.lengths).mean(axis=0),
    "best MaxSim": lambda one: one.scores.max(axis=0),
    "best mean cosine": lambda one: (one.scores / one.lengths).max(axis=0),
    BEST: lambda one: one.deviations.max(axis=0),
    "sum of deviations": lambda one: one.deviations.sum(axis=0),
    "best deviation, a tenth of the others": lambda one: (
        0.9 * one.deviations.max(axis=0) + 0.1 * one.deviations.sum(axis=0)
    ),
    "sum of cubed deviations": lambda one: (np.maximum(one.deviations, 0) ** 3).sum(axis=0),
    "the window that finds most": lambda one: one.scores[int(one.deviations.max(axis=1).argmax())],
}


class Collection:
    """Encoded passages, and what questions score on them."""

    def __init__(self, encoder: Encoder, talk: Talk) -> None:
        self._encoder = encoder
        encoded = encoder.encode_document([one.text for one in talk.passages])
        self._passages = WindowVectors.of([one.vectors for one in encoded])
        chosen = np.random.default_rng(0).permutation(len(encoded))[:WINDOWS]
        self._chance = BaselineSample.of([encoded[place].vectors for place in chosen])

    def ask(self, windows: list[str]) -> Scores:
        """Score all passages with each window."""
        queries = [one.vectors for one in self._encoder.encode_query(windows)]
        rows = [self._passages.scores(one) for one in queries]
        chances = [self._chance.baseline(one) for one in queries]
        columns = ([one.mean for one in chances], [one.std for one in chances], map(len, queries))
        return Scores(np.array(rows, float), *(np.array([*one], float)[:, None] for one in columns))
