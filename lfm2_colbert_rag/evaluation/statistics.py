"""How sure a mean is, and whether two runs differ by more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from .._support.extras import require

__all__ = ["bootstrap_interval", "holm", "randomization_p"]

RESAMPLES = 2_000
FLIPS = 10_000
_CELLS = 2_000_000  # numbers drawn at once

Floats = npt.NDArray[np.float64]


def bootstrap_interval(
    values: Sequence[float] | Floats, *, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Say between which values the mean of other queries of this kind would probably lie.

    The percentile bootstrap over queries (Efron and Tibshirani, "An Introduction to the
    Bootstrap", 1993, chapter 13), 2,000 resamples.

    Args:
        values: one a query.
        confidence: probability that the interval is to have.
        seed: of the random numbers; the same seed gives the same interval.

    Returns:
        Low and high; the mean of the values lies between them.

    Raises:
        MissingExtraError: scipy is not installed.

    Example:
        >>> bootstrap_interval([0.5, 0.5, 0.5])
        (0.5, 0.5)
    """
    stats = require("scipy.stats", extra="evaluation")
    given = np.asarray(values, np.float64)
    mean = float(given.mean())
    if len(given) == 1:
        return mean, mean
    interval = stats.bootstrap(
        (given,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="percentile",
        batch=max(1, _CELLS // len(given)),
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return min(float(interval.low), mean), max(float(interval.high), mean)


def randomization_p(differences: Sequence[float] | Floats, *, seed: int = 0) -> float:
    """Return how often chance alone would make two runs differ as much as they do.

    Fisher's paired randomisation test, two-sided, on the mean difference, as recommended for
    retrieval by Smucker, Allan and Carterette ("A Comparison of Statistical Significance Tests
    for Information Retrieval Evaluation", CIKM 2007): if the two runs were alike, each query's
    difference could as well have had the other sign. 10,000 random assignments of signs; the one
    that was seen counts as one of them, so that p is never 0.

    Args:
        differences: one a query.
        seed: of the random signs.

    Returns:
        p, between 1 / 10,001 and 1; 1 where no query differs.

    Example:
        >>> randomization_p([0.0, 0.0])
        1.0
    """
    given = np.asarray(differences, np.float64)
    given = given[given != 0]  # a sign changes nothing for the others
    if not len(given):
        return 1.0
    # ``scipy.stats.permutation_test`` sorts random numbers to draw signs, which takes five to ten
    # times as long.
    random = np.random.default_rng(seed)
    # Sums of the same numbers in another order differ in the last digits.
    seen = abs(given.sum()) - 1e-9 * np.abs(given).sum()
    reached, step = 0, max(1, _CELLS // len(given))
    for start in range(0, FLIPS, step):
        signs = random.integers(0, 2, (min(step, FLIPS - start), len(given)), np.int8) * 2.0 - 1.0
        reached += int((np.abs(signs @ given) >= seen).sum())
    return (1 + reached) / (1 + FLIPS)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct p values for being several (Holm, Scandinavian Journal of Statistics, 1979).

    Args:
        p_values: one a comparison, by name.

    Returns:
        The corrected values, by name in the same order; none is below what was given.

    Example:
        >>> holm({"a": 0.01, "b": 0.04})
        {'a': 0.02, 'b': 0.04}
    """
    corrected: dict[str, float] = {}
    highest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = highest
    return {name: corrected[name] for name in p_values}
