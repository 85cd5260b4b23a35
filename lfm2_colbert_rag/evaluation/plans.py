"""What to measure of an index, and how; and the evaluation that comes of it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .._support.progress import ProgressLike, reporting
from ..errors import ConfigError
from ..retriever.search.asked import MODES, check_mode
from .asking import ask_all
from .datasets import Dataset
from .failures import collect_failures
from .measures import check_measures, depth_of, score_queries
from .own_passages import own_note
from .results import Estimate, Evaluation, ModeResult
from .runs import Run
from .statistics import bootstrap_interval

if TYPE_CHECKING:
    from ..retriever.facade import Retriever
    from ..retriever.search.adapting import QueryAdapterLike
    from ..types import Mode


class Plan:
    """What to measure, and how.

    Args:
        measures: see :func:`~.evaluating.evaluate`, as for all that follows.
        modes: names of the modes, or of a run; see :func:`check_modes`.
        k: see there.
        worst: see there.
        confidence: see there.
        seed: see there.
        query_adapter: see there.

    Raises:
        ConfigError: a measure, a k or a confidence that cannot be used.
    """

    def __init__(
        self,
        measures: Sequence[str],
        modes: tuple[str, ...],
        k: int | None = None,
        worst: int = 0,
        confidence: float = 0.95,
        seed: int = 0,
        query_adapter: QueryAdapterLike | None = None,
    ) -> None:
        if not 0 < confidence < 1:
            raise ConfigError(f"confidence must lie between 0 and 1, not {confidence!r}.")
        self.measures = check_measures(measures)
        self.modes = modes
        self.k = depth_of(self.measures, k)
        self._worst = worst
        self._confidence = confidence
        self._seed = seed
        self._adapter = query_adapter

    def carry_out(
        self,
        retriever: Retriever,
        dataset: Dataset,
        begun: float,
        progress: ProgressLike,
        *,
        place: str = "",
    ) -> Evaluation:
        """Ask all queries in all modes.

        Args:
            retriever: the index.
            dataset: queries and judgements that fit it.
            begun: since when the seconds count, on the monotonic clock.
            progress: see :func:`~.evaluating.evaluate`.
            place: which of how many evaluations this is.
        """
        what = f"asking {dataset.name}{place and f' ({place})'}"
        with reporting(progress, len(dataset.judged()), what) as report:
            asked = ask_all(retriever, dataset, self.modes, self.k, report, self._adapter)
        results = {}
        for mode, answers in asked.items():
            result = self.measure(mode, answers.run, dataset, answers.seconds)
            worst = collect_failures(retriever, dataset, result, self._worst, self._adapter)
            results[mode] = replace(result, worst=worst)
        own = set().union(*(answers.own for answers in asked.values()))
        seconds = time.monotonic() - begun
        return self.report(dataset, retriever.model, results, seconds, self.k, own)

    def measure(self, mode: str, run: Run, dataset: Dataset, seconds: float) -> ModeResult:
        """Work out the measures of one run."""
        scores = score_queries(self.measures, dataset.qrels, run)
        means = {
            measure: Estimate(scores.means[measure], *self._interval(scores.per_query[measure]))
            for measure in self.measures
        }
        return ModeResult(mode, means, scores.per_query, round(seconds, 3), run=run)

    def report(
        self,
        dataset: Dataset,
        model: str,
        results: Mapping[str, ModeResult],
        seconds: float,
        k: int,
        own: Collection[str],
    ) -> Evaluation:
        """Put the results together."""
        return Evaluation(
            dataset.name,
            model,
            dataset.passages,
            len(dataset.qrels),
            k,
            self.measures,
            results,
            dataset.digest,
            dataset.languages,
            self._confidence,
            round(seconds, 3),
            (*dataset.notes, *own_note(dataset, own)),
        )

    def _interval(self, values: Mapping[str, float]) -> tuple[float, float]:
        given = np.array([values[query] for query in sorted(values)])
        return bootstrap_interval(given, confidence=self._confidence, seed=self._seed)


def check_modes(modes: Sequence[str]) -> tuple[Mode, ...]:
    """Return the modes without repetition.

    Raises:
        ConfigError: none, or one that there is not.
    """
    if isinstance(modes, str):
        raise ConfigError(f"modes must be a list, such as [{modes!r}], not one string.")
    checked = tuple([mode for one in dict.fromkeys(modes) if (mode := check_mode(one))])
    if not checked:
        raise ConfigError(f"there is no mode; name some of {', '.join(MODES)}.")
    return checked
