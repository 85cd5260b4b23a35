"""What a model must not forget: everyday matters in many languages, and the user's own guard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .._support.progress import ProgressLike
from ..encoder.aligned_texts import AlignedTexts
from ..encoder.removals import EncodedTexts
from .identity import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..encoder import Encoder
    from ..evaluation import Dataset
    from ..retriever import Retriever
    from ..types import TokenMatrix
    from .candidates import Served

__all__ = ["Drift", "Guarded", "guard_bundled", "guard_own"]

MEASURE = "nDCG@10"
ACROSS, WITHIN, OWN = "across languages", "within a language", "own guard"
_QUESTIONS = 300  # of the user's guard, evenly spaced
# The bundled texts as the last two models encode them, by the models' digests: no secret.
_ENCODED: dict[str, EncodedTexts] = {}


@dataclass(frozen=True, eq=False)
class Guarded:
    """What the questions of a guard score, with the present model and with the new one.

    Attributes:
        name: which guard.
        before: the value of each question with the present model.
        after: the same with the new one.
    """

    name: str
    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """How like the vectors of the two models are for the same tokens, as mean cosines.

    Attributes:
        questions: of questions, as they are asked.
        passages: of passages.
    """

    questions: float
    passages: float


def guard_bundled(before: Served, after: Served) -> tuple[list[Guarded], Drift | None]:
    """Ask the questions that come with the library, in 17 languages, of its own passages.

    A value is the mean nDCG of a question in all languages, its answers being among passages about
    other things in all languages: those in other languages, and that in its own.

    Returns:
        Both guards, and how far vectors moved; None where the models' tokens are not the same.
    """
    first, second = (_encoded(one.retriever.encoder) for one in (before, after))
    maps = [None if one.map is None else one.map.map for one in (before, after)]
    both = list(zip((first, second), maps, strict=True))
    values = [_by_text(encoded.gains(mapped), len(encoded.questions)) for encoded, mapped in both]
    found = [
        Guarded(name, values[0][:, column], values[1][:, column])
        for column, name in enumerate((ACROSS, WITHIN))
    ]
    asked = [
        [matrix if mapped is None else mapped(matrix) for matrix in _flat(encoded.questions)]
        for encoded, mapped in both
    ]
    told = [list(_flat(encoded.passages)) for encoded in (first, second)]
    cosines = _mean_cosine(*asked), _mean_cosine(*told)
    drift = None if cosines[0] is None or cosines[1] is None else Drift(cosines[0], cosines[1])
    return found, drift


def guard_own(
    folder: Path, before: Served, after: Served, *, progress: ProgressLike = None
) -> Guarded:
    """Ask the judged queries of a folder of the user's, by late interaction.

    Raises:
        InputError, ConfigError, OSError: it is no such folder, see ``load_dataset``.
    """
    from ..evaluation import load_dataset
    from ..evaluation.evaluating import index_dataset

    dataset = load_dataset(folder, missing="drop").sample(_QUESTIONS)
    with index_dataset(dataset, before.retriever.encoder, progress=progress) as made:
        first = _values(dataset, made, before)
        if after.retriever.encoder is before.retriever.encoder:
            return Guarded(OWN, first, _values(dataset, made, after))
    with index_dataset(dataset, after.retriever.encoder, progress=progress) as made:
        return Guarded(OWN, first, _values(dataset, made, after))


def _values(dataset: Dataset, made: Retriever, served: Served) -> npt.NDArray[np.float64]:
    """Return what each query scores, ids ascending."""
    from ..evaluation import evaluate

    adapter = "none" if served.map is None else served.map
    found = evaluate(
        dataset, made, (MEASURE,), modes=["late"], worst=0, query_adapter=adapter, progress=False
    )
    return np.array([value for _, value in sorted(found.result().per_query[MEASURE].items())])


def _encoded(encoder: Encoder) -> EncodedTexts:
    """Encode the bundled texts, once for each of the last two models."""
    name = digest_of(encoder)
    if (known := _ENCODED.get(name)) is not None:
        return known
    texts = AlignedTexts.bundled()
    asked, told = (
        [[one.vectors for one in encode(side[language])] for language in texts.languages]
        for encode, side in (
            (encoder.encode_query, texts.questions),
            (encoder.encode_document, texts.passages),
        )
    )
    found = EncodedTexts(asked, [], told)
    for older in list(_ENCODED)[:-1]:
        _ENCODED.pop(older, None)
    _ENCODED[name] = found
    return found


def _by_text(gains: npt.NDArray[np.float64], languages: int) -> npt.NDArray[np.float64]:
    """Return a mean for each text: what it scores in 17 languages are not 17 independent values."""
    return gains.reshape(languages, -1, gains.shape[1]).mean(axis=0)


def _flat(matrices: list[list[TokenMatrix]]) -> Iterator[TokenMatrix]:
    return (matrix for side in matrices for matrix in side)


def _mean_cosine(first: list[TokenMatrix], second: list[TokenMatrix]) -> float | None:
    if any(a.shape != b.shape for a, b in zip(first, second, strict=True)):
        return None
    cosines = [np.einsum("ij,ij->i", a, b) for a, b in zip(first, second, strict=True)]
    return float(np.concatenate(cosines).mean())
