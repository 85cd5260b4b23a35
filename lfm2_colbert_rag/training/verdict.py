"""What the gate says: figures, hashes and reasons; never a text, an id or a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

__all__ = ["Figure", "Membership", "Verdict"]

FORMAT = "lfm2-colbert-rag verdict 1"


@dataclass(frozen=True)
class Figure:
    """The same questions asked with two models, and what they score (mean nDCG@10).

    Attributes:
        name: which questions: ``"test"``, ``"test, seen passages"``, ``"test, unseen passages"``,
            ``"dev"``, or a guard's name.
        mode: how they were asked, ``"late"`` or ``"hybrid"``.
        questions: how many.
        before: with the present model.
        after: with the new one.
        low: where the difference begins, with 95 % confidence.
        high: where it ends.
        p: how often chance alone would make so large a difference, as it is.
        corrected: the same, corrected for all models that were judged by these questions (Holm);
            None where no gain is decided by it.
        better: questions that the new model does better.
        worse: questions that it does worse.
    """

    name: str
    mode: str
    questions: int
    before: float
    after: float
    low: float
    high: float
    p: float
    corrected: float | None
    better: int
    worse: int

    @property
    def gain(self) -> float:
        """What the new model scores more."""
        return self.after - self.before


@dataclass(frozen=True)
class Membership:
    """Whether the model knows the questions that it was trained on by heart.

    The share of questions whose first hit answers them, before and after training.

    Attributes:
        trained: of questions that the model was trained on.
        held_out: of questions that it was not.
        gap: how much more the first rose than the second; far above 0, whoever asks the model can
            tell what it was trained on.
    """

    trained: tuple[float, float]
    held_out: tuple[float, float]

    @property
    def gap(self) -> float:
        """See the class."""
        rises = [after - before for before, after in (self.trained, self.held_out)]
        return rises[0] - rises[1]


@dataclass(frozen=True)
class Verdict:
    """Whether a model may take the place of the present one, and why not.

    Attributes:
        adopted: whether it may.
        reasons: why not, each a sentence; empty where it may.
        figures: what was measured, the judging questions first.
        kind: ``"query adapter"`` or ``"model"``.
        model: a hash of the model that was judged.
        base: a hash of the present one.
        notes: what to know about the figures.
        membership: see :class:`Membership`; None where no labelled question trained.
        drift: mean cosines of questions' and of passages' vectors before and after; None where
            they cannot be compared.
        facts: counts and settings: passages searched, models judged, seed, seconds.
        folder: where the model that was judged lies; None where it was in memory, and never part
            of the JSON.
    """

    adopted: bool
    reasons: tuple[str, ...]
    figures: tuple[Figure, ...]
    kind: str
    model: str
    base: str
    notes: tuple[str, ...] = ()
    membership: Membership | None = None
    drift: tuple[float, float] | None = None
    facts: Mapping[str, Any] | None = None
    folder: Path | None = None

    def figure(self, name: str, mode: str = "late") -> Figure | None:
        """Return one figure; None where it was not measured."""
        return next((one for one in self.figures if (one.name, one.mode) == (name, mode)), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object, rounded to what it can mean."""
        found = {"format": FORMAT, **asdict(replace(self, folder=None))}
        del found["folder"]
        found["figures"] = [{**asdict(one), "gain": one.gain} for one in self.figures]
        if self.membership is not None:
            found["membership"]["gap"] = self.membership.gap
        return {key: _rounded(value) for key, value in found.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
