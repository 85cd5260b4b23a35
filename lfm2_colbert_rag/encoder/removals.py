"""What may be taken out of questions, tried on aligned texts: the measurements of an alignment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._support.products import product

if TYPE_CHECKING:
    from ..types import TokenMatrix
    from .aligned_texts import AlignedTexts
    from .protocol import Encoder

QUESTIONS = "questions"
WAYS = {
    QUESTIONS: "the means of questions",
    "texts": "the means of questions and passages",
    "translations": "what translations differ by",
}
NUMBERS = (1, 2, 3, 4, 6, 9, 12, 16)
STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0)
_LEAST = 1e-9  # length of a vector that is divided by


@dataclass(frozen=True)
class Removal:
    """What is taken out of questions.

    Attributes:
        way: how the directions are found, one of :data:`WAYS`.
        number: how many of them.
        strength: how much of what lies along them, 0..1.
    """

    way: str
    number: int
    strength: float

    def __str__(self) -> str:
        """Say it in words."""
        some = "1 direction" if self.number == 1 else f"{self.number} directions"
        part = "" if self.strength == 1 else f"{self.strength:.0%} of "
        return f"without {part}{some} of {WAYS[self.way]}"


def removals(languages: int) -> list[Removal]:
    """Return all that can be tried with so many languages."""
    return [
        Removal(way, number, strength)
        for way in WAYS
        for number in NUMBERS
        if number < languages
        for strength in STRENGTHS
    ]


@dataclass(frozen=True)
class Measured:
    """How questions do.

    Attributes:
        across: mean nDCG of questions whose answer is in another language, among passages of all.
        within: the same of those whose answer is in their own.
    """

    across: float
    within: float


@dataclass(frozen=True, eq=False)
class EncodedTexts:
    """Aligned texts as a model encodes them, ``[language][text]``.

    Attributes:
        questions: the questions.
        told: the passages, encoded as questions.
        passages: the passages.
    """

    questions: list[list[TokenMatrix]]
    told: list[list[TokenMatrix]]
    passages: list[list[TokenMatrix]]

    @classmethod
    def of(cls, encoder: Encoder, texts: AlignedTexts) -> EncodedTexts:
        """Encode them."""

        def vectors(encode: Callable[..., Any], side: Any) -> list[list[TokenMatrix]]:
            return [[one.vectors for one in encode(side[lang])] for lang in texts.languages]

        return cls(
            vectors(encoder.encode_query, texts.questions),
            vectors(encoder.encode_query, texts.passages),
            vectors(encoder.encode_document, texts.passages),
        )

    def directions(self, way: str, chosen: slice = slice(None)) -> TokenMatrix:
        """Return the directions that tell languages apart, the most telling first.

        Args:
            way: one of :data:`WAYS`.
            chosen: the texts that are looked at.

        Returns:
            ``(n, dim)`` float32, orthonormal; fewer than there are languages.
        """
        sides = [self.questions] if way == QUESTIONS else [self.questions, self.told]
        counted = np.array(
            [
                [_counted(one) for side in sides for one in side[language][chosen]]
                for language in range(len(self.questions))
            ]
        )
        if way != "translations":
            counted = counted.sum(axis=1)
        means = counted[..., :-1] / counted[..., -1:]
        spread = (means - means.mean(axis=0)).reshape(-1, means.shape[-1])
        most = min(len(self.questions) - 1, means.shape[-1])
        return np.linalg.svd(spread, full_matrices=False)[2][:most].astype(np.float32)

    def measure(
        self, tried: Sequence[Removal], progress: Callable[[int], None]
    ) -> tuple[Measured, list[Measured]]:
        """Ask every question as it is, and with everything taken out that is tried.

        Directions are found in one half of the texts and tried on the questions of the other.

        Args:
            tried: what to take out.
            progress: called with 1 for each question.

        Returns:
            How questions do as they are, and with each of ``tried``.
        """
        found = []
        for half in (0, 1):
            known = {way: self._known(way, slice(1 - half, None, 2)) for way in WAYS}
            for language, questions in enumerate(self.questions):
                for text in range(half, len(questions), 2):
                    compared = self._compared(questions[text], tried, known)
                    found.append([self._gains(one, language, text) for one in compared])
                    progress(1)
        means = np.mean(found, axis=0).tolist()
        plain, *others = (Measured(*one) for one in means)
        return plain, others

    def gains(
        self, mapped: Callable[[TokenMatrix], TokenMatrix] | None = None
    ) -> npt.NDArray[np.float64]:
        """Return what each question adds to the means of :class:`Measured`, language by language.

        Args:
            mapped: a map on the vectors of questions; None for none.

        Returns:
            ``(languages * texts, 2)`` float64: across, within.
        """
        found = []
        for language, questions in enumerate(self.questions):
            together = np.concatenate(questions)
            vectors = together if mapped is None else mapped(together)
            cosines = product(vectors, self._ends[0].T)
            ends = np.cumsum([0, *map(len, questions)])
            for text in range(len(questions)):
                scores = self._scores(cosines[ends[text] : ends[text + 1]])
                found.append(self._gains(scores, language, text))
        return np.array(found)

    def _known(self, way: str, chosen: slice) -> tuple[TokenMatrix, TokenMatrix]:
        """Return directions, and how far the passages' vectors lie along them."""
        directions = self.directions(way, chosen)
        return directions, product(directions, self._ends[0].T)

    def _compared(
        self,
        question: TokenMatrix,
        tried: Sequence[Removal],
        known: dict[str, tuple[TokenMatrix, TokenMatrix]],
    ) -> Iterator[npt.NDArray[np.float64]]:
        """Yield ``(languages, texts)`` mean cosines: as a question is, and as it is tried."""
        cosines = product(question, self._ends[0].T)
        yield self._scores(cosines)
        squares = np.einsum("ij,ij->i", question, question)
        taken: dict[tuple[str, int], tuple[TokenMatrix, TokenMatrix]] = {}
        for one in tried:
            key = one.way, one.number
            if key not in taken:
                directions, along = known[one.way]
                parts = product(question, directions[: one.number].T)
                taken[key] = product(parts, along[: one.number]), np.square(parts).sum(axis=1)
            removed, length = taken[key]
            left = squares - (2 * one.strength - one.strength**2) * length
            lengths = np.sqrt(np.maximum(left, _LEAST**2))
            yield self._scores((cosines - one.strength * removed) / lengths[:, None])

    def _scores(self, cosines: TokenMatrix) -> npt.NDArray[np.float64]:
        """Return how well each passage answers, of the cosines with all their vectors."""
        best = np.maximum.reduceat(cosines, self._ends[1], axis=1)
        return best.mean(axis=0, dtype=np.float64).reshape(len(self.passages), -1)

    @staticmethod
    def _gains(scores: npt.NDArray[np.float64], own: int, text: int) -> tuple[float, float]:
        """Return what one question adds to the means of :class:`Measured`.

        An answer competes with the passages about other things, in all languages.
        """
        others = np.delete(scores, text, axis=1).ravel()
        gains = 1 / np.log2(2 + (others[:, None] >= scores[:, text]).sum(axis=0))
        return float(np.delete(gains, own).mean()), float(gains[own])

    @cached_property
    def _ends(self) -> tuple[TokenMatrix, npt.NDArray[np.int64]]:
        """All passages end to end, and where each begins."""
        flat = [one for side in self.passages for one in side]
        return np.concatenate(flat), np.cumsum([0, *map(len, flat[:-1])])


def _counted(vectors: TokenMatrix) -> npt.NDArray[np.float64]:
    """Return the sum of a text's vectors, and behind it how many they are."""
    return np.append(vectors.sum(axis=0, dtype=np.float64), len(vectors))
