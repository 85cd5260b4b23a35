"""The same questions asked of an index with two models, and compared query by query."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..evaluation.comparing import compare_results
from ..evaluation.datasets import Dataset
from ..evaluation.results import ModeResult
from .guard import MEASURE, Guarded
from .labels import Labelled, judged_by_id
from .verdict import Figure

if TYPE_CHECKING:
    from .._support.progress import ProgressLike
    from ..evaluation.results import Evaluation
    from .candidates import Served

__all__ = ["Measured", "ask_both", "guard_figure"]

FIRST = "Success@1"
MEASURES = (MEASURE, "R@10", "RR@10", FIRST)


@dataclass(frozen=True, eq=False)
class Measured:
    """Questions asked with two models.

    Attributes:
        questions: the questions.
        dataset: the same as an evaluation asks for them, under numbers.
        before: what they gave with the present model.
        after: what they gave with the new one.
    """

    questions: Sequence[Labelled]
    dataset: Dataset
    before: Evaluation
    after: Evaluation

    def figures(
        self, name: str, chosen: Collection[int] | None = None, seed: int = 0
    ) -> Iterator[Figure]:
        """Yield a figure for each mode.

        Args:
            name: what to call them.
            chosen: places of the questions that count; all when None.
            seed: of the random numbers.
        """
        ids = list(self.dataset.queries)
        kept = set(ids if chosen is None else [ids[place] for place in chosen])
        for mode in self.before.modes:
            first, second = (_only(one.result(mode), kept) for one in (self.before, self.after))
            yield _figure(name, first, second, seed)

    def first_right(self) -> tuple[float, float]:
        """Return the share of questions whose first hit answers them, before and after."""
        return self.before.mean(FIRST, "late"), self.after.mean(FIRST, "late")


def ask_both(
    questions: Sequence[Labelled],
    before: Served,
    after: Served,
    modes: Sequence[str],
    *,
    name: str,
    seed: int = 0,
    again: bool = True,
    progress: ProgressLike = None,
) -> Measured:
    """Ask questions of an index with two models.

    Args:
        questions: at least one.
        before: the index with the present model.
        after: the index with the new one.
        modes: how to ask.
        name: what to call the questions in a report.
        seed: of the intervals' random numbers.
        again: ask the second one, too; else its part is that of the first.
        progress: see ``Retriever.add``; it counts questions, each once a model.
    """
    from ..evaluation import evaluate

    queries, qrels = judged_by_id(questions)
    dataset = Dataset(None, queries, qrels, name, missing="keep")
    found = [
        evaluate(
            dataset,
            one.retriever,
            MEASURES,
            modes=modes,
            worst=0,
            seed=seed,
            query_adapter=one.adapter,
            progress=progress,
        )
        for one in ((before, after) if again else (before,))
    ]
    return Measured(questions, dataset, found[0], found[-1])


def guard_figure(guarded: Guarded, seed: int = 0) -> Figure:
    """Return the figure of a guard."""
    first, second = (
        ModeResult("late", {}, {MEASURE: {f"{place:06}": float(v) for place, v in enumerate(of)}})
        for of in (guarded.before, guarded.after)
    )
    return _figure(guarded.name, first, second, seed)


def _only(result: ModeResult, kept: set[str]) -> ModeResult:
    values = result.per_query[MEASURE]
    return ModeResult(result.mode, {}, {MEASURE: {q: values[q] for q in values if q in kept}})


def _figure(name: str, before: ModeResult, after: ModeResult, seed: int) -> Figure:
    (found,) = compare_results(name, before, after, seed=seed)
    return Figure(
        *(name, before.mode, found.queries, found.first, found.second, found.low, found.high),
        *(found.p, None, found.better, found.worse),
    )
