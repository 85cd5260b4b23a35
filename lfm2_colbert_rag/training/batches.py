"""Which questions and which passages are compared with one another in a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InputError, shown
from .examples import Example


@dataclass(frozen=True, eq=False)
class Batch:
    """Q questions against D passages, of which each question has one to find.

    Attributes:
        questions: numbers of the examples.
        passages: names of the passages, no two alike.
        targets: ``(Q,)`` int64, the place among the passages of the one to be found.
        others: ``(Q, D)`` bool, True where a passage is another answer to the question: it is
            neither to be found nor to be passed over.
    """

    questions: tuple[int, ...]
    passages: tuple[str, ...]
    targets: npt.NDArray[np.int64]
    others: npt.NDArray[np.bool_]


class Batches:
    """Draws batches from examples: each example once, then each once again.

    A question brings one of its answers and one of its negatives, drawn anew each time. The other
    questions' passages are negatives, too.

    Args:
        examples: at least one.
        size: questions a batch.
        seed: of what is drawn.
        same: names by which passages count as one another, for copies under several ids.

    Raises:
        InputError: there is no example, or one with nothing to be told apart from.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        size: int,
        seed: int,
        *,
        same: Mapping[str, str] | None = None,
    ) -> None:
        names = same or {}
        self._sides = [
            (
                tuple(dict.fromkeys(names.get(one, one) for one in example.positives)),
                tuple(dict.fromkeys(names.get(one, one) for one in example.negatives)),
            )
            for example in examples
        ]
        if not examples:
            raise InputError("there is no example to learn from; pass some.")
        if len({one for sides in self._sides for side in sides for one in side}) < 2:
            raise InputError(
                f"there is one passage in all examples ({shown(self._sides[0][0][0])}) and nothing "
                "to tell it apart from; add negatives, or questions about other passages."
            )
        self._size, self._seed = min(size, len(examples)), seed

    def drawn(self, steps: int) -> Iterator[Batch]:
        """Yield so many batches, the same at every call."""
        rng = np.random.default_rng(self._seed)
        queue: list[int] = []
        for _ in range(steps):
            if len(queue) < self._size:
                # What the last turn left comes first; its own place in this one comes last.
                again = rng.permutation(len(self._sides)).tolist()
                left = set(queue)
                queue += [one for one in again if one not in left]
                queue += [one for one in again if one in left]
            chosen, queue = queue[: self._size], queue[self._size :]
            yield self._batch(chosen, rng)

    def in_order(self, most: int) -> Iterator[Batch]:
        """Yield so many examples at most, each once, with its first answer and first negative."""
        numbers = range(min(most, len(self._sides)))
        for start in range(0, len(numbers), self._size):
            yield self._batch(list(numbers[start : start + self._size]), None)

    def _batch(self, questions: Sequence[int], rng: np.random.Generator | None) -> Batch:
        def choose(names: tuple[str, ...]) -> str:
            return names[0 if rng is None else int(rng.integers(len(names)))]

        found = [choose(self._sides[number][0]) for number in questions]
        against = [choose(self._sides[number][1]) for number in questions if self._sides[number][1]]
        places = {name: place for place, name in enumerate(dict.fromkeys([*found, *against]))}
        others = np.zeros((len(questions), len(places)), dtype=np.bool_)
        for row, number in enumerate(questions):
            for name in self._sides[number][0]:
                if name in places and name != found[row]:
                    others[row, places[name]] = True
        targets = np.array([places[name] for name in found], dtype=np.int64)
        return Batch(tuple(questions), tuple(places), targets, others)
