"""Choosing among passages those that answer well and do not repeat one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...errors import ConfigError
from ...index.maxsim import maxsim
from ...types import TokenMatrix


def check_diversity(diversity: object) -> float:
    """Return what diversity counts beside relevance.

    Raises:
        ConfigError: it is no number from 0 to 1.
    """
    if isinstance(diversity, bool) or not isinstance(diversity, int | float):
        raise ConfigError(f"diversity must be a number from 0 to 1, not {diversity!r}.")
    if not 0 <= diversity <= 1:
        raise ConfigError(
            "diversity must lie between 0 (relevance only) and 1 (diversity only), not "
            f"{diversity!r}."
        )
    return float(diversity)


def diversify(
    relevance: Sequence[float], passages: Sequence[TokenMatrix], k: int, diversity: float
) -> list[int]:
    """Choose by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    Args:
        relevance: of each passage, 0 to 1.
        passages: the token vectors of each passage, ``(n, dim)`` float32.
        k: how many to choose; all when there are fewer.
        diversity: 0 looks at relevance only, 1 at diversity only; the authors' lambda is 1 less
            this.

    Returns:
        Places of the chosen passages, in the order of choice; equal ones keep their order.

    Example:
        >>> east, north = (np.array([row], dtype=np.float32) for row in ([1, 0], [0, 1]))
        >>> diversify([0.9, 0.9, 0.5], [east, east, north], 2, 0.5)
        [0, 2]
    """
    if not relevance:
        return []
    alike = similarity(passages)
    scores = np.asarray(relevance, dtype=np.float32)
    chosen = [int(scores.argmax())]
    left = [place for place in range(len(scores)) if place != chosen[0]]
    while left and len(chosen) < k:
        repeats = alike[np.ix_(left, chosen)].max(axis=1)
        gains = (1 - diversity) * scores[left] - diversity * repeats
        chosen.append(left.pop(int(gains.argmax())))
    return chosen


def similarity(passages: Sequence[TokenMatrix]) -> npt.NDArray[np.float32]:
    """Compare passages with one another.

    Args:
        passages: matrices ``(n, dim)`` float32.

    Returns:
        ``(passages, passages)`` float32: the mean of the best cosine that each token of one finds
        in the other, averaged over both directions; 1 for equals.
    """
    units = [
        one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12) for one in passages
    ]
    lengths = np.array([[len(one)] for one in units], dtype=np.float32)
    means: npt.NDArray[np.float32] = maxsim(units, units) / lengths
    return np.asarray((means + means.T) / 2, dtype=np.float32)
