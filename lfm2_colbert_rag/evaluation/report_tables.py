"""What both forms of a report show: means by language, differences between modes, failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .comparing import compare_results
from .results import Evaluation, Failure
from .statistics import holm

__all__ = ["Difference", "Grid", "differences", "grids", "worst_failures"]

_LEVEL = 0.05
_FAILURES = 24  # in a whole report


@dataclass(frozen=True)
class Difference:
    """How a mode differs from the first one, in one measure.

    Attributes:
        value: the mean minus the first mode's.
        p: of the randomisation test, corrected by Holm's method for all modes and measures of the
            dataset.
    """

    value: float
    p: float

    @property
    def sign(self) -> str:
        """An arrow where the difference is significant at .05, else nothing."""
        if self.p >= _LEVEL:
            return ""
        return "▲" if self.value > 0 else "▼"


@dataclass(frozen=True)
class Grid:
    """Means by query and passage language.

    Attributes:
        mode: the mode of search.
        measure: the measure.
        queries: the query languages, a row each.
        passages: the passage languages, a column each.
        cells: the evaluation of each pair that there is.
    """

    mode: str
    measure: str
    queries: tuple[str, ...]
    passages: tuple[str, ...]
    cells: dict[tuple[str, str], Evaluation]


def differences(evaluation: Evaluation) -> dict[tuple[str, str], Difference]:
    """Compare every other mode with the first.

    Returns:
        The difference of each mode and measure; empty where there is one mode only.
    """
    first, *others = evaluation.modes.values()
    found = {
        (other.mode, one.measure): one
        for other in others
        for one in compare_results(evaluation.dataset, first, other)
    }
    p = holm({f"{mode} {measure}": one.p for (mode, measure), one in found.items()})
    return {key: Difference(one.difference, p[f"{key[0]} {key[1]}"]) for key, one in found.items()}


def grids(evaluations: Sequence[Evaluation]) -> list[Grid]:
    """Return a grid for each mode and measure, where there are several languages."""
    cells = {one.languages: one for one in evaluations if one.languages is not None}
    if len(cells) < 2:
        return []
    queries, passages = (tuple(dict.fromkeys(pair[side] for pair in cells)) for side in (0, 1))
    first = next(iter(cells.values()))
    return [
        Grid(mode, measure, queries, passages, dict(cells))
        for measure in first.measures
        for mode in first.modes
    ]


def worst_failures(evaluations: Sequence[Evaluation]) -> list[tuple[Evaluation, str, Failure]]:
    """Return the failures that a report shows, with their evaluation and mode."""
    sources = [
        (one, mode, result.worst) for one in evaluations for mode, result in one.modes.items()
    ]
    each = max(1, _FAILURES // max(1, len(sources)))
    return [(one, mode, failure) for one, mode, worst in sources for failure in worst[:each]]
