"""What a training gave, as figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .settings import TrainingSettings


@dataclass(frozen=True)
class Counts:
    """What was learned from, in numbers.

    Attributes:
        questions: examples.
        positives: pairs of a question and a passage that answers it.
        negatives: pairs of a question and one that does not.
        passages: different passages that were read.
    """

    questions: int
    positives: int
    negatives: int
    passages: int


@dataclass(frozen=True)
class Trained:
    """A training's result.

    Attributes:
        folder: where it is: of the method ``"query"`` a ``query_adapter.safetensors``, of the
            others a whole model; and a ``README.md``.
        settings: as asked for.
        counts: what was learned from.
        steps: updates that were made; fewer than asked for where the minutes ran out.
        seconds: that it took.
        cpu_seconds: of the processor, over all threads.
        losses: cross-entropy of each step, in nats.
        right_before: share of training questions that put their answer before the other passages
            of a batch, with the original model. Near 1 there is little to learn.
        right_after: the same with the result. What it gains here and not on questions that took no
            part was learned by heart.
        base: the original weights' hash, as :func:`~lfm2_colbert_rag.encoder.query_adapter.
            weights_of` names them.
        weights: the result's.
        device: what it was computed on.
        dtype: in which precision.
    """

    folder: Path
    settings: TrainingSettings
    counts: Counts
    steps: int
    seconds: float
    cpu_seconds: float
    losses: tuple[float, ...]
    right_before: float
    right_after: float
    base: str
    weights: str
    device: str
    dtype: str

    @property
    def method(self) -> str:
        """What was trained."""
        return self.settings.method

    @property
    def first_loss(self) -> float | None:
        """Mean loss of the first tenth of the steps; None where there were none."""
        return _mean(self.losses[: self._tenth])

    @property
    def last_loss(self) -> float | None:
        """Mean loss of the last tenth of the steps."""
        return _mean(self.losses[-self._tenth :])

    @property
    def _tenth(self) -> int:
        return max(1, len(self.losses) // 10)

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as a JSON object, without texts, ids or paths."""
        plan = self.settings.plan
        return {
            "method": self.method,
            "steps": self.steps,
            "steps_planned": plan.steps,
            "learning_rate": plan.learning_rate,
            "batch": plan.batch,
            "mix": plan.mix,
            "passage_length": self.settings.passage_length,
            "temperature": self.settings.temperature,
            "seed": self.settings.seed,
            "questions": self.counts.questions,
            "positives": self.counts.positives,
            "negatives": self.counts.negatives,
            "passages": self.counts.passages,
            "seconds": round(self.seconds, 1),
            "cpu_seconds": round(self.cpu_seconds, 1),
            "first_loss": _rounded(self.first_loss),
            "last_loss": _rounded(self.last_loss),
            "right_before": _rounded(self.right_before),
            "right_after": _rounded(self.right_after),
            "base": self.base,
            "weights": self.weights,
            "device": self.device,
            "dtype": self.dtype,
        }


def _mean(values: tuple[float, ...]) -> float | None:
    return sum(values) / len(values) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
