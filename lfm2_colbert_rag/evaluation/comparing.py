"""Is one run better than another, or is it chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .results import Evaluation, ModeResult
from .statistics import FLIPS, bootstrap_interval, randomization_p

__all__ = ["METHOD", "Comparison", "compare", "compare_results"]

METHOD = (
    f"Fisher's paired randomisation test over queries, two-sided, {FLIPS:,} random assignments of "
    "signs (Smucker, Allan and Carterette, CIKM 2007); intervals of the difference by the "
    "percentile bootstrap over queries"
)


@dataclass(frozen=True)
class Comparison:
    """Two runs, one measure, the same queries.

    Attributes:
        dataset: its name.
        measure: its name.
        first: mean of the first run.
        second: mean of the second run.
        difference: second minus first.
        low: where the difference begins, with the given confidence.
        high: where it ends.
        p: how often chance alone would make so large a difference.
        better: queries that the second run does better.
        worse: queries that the second run does worse.
        queries: how many there are.
    """

    dataset: str
    measure: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    better: int
    worse: int
    queries: int

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)


def compare(
    a: Evaluation,
    b: Evaluation,
    *,
    mode_a: str | None = None,
    mode_b: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Comparison]:
    """Compare two evaluations of the same judgements, or two modes of one, query by query.

    Fisher's paired randomisation test, two-sided, with 10,000 random assignments of signs; see
    :func:`~lfm2_colbert_rag.evaluation.statistics.randomization_p`. The interval of the
    difference is a percentile bootstrap over queries.

    Args:
        a: the first run, to compare with.
        b: the second run.
        mode_a: which mode of the first; its first mode when None.
        mode_b: which mode of the second; the same as of the first when None.
        confidence: probability of the interval of the difference.
        seed: of the random numbers.

    Returns:
        One comparison for each measure that both have.

    Raises:
        InputError: they have other judgements, or no measure or mode in common.

    Example:
        >>> compare(before, after)[0].p < 0.05  # doctest: +SKIP
        True
    """
    if a.qrels != b.qrels:
        raise InputError(
            f"{a.dataset} and {b.dataset} were judged differently ({a.queries:,} and "
            f"{b.queries:,} queries, judgements {a.qrels} and {b.qrels}); compare runs over the "
            "same queries and judgements only."
        )
    first = a.result(mode_a)
    second = b.result(first.mode if mode_b is None and first.mode in b.modes else mode_b)
    return compare_results(a.dataset, first, second, confidence=confidence, seed=seed)


def compare_results(
    dataset: str, first: ModeResult, second: ModeResult, *, confidence: float = 0.95, seed: int = 0
) -> list[Comparison]:
    """Compare two modes; see :func:`compare`.

    Raises:
        InputError: they have no measure in common, or other queries.
    """
    shared = [measure for measure in first.per_query if measure in second.per_query]
    if not shared:
        raise InputError(
            f"there is no measure in common: {', '.join(first.per_query)} here, "
            f"{', '.join(second.per_query)} there."
        )
    return [
        _compare(
            dataset, measure, first.per_query[measure], second.per_query[measure], confidence, seed
        )
        for measure in shared
    ]


def _compare(
    dataset: str,
    measure: str,
    first: Mapping[str, float],
    second: Mapping[str, float],
    confidence: float,
    seed: int,
) -> Comparison:
    if first.keys() != second.keys():
        odd = min(first.keys() ^ second.keys())
        raise InputError(f"query {odd!r} is in one of the two runs only; compare the same queries.")
    queries = sorted(first)
    before, after = (_values(of, queries) for of in (first, second))
    differences = after - before
    low, high = bootstrap_interval(differences, confidence=confidence, seed=seed)
    return Comparison(
        dataset,
        measure,
        float(before.mean()),
        float(after.mean()),
        float(differences.mean()),
        low,
        high,
        randomization_p(differences, seed=seed),
        int((differences > 0).sum()),
        int((differences < 0).sum()),
        len(queries),
    )


def _values(of: Mapping[str, float], queries: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.array([of[query] for query in queries])
