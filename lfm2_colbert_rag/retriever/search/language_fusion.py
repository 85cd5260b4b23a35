"""Fusing both legs where the candidates are in several languages.

Words can only be shared within a language, so a plain fusion lifts whatever is in the language of
the question, and its answer in another language never comes first. Here words decide among
passages that could share them, and late interaction decides between languages:

1. Within each language the candidates are ordered as :func:`~.fusion.fuse` orders them, words being
   trusted by what the passages of that language have of the query. But they keep, in that order,
   the late scores that they had, so that no language gains or loses.
2. Words count between languages as well as far as they say that the question has its answer in its
   own: one passage has most of its terms, from :attr:`Standout.minimum` of them, and many more than
   the next ones have. What is in the question's language by chance alone has a third of its terms,
   and so have the next ones.

benchmarks/mixed compares this with late interaction alone and with plain fusion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...storage.tunings import Fusion
from .fusion import fuse

_NEXT = 9  # passages that the first is compared with


@dataclass(frozen=True)
class Standout:
    """When words say that a question has its answer in its own language.

    Attributes:
        minimum: share of the query's terms up to which the first passage says nothing.
        enough: share from which on it says all that it can.
        least: how much more of them it must have than the next ones in the mean.
        surely: how much more says all.
    """

    minimum: float = 0.5
    enough: float = 0.8
    least: float = 0.15
    surely: float = 0.35

    def trust(self, shares: npt.NDArray[np.floating]) -> float:
        """Return how far words count between languages, 0..1.

        Args:
            shares: of the query's terms that each candidate has.

        Example:
            >>> standout = Standout()
            >>> standout.trust(np.array([0.9, 0.3, 0.2])), standout.trust(np.array([0.5, 0.5, 0.4]))
            (1.0, 0.0)
        """
        ordered = np.sort(shares)[::-1].astype(np.float64)
        if len(ordered) < 2:
            return 0.0
        more = float(ordered[0] - ordered[1 : 1 + _NEXT].mean())
        has = _ramp(float(ordered[0]), self.minimum, self.enough)
        return has * _ramp(more, self.least, self.surely)


def fuse_languages(
    distances: npt.NDArray[np.floating],
    bm25: npt.NDArray[np.floating],
    shares: npt.NDArray[np.floating],
    languages: npt.NDArray[np.integer],
    fusion: Fusion,
    standout: Standout = Standout(),
) -> npt.NDArray[np.float64]:
    """Fuse the scores of the candidates of one query.

    Args:
        distances: see :func:`~.fusion.fuse`.
        bm25: see there.
        shares: ``(n,)`` which part of the query's terms each candidate has, 0..1.
        languages: ``(n,)`` a number for the language of each.
        fusion: how the legs are fused within a language.
        standout: when words count between languages, too.

    Returns:
        ``(n,)`` fused scores.

    Example:
        >>> late = np.array([9.0, 8.0, 7.0])
        >>> bm25, shares = np.array([0.0, 2.0, 9.0]), np.array([0.0, 0.2, 0.4])
        >>> fuse_languages(late, bm25, shares, np.array([0, 1, 1]), Fusion()).tolist()
        [9.0, 7.0, 8.0]
    """
    fused = np.empty(len(distances), dtype=np.float64)
    best = float(bm25.max(initial=0.0))
    for language in np.unique(languages):
        mine = np.flatnonzero(languages == language)
        within = fuse(distances[mine], bm25[mine], float(shares[mine].max()), fusion, best)
        order = mine[np.argsort(-within, kind="stable")]
        fused[order] = np.sort(distances[mine])[::-1]
    return fuse(fused, bm25, 1.0, fusion.times(standout.trust(shares)))


def _ramp(value: float, start: float, end: float) -> float:
    return min(1.0, max(0.0, (value - start) / (end - start)))
