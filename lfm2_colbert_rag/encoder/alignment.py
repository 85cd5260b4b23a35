"""Taking language out of queries: which directions, how many and how far, found by measurement.

A late-interaction model that was trained with passages of one language at a time prefers passages
in the language of the question, whatever they say. What tells languages apart lies in few
directions: the means of texts that say the same in each differ by it (Yang et al., "A Simple and
Effective Method To Eliminate the Self Language Bias in Multilingual Representations", 2021; Xie et
al., "Discovering Low-rank Subspaces for Language-agnostic Multilingual Representations", 2022).
Here they are taken out of the queries alone, so that no passage is encoded again.

What is taken out is chosen by questions with known answers, half of which take no part in finding
the directions that they are asked with. Questions that have their answer in their own language
count as much as the others, and are guarded: they may lose a hundredth at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.products import product
from .query_adapter import QueryAdapter, weights_of
from .removals import QUESTIONS, EncodedTexts, Measured, Removal, removals

if TYPE_CHECKING:
    from .aligned_texts import AlignedTexts
    from .protocol import Encoder

GUARD = 0.01
"""What questions may lose, of nDCG, that have their answer in their own language."""
_GAIN = 0.005  # less is no reason to change anything
# By less than that other ways than the means of questions are not better: it is two standard errors
# with the bundled texts, and what is taken out of questions is best found in questions.
_MARGIN = 0.01


@dataclass(frozen=True)
class Trial:
    """Something that was taken out, and how questions do without it."""

    removal: Removal
    measured: Measured

    def keeps(self, plain: Measured) -> bool:
        """Tell whether questions with answers in their own language do as well as plain."""
        return self.measured.within >= plain.within - GUARD


@dataclass(frozen=True, eq=False)
class Alignment:
    """What an alignment found.

    Attributes:
        model: the encoder's name.
        texts: what it was measured on, for people.
        languages: of these.
        plain: how questions do as they are.
        trials: what was tried.
        adapter: the adapter; None where nothing is gained.
    """

    model: str
    texts: str
    languages: tuple[str, ...]
    plain: Measured
    trials: tuple[Trial, ...]
    adapter: QueryAdapter | None

    @property
    def best(self) -> Trial | None:
        """The trial that helps most, across and within languages together, and keeps the latter.

        That of the means of questions, unless another is clearly better.
        """
        return _best(self.plain, self.trials)

    def best_of(self, way: str) -> Trial | None:
        """Return the best of one way to find directions."""
        return _best(self.plain, [one for one in self.trials if one.removal.way == way])


def align(
    encoder: Encoder,
    texts: AlignedTexts,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> Alignment:
    """Find what to take out of an encoder's questions so that their language decides less.

    Args:
        encoder: any model.
        texts: the same in several languages.
        progress: called with 1 for each question of each language.

    Returns:
        What was tried, and the adapter, if one is worth having.

    Example:
        >>> from lfm2_colbert_rag import AlignedTexts, align, load_encoder
        >>> found = align(load_encoder("nano"), AlignedTexts.bundled())  # doctest: +SKIP
        >>> found.adapter.save(Path("query_adapter.safetensors"))  # doctest: +SKIP
    """
    encoded = EncodedTexts.of(encoder, texts)
    tried = removals(len(texts.languages))
    plain, measured = encoded.measure(tried, progress)
    trials = tuple(map(Trial, tried, measured))
    best = _best(plain, trials)
    adapter = None
    if best is not None and best.measured.across >= plain.across + _GAIN:
        directions = encoded.directions(best.removal.way)[: best.removal.number]
        taken = best.removal.strength * product(directions.T, directions)
        matrix = np.eye(len(taken), dtype=np.float32) - taken.astype(np.float32)
        origin = _origin(best, plain, texts)
        adapter = QueryAdapter(matrix, weights_of(encoder), "mixed", origin)
    return Alignment(encoder.name, texts.name, texts.languages, plain, trials, adapter)


def _best(plain: Measured, trials: Sequence[Trial]) -> Trial | None:
    kept = [one for one in trials if one.keeps(plain)]
    return max(kept, key=_worth, default=None)


def _worth(trial: Trial) -> float:
    margin = _MARGIN if trial.removal.way == QUESTIONS else 0.0
    return trial.measured.across + trial.measured.within + margin


def _origin(best: Trial, plain: Measured, texts: AlignedTexts) -> dict[str, Any]:
    return {
        "summary": str(best.removal),
        "directions": best.removal.way,
        "number": best.removal.number,
        "strength": best.removal.strength,
        "texts": texts.name,
        "languages": list(texts.languages),
        "across": [round(plain.across, 4), round(best.measured.across, 4)],
        "within": [round(plain.within, 4), round(best.measured.within, 4)],
    }
