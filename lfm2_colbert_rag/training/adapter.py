"""A matrix on the vectors of questions, learned without encoding anything again.

Passages stay as they are, so all that is needed are vectors that were computed once. With so few
numbers to learn, numpy is as fast as torch, and nothing has to be installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._support.products import product
from .._support.token_vectors import check_matrix
from ..errors import InputError
from ..types import TokenMatrix
from .batches import Batch, Batches
from .examples import Example
from .rates import rate
from .settings import TrainingSettings

Matrix = npt.NDArray[np.float32]

_BETAS, _EPSILON = (0.9, 0.999), 1e-8
_LONGEST_GRADIENT = 1.0
_LENGTH = 1e-9


@dataclass(frozen=True, eq=False)
class Fitted:
    """A matrix, and what it was like on the way there.

    Attributes:
        matrix: ``(dim, dim)`` float32; a question's vectors ``q`` become ``q @ matrix.T``.
        losses: of each step.
        right_before: share of the questions that put their answer first among the passages of a
            batch, before.
        right_after: the same with the matrix.
    """

    matrix: Matrix
    losses: tuple[float, ...]
    right_before: float
    right_after: float


def fit_adapter(
    questions: Sequence[TokenMatrix],
    positives: Sequence[Sequence[TokenMatrix]],
    negatives: Sequence[Sequence[TokenMatrix]],
    settings: TrainingSettings | None = None,
) -> Matrix:
    """Learn a matrix that turns the vectors of questions towards those of their answers.

    Args:
        questions: n matrices ``(tokens, dim)`` float32, the vectors of questions.
        positives: for each question those of passages that answer it, at least one.
        negatives: for each question those of passages that do not; may be empty. Passages with the
            same vectors are one passage, whoever names them.
        settings: steps, rate, batch, seed and temperature; the others mean nothing here.

    Returns:
        ``(dim, dim)`` float32, to be put into a :class:`~lfm2_colbert_rag.QueryAdapter`. The
        identity where there are no steps.

    Raises:
        InputError: lists of different lengths, a question without an answer, a matrix without
            vectors or of another width, or nothing to tell passages apart by.

    Example:
        >>> east, north = np.eye(2, dtype=np.float32)
        >>> asked = [east[None], north[None]]
        >>> found = fit_adapter(asked, [[north[None]], [east[None]]], [[], []])
        >>> bool(east @ found.T @ north > 0)
        True
    """
    if not len(questions) == len(positives) == len(negatives):
        raise InputError(
            f"{len(questions)} questions come with {len(positives)} lists of answers and "
            f"{len(negatives)} of negatives; give one of each for every question."
        )
    names: dict[bytes, str] = {}
    passages: dict[str, TokenMatrix] = {}

    def name(vectors: TokenMatrix) -> str:
        given = names.setdefault(np.ascontiguousarray(vectors).tobytes(), str(len(names)))
        passages.setdefault(given, vectors)
        return given

    examples = [
        Example(f"question {number}", tuple(map(name, right)), tuple(map(name, wrong)))
        for number, (right, wrong) in enumerate(zip(positives, negatives, strict=True))
    ]
    settings = settings or TrainingSettings()
    batches = Batches(examples, settings.plan.batch, settings.seed)
    return fit(questions, passages, batches, settings).matrix


def fit(
    questions: Sequence[TokenMatrix],
    passages: Mapping[str, TokenMatrix],
    batches: Batches,
    settings: TrainingSettings,
    *,
    measured: Sequence[Batch] = (),
    advance: Callable[[int], None] = lambda steps: None,
) -> Fitted:
    """Learn the matrix from the batches given; see :func:`fit_adapter`.

    Args:
        questions: vectors by the example's number.
        passages: vectors by name.
        batches: where examples are drawn from.
        settings: steps, rate and temperature.
        measured: on which it is told how many questions come out right.
        advance: called with 1 after each step.
    """
    vectors = vectors_of(questions, passages)
    matrix = np.eye(vectors.dim, dtype=np.float32)
    before = right(vectors, measured, matrix)
    optimiser, losses, plan = _Adam(matrix.shape), [], settings.plan
    for step, batch in enumerate(batches.drawn(plan.steps)):
        loss, gradient = loss_and_gradient(vectors, batch, matrix, settings.temperature)
        pace = np.float32(plan.learning_rate * rate((step + 1) / plan.steps))
        matrix = matrix - pace * optimiser.direction(_clipped(gradient))
        losses.append(loss)
        advance(1)
    identity = np.eye(vectors.dim, dtype=np.float32)
    matrix = (identity + np.float32(plan.mix) * (matrix - identity)).astype(np.float32)
    return Fitted(matrix, tuple(losses), before, right(vectors, measured, matrix))


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of one width, each text with one at least.

    Attributes:
        questions: by the example's number.
        passages: by name.
        dim: their width.
    """

    questions: Sequence[TokenMatrix]
    passages: Mapping[str, TokenMatrix]
    dim: int


