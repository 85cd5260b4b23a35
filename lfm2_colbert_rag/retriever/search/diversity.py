"""Choosing among passages those that answer well and do not repeat one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..._support.validation import check_k
from ...errors import ConfigError
from ...index.maxsim import maxsim
from ...types import TokenMatrix


def most_diverse(
    relevance: Sequence[float], windows: Sequence[Sequence[TokenMatrix]], k: int, trade_off: float
) -> list[int]:
    """Choose by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    Args:
        relevance: of each passage, 0 to 1.
        windows: the token vectors of each passage, a matrix ``(n, dim)`` float32 a window.
        k: how many to choose; all when there are fewer.
        trade_off: 1 looks at relevance only, 0 at diversity only.

    Returns:
        Places of the chosen passages, in the order of choice; equal ones keep their order.

    Raises:
        InputError: a k below 1.
        ConfigError: a trade-off outside of 0 to 1.

    Example:
        >>> east, north = (np.array([row], dtype=np.float32) for row in ([1, 0], [0, 1]))
        >>> most_diverse([0.9, 0.9, 0.5], [[east], [east], [north]], 2, 0.5)
        [0, 2]
    """
    check_k(k)
    if not 0 <= trade_off <= 1:
        raise ConfigError(
            "the trade-off of relevance and diversity must lie between 0 (diversity only) and 1, "
            f"not {trade_off!r}."
        )
    if not relevance:
        return []
    alike = likeness([np.concatenate(list(one)) for one in windows])
    scores = np.asarray(relevance, dtype=np.float32)
    chosen = [int(scores.argmax())]
    left = [place for place in range(len(scores)) if place != chosen[0]]
    while left and len(chosen) < k:
        repeats = alike[np.ix_(left, chosen)].max(axis=1)
        gains = trade_off * scores[left] - (1 - trade_off) * repeats
        chosen.append(left.pop(int(gains.argmax())))
    return chosen


def likeness(passages: Sequence[TokenMatrix]) -> npt.NDArray[np.float32]:
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
    means = maxsim(units, units) / np.array([[len(one)] for one in units], dtype=np.float32)
    return (means + means.T) / 2
