"""How a model is trained: what of it, how long, with how much memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import ConfigError, shown

Method = Literal["query", "head", "lora", "layers"]

PASSAGE_LENGTH = 96
MEMORY = 4_000_000_000
TEMPERATURE = 0.02


@dataclass(frozen=True)
class Plan:
    """What a method does where the settings say nothing.

    Attributes:
        steps: updates of the weights.
        learning_rate: the highest.
        batch: questions a step.
        mix: how far from the original weights (0) to the trained ones (1) the result lies.
    """

    steps: int
    learning_rate: float
    batch: int
    mix: float


# Measured on scifact, cranfield and PIAF with the bundled model; docs/adaptation.md.
_PLANS: Mapping[Method, Plan] = {
    "query": Plan(60, 1e-3, 24, 1.0),
    "head": Plan(120, 2e-3, 12, 0.5),
    "lora": Plan(120, 5e-4, 12, 0.5),
    "layers": Plan(120, 2e-4, 12, 0.5),
}


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a model is trained.

    Attributes:
        method: ``"query"``: a matrix on the vectors of questions, for any encoder; ``"head"``: the
            projections to token vectors; ``"layers"``: all but the embedding table; ``"lora"``:
            matrices of rank 8 added to those of all layers, which takes half the memory.
        steps: updates of the weights; None takes the method's own number.
        learning_rate: the highest, reached after a tenth of the steps; None is the method's own.
        batch: questions a step; None is the method's own number.
        passage_length: tokens of a passage that training reads, markers included. Query adapters
            learn from whole passages, as the model encodes them.
        memory: bytes that training may take; None for as much as it likes. It bounds what is
            computed at once, and never changes the result's meaning.
        minutes: training ends after so long, with falling rates, however many steps are left.
        mix: how far from the original weights (0) to the trained ones (1) the result lies; None is
            half-way, and all the way for query adapters (Wortsman et al., "Robust fine-tuning of
            zero-shot models", 2022).
        seed: of what is drawn. The same seed, machine and number of threads give the same bytes,
            unless the minutes run out.
        temperature: what mean cosines are divided by before they are compared.

    Raises:
        ConfigError: there is no such method, or a number is out of its range.

    Example:
        >>> TrainingSettings(method="layers").plan.steps
        120
    """

    method: Method = "query"
    steps: int | None = None
    learning_rate: float | None = None
    batch: int | None = None
    passage_length: int = PASSAGE_LENGTH
    memory: int | None = MEMORY
    minutes: float = 10.0
    mix: float | None = None
    seed: int = 0
    temperature: float = TEMPERATURE

    def __post_init__(self) -> None:
        """Refuse what no training could follow."""
        if self.method not in get_args(Method):
            raise ConfigError(
                f"method must be one of {list(get_args(Method))}, not {shown(self.method)}."
            )
        for name, smallest in (("steps", 0), ("batch", 1), ("memory", 1)):
            if getattr(self, name) is not None:
                _require_whole(name, getattr(self, name), smallest)
        _require_whole("passage_length", self.passage_length, 4)
        _require_whole("seed", self.seed, 0)
        for name in ("minutes", "temperature", "learning_rate"):
            if name != "learning_rate" or self.learning_rate is not None:
                _require_within(name, getattr(self, name), 0.0, math.inf)
        if self.mix is not None:
            _require_within("mix", self.mix, 0.0, 1.0)

    @property
    def plan(self) -> Plan:
        """What will be done: these settings, and the method's own where they say nothing."""
        own = _PLANS[self.method]
        return Plan(
            own.steps if self.steps is None else self.steps,
            own.learning_rate if self.learning_rate is None else self.learning_rate,
            own.batch if self.batch is None else self.batch,
            own.mix if self.mix is None else self.mix,
        )


def _require_whole(name: str, value: object, smallest: int) -> None:
    if type(value) is not int or value < smallest:
        raise ConfigError(
            f"{name} must be a whole number of {smallest} or more, not {shown(value)}."
        )


def _require_within(name: str, value: object, above: float, most: float) -> None:
    """Refuse what is no number above one and at most another; infinity is never allowed."""
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not above < float(value) <= most or math.isinf(float(value)):  # type: ignore[arg-type]
        limit = "above 0" if math.isinf(most) else f"above {above:g} and at most {most:g}"
        raise ConfigError(f"{name} must be a number {limit}, not {shown(value)}.")