def vectors_of(questions: Sequence[TokenMatrix], passages: Mapping[str, TokenMatrix]) -> Vectors:
    """Check what is to be compared.

    Raises:
        InputError: matrices of different widths, without a row, or not of numbers.
    """
    asked = [check_matrix(one, f"the vectors of question {n}") for n, one in enumerate(questions)]
    found = {name: check_matrix(one, "the vectors of a passage") for name, one in passages.items()}
    widths = {one.shape[1] for one in (*asked, *found.values())}
    if len(widths) != 1:
        raise InputError(
            f"vectors of questions and passages must have one width, not {sorted(widths)}."
        )
    if not all(map(len, (*asked, *found.values()))):
        raise InputError("a question or a passage has no vectors; leave it out.")
    return Vectors(asked, found, widths.pop())


@dataclass(frozen=True, eq=False)
class _Compared:
    """Q questions of T vectors in all, mapped and compared with D passages.

    Attributes:
        scores: ``(Q, D)`` the mean over a question's vectors of the best cosine in the passage.
        asked: ``(T, dim)`` the vectors before they were mapped.
        unit: ``(T, dim)`` after it, of unit length.
        lengths: ``(T, 1)`` what they were divided by.
        owner: ``(T,)`` of which question each is.
        counts: ``(Q,)`` vectors of each question.
        places: ``(T, D)`` the passage's vector that is nearest to each.
    """

    scores: npt.NDArray[np.float64]
    asked: Matrix
    unit: Matrix
    lengths: Matrix
    owner: npt.NDArray[np.intp]
    counts: npt.NDArray[np.intp]
    places: npt.NDArray[np.intp]

    @classmethod
    def of(cls, vectors: Vectors, batch: Batch, matrix: Matrix) -> _Compared:
        """Compare the questions of a batch, as a matrix maps them, with its passages."""
        asked = np.concatenate([vectors.questions[number] for number in batch.questions])
        counts = np.array([len(vectors.questions[number]) for number in batch.questions])
        mapped = product(asked, matrix.T)
        lengths = np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), _LENGTH)
        unit = mapped / lengths
        places = np.empty((len(unit), len(batch.passages)), dtype=np.intp)
        best = np.empty(places.shape, dtype=np.float64)
        rows = np.arange(len(unit))
        for column, name in enumerate(batch.passages):
            similar = product(unit, vectors.passages[name].T)
            places[:, column] = similar.argmax(axis=1)
            best[:, column] = similar[rows, places[:, column]]
        starts = np.cumsum(counts) - counts
        scores = np.add.reduceat(best, starts, axis=0) / counts[:, None]
        owner = np.repeat(np.arange(len(counts)), counts)
        return cls(scores, asked, unit, lengths, owner, counts, places)


def loss_and_gradient(
    vectors: Vectors, batch: Batch, matrix: Matrix, temperature: float
) -> tuple[float, Matrix]:
    """Return the mean cross-entropy of finding the answers, and its gradient by the matrix."""
    found = _Compared.of(vectors, batch, matrix)
    loss, by_score = _cross_entropy(found.scores / temperature, batch)
    weights = (by_score / temperature / found.counts[:, None]).astype(np.float32)[found.owner]
    # Each best similarity is a product with one vector: the gradient is the sum of these.
    towards = np.zeros_like(found.unit)
    for column, name in enumerate(batch.passages):
        nearest = vectors.passages[name][found.places[:, column]]
        towards += weights[:, column, None] * nearest
    along = np.sum(towards * found.unit, axis=1, keepdims=True)
    through = (towards - along * found.unit) / found.lengths
    return loss, product(through.T, found.asked).astype(np.float32)


def _cross_entropy(
    logits: npt.NDArray[np.float64], batch: Batch
) -> tuple[float, npt.NDArray[np.float64]]:
    logits = np.where(batch.others, -np.inf, logits)
    rows = np.arange(len(logits))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = shifted / shifted.sum(axis=1, keepdims=True)
    loss = -np.log(np.maximum(shares[rows, batch.targets], 1e-300)).mean()
    shares[rows, batch.targets] -= 1
    return float(loss), shares / len(logits)


def right(vectors: Vectors, batches: Iterable[Batch], matrix: Matrix) -> float:
    """Return the share of questions whose answer comes first in its batch; NaN without any."""
    hits: list[bool] = []
    for batch in batches:
        scores = _Compared.of(vectors, batch, matrix).scores
        first = np.where(batch.others, -np.inf, scores).argmax(axis=1)
        hits.extend((first == batch.targets).tolist())
    return float(np.mean(hits)) if hits else float("nan")


def _clipped(gradient: Matrix) -> Matrix:
    length = float(np.linalg.norm(gradient))
    return gradient * np.float32(_LONGEST_GRADIENT / max(length, _LONGEST_GRADIENT))


class _Adam:
    """Kingma and Ba, "Adam", 2015, with torch's defaults."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._mean, self._square = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._step = 0

    def direction(self, gradient: Matrix) -> Matrix:
        """Take in a gradient; return what to subtract, at a rate of one."""
        self._step += 1
        first, second = _BETAS
        self._mean = np.float32(first) * self._mean + np.float32(1 - first) * gradient
        self._square = np.float32(second) * self._square + np.float32(1 - second) * gradient**2
        mean = self._mean / np.float32(1 - first**self._step)
        square = self._square / np.float32(1 - second**self._step)
        return (mean / (np.sqrt(square) + np.float32(_EPSILON))).astype(np.float32)
