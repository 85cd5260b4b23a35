"""Confidence intervals of shares that lie near one, such as a recall measured on few questions.

The ten places of one question are found or missed together, and most questions miss none: an
interval of the form "mean and so many standard errors" is then far too narrow, and where no
question missed any it has no width at all.
"""

from __future__ import annotations

import math

# 97.5 % quantile of the normal distribution, for 95 % in the middle.
_NORMAL = 1.959964


def share_interval(mean: float, spread: float, samples: int, places: int) -> tuple[float, float]:
    """Return the 95 % interval of a mean of shares.

    Wilson's interval for a proportion, with as many trials as would scatter as the samples do, but
    no more than ``samples * places``, and Student's quantile in place of the normal one (Korn and
    Graubard, Survey Methodology 24, 1998, for the trials; Dean and Pagano, Journal of Survey
    Statistics and Methodology 3, 2015, compare it with others).

    Args:
        mean: of the shares, from 0 to 1.
        spread: variance of one share.
        samples: how many shares there are, at least 1; they are independent of one another.
        places: what each share is a share of, at least 1; its places need not be independent.

    Returns:
        Lower and upper end, from 0 to 1, with the mean between them.

    Example:
        >>> low, high = share_interval(1.0, 0.0, 48, 10)
        >>> round(low, 3), high
        (0.992, 1.0)
    """
    binomial = mean * (1 - mean)
    trials = float(samples * places) if samples > 1 else 1.0
    if spread > 0:
        trials = min(trials, max(1.0, binomial * samples / spread))
    square = student_quantile(samples - 1) ** 2 / trials
    middle = (mean + square / 2) / (1 + square)
    reach = math.sqrt(square * (binomial + square / 4)) / (1 + square)
    return max(0.0, min(mean, middle - reach)), min(1.0, max(mean, middle + reach))


def student_quantile(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's distribution.

    Scipy's where that is installed; else the first terms of its expansion around the normal
    quantile (Abramowitz and Stegun, 26.7.5), within 1 % from three degrees of freedom on.

    Args:
        degrees: of freedom. Below one there is no such distribution; that of one is taken.

    Example:
        >>> round(student_quantile(47), 3)
        2.012
    """
    degrees = max(1, degrees)
    try:
        from scipy.special import stdtrit
    except ImportError:
        return _expanded_quantile(degrees)
    return float(stdtrit(degrees, 0.975))


def _expanded_quantile(degrees: int) -> float:
    z = _NORMAL
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, 1))
