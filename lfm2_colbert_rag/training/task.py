"""What a training has to do, checked before anything is done."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .._support.characters import is_blank, storable
from .._support.validation import check_text
from ..errors import InputError, shown, typed
from .batches import Batches
from .examples import Example
from .settings import TrainingSettings
from .trained import Counts, Trained

MEASURED = 240
"""Questions at most on which it is told how many come out right, before and after."""


@dataclass(frozen=True, eq=False)
class Task:
    """Examples with the texts of their passages, and what to do with them.

    Attributes:
        examples: at least one.
        texts: of all passages that they name, by id.
        into: the folder that will hold the result.
        settings: how.
        batches: where examples are drawn from. Passages with the same text are one passage.
    """

    examples: tuple[Example, ...]
    texts: Mapping[str, str]
    into: Path
    settings: TrainingSettings
    batches: Batches
    _started: tuple[float, float] = field(
        default_factory=lambda: (time.perf_counter(), time.process_time())
    )

    @classmethod
    def checked(
        cls,
        examples: Sequence[Example],
        texts: Mapping[str, str],
        into: Path,
        settings: TrainingSettings,
    ) -> Task:
        """Refuse what nothing can be learned from.

        Raises:
            InputError: no example, something else than one, a passage without a text, or one
                passage alone.
        """
        for example in examples:
            if not isinstance(example, Example):
                raise InputError(f"examples must be of the class Example, not {typed(example)}.")
        used: dict[str, str] = {}
        for example in examples:
            for one in (*example.positives, *example.negatives):
                if one not in used:
                    used[one] = _text(one, texts)
        first: dict[str, str] = {}
        same = {one: first.setdefault(text, one) for one, text in used.items()}
        batches = Batches(examples, settings.plan.batch, settings.seed, same=same)
        return cls(tuple(examples), used, into, settings, batches)

    @property
    def questions(self) -> list[str]:
        """The examples' questions, as an encoder takes them."""
        return [storable(example.question) for example in self.examples]

    @property
    def seconds(self) -> float:
        """Time since it began."""
        return time.perf_counter() - self._started[0]

    def trained(
        self,
        *,
        losses: Sequence[float],
        right: tuple[float, float],
        passages: int,
        base: str,
        weights: str,
        device: str,
        dtype: str,
    ) -> Trained:
        """Put the figures together."""
        counts = Counts(
            len(self.examples),
            sum(len(example.positives) for example in self.examples),
            sum(len(example.negatives) for example in self.examples),
            passages,
        )
        return Trained(
            folder=self.into,
            settings=self.settings,
            counts=counts,
            steps=len(losses),
            seconds=self.seconds,
            cpu_seconds=time.process_time() - self._started[1],
            losses=tuple(losses),
            right_before=right[0],
            right_after=right[1],
            base=base,
            weights=weights,
            device=device,
            dtype=dtype,
        )


def _text(one: str, texts: Mapping[str, str]) -> str:
    if one not in texts:
        raise InputError(
            f"an example names the passage {shown(one)}, of which there is no text; pass it in "
            "texts, or leave the example out."
        )
    text = check_text(texts[one], f"the text of the passage {shown(one)}")
    if is_blank(text):
        raise InputError(f"the passage {shown(one)} is blank; leave it out of the examples.")
    return text
