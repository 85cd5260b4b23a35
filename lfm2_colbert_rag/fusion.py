"""Fusing what late interaction and words say of the same passages into one score.

Both legs score every candidate of either, so that no rank is ever missing. Scores are calibrated
on the candidates of the query: their mean becomes 0 and their spread 1. How far words are trusted
depends on how much of the query they found at all: the share of its words, by rarity, that the
best passage has. A query in another language than its passages shares next to none and is answered
by late interaction; one that shares no word at all gets exactly the ranking of that leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ConfigError

MODES = ("late", "lexical", "hybrid")
_RANK_OFFSET = 60.0  # of reciprocal rank fusion, as its authors have it

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Fusion:
    """How the legs are fused.

    Attributes:
        method: ``"scores"``: the sum of calibrated scores; ``"ranks"``: of reciprocal ranks.
        weight: what the lexical leg counts beside the late one, where it is fully trusted.
        low: share of the query found up to which words are not trusted at all.
        high: share from which on they are fully trusted.

    Raises:
        ConfigError: a value that makes no sense.
    """

    method: str = "scores"
    weight: float = 2.0
    low: float = 0.15
    high: float = 0.3

    def __post_init__(self) -> None:
        if self.method not in ("scores", "ranks"):
            raise ConfigError(f'the method must be "scores" or "ranks", not {self.method!r}.')
        if not 0 <= self.weight < np.inf:
            raise ConfigError(f"the lexical weight must be 0 or more, not {self.weight!r}.")
        if not 0 <= self.low < self.high <= 1:
            raise ConfigError(
                f"trust must begin below where it ends, both 0..1, not {self.low!r}, {self.high!r}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Fusion:
        """Return what :meth:`to_dict` gave; the default for None."""
        return cls() if values is None else cls(**values)

    def trust(self, share: float) -> float:
        """Return how far words are trusted, 0..1, where so much of the query was found."""
        return float(np.clip((share - self.low) / (self.high - self.low), 0.0, 1.0))


def fuse(late: Array, lexical: Array, ideal: float, fusion: Fusion) -> npt.NDArray[np.float64]:
    """Fuse the scores of the candidates of one query.

    Args:
        late: ``(n,)`` MaxSim.
        lexical: ``(n,)`` BM25, 0 where no word is shared.
        ideal: the BM25 score of a passage that has all of the query.
        fusion: how.

    Returns:
        ``(n,)`` fused scores: they grow with the score of either leg while the others stay.

    Example:
        >>> fuse(np.array([9.0, 8.0, 7.0]), np.zeros(3), 10.0, Fusion()).argmax()
        np.int64(0)
    """
    share = float(lexical.max(initial=0.0)) / ideal if ideal > 0 else 0.0
    weight = fusion.weight * fusion.trust(share)
    if fusion.method == "ranks":
        return _by_rank(late) + weight * np.where(lexical > 0, _by_rank(lexical), 0.0)
    return _calibrated(late) + weight * _calibrated(lexical)


def _calibrated(scores: Array) -> npt.NDArray[np.float64]:
    exact = scores.astype(np.float64)
    spread = float(exact.std()) if len(exact) else 0.0
    return (exact - exact.mean()) / spread if spread > 0 else np.zeros(len(exact))


def _by_rank(scores: Array) -> npt.NDArray[np.float64]:
    """Return reciprocal ranks; equal scores share the better one."""
    ranks = 1 + np.searchsorted(np.sort(-scores), -scores)
    return np.divide(1.0, _RANK_OFFSET + ranks, dtype=np.float64)


def check_mode(mode: object, default: str = "late") -> str:
    """Return how to search; the default for None.

    Raises:
        ConfigError: there is no such way.
    """
    if mode is None:
        return default
    if mode not in MODES:
        raise ConfigError(f'mode must be "late", "lexical" or "hybrid", not {mode!r}.')
    return str(mode)
