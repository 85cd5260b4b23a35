"""Fusing what late interaction and words say of the same passages into one score.

Both legs score every candidate of either, so that no rank is ever missing. Neither is calibrated
to the spread of the candidates: MaxSim counts as the mean cosine of the query's tokens, in units of
how far the mean cosines of passages that have nothing to do with one another lie apart. Without
the unit words would count for ten times as much beside a model that puts all cosines between .8
and .9 as beside one that spreads them from .3 to .7.

BM25 counts as its part of the best BM25 among the candidates, times a trust that rises with the
greatest share of the query's terms that a candidate has: evenly, from none at
:attr:`Fusion.minimum` to all at :attr:`Fusion.enough`. For that share each term counts the same,
however rare it is. Among passages of another language whatever they quote of the query's own is
rare, "of" and "the" as much as a name, and by weight a few such words would seem to be a good part
of the query; by number they
are next to nothing, and late interaction answers alone. In its own language a query finds most of
its terms, even where no passage has all that is rare in it.

That sums of scores beat ranks is known from Bruch, Gai and Ingber, "An analysis of fusion functions
for hybrid retrieval" (2022).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...storage.tunings import Fusion


def fuse(
    distances: npt.NDArray[np.floating],
    bm25: npt.NDArray[np.floating],
    share: float,
    fusion: Fusion,
    best: float | None = None,
) -> npt.NDArray[np.float64]:
    """Fuse the scores of the candidates of one query.

    Args:
        distances: ``(n,)`` MaxSim divided by the number of query vectors and by the spread, see
            :attr:`~.relevance.BaselineSample.spread`.
        bm25: ``(n,)`` BM25, 0 where no term is shared.
        share: of the query's terms that a candidate has at most, 0..1.
        fusion: how.
        best: the BM25 that counts as 1; the greatest of ``bm25`` when None.

    Returns:
        ``(n,)`` fused scores: they grow with the score of either leg while the others stay.

    Example:
        >>> fuse(np.array([9.0, 8.0, 7.0]), np.array([0.0, 31.0, 0.0]), 0.5, Fusion()).argmax()
        np.int64(1)
    """
    weight = fusion.weight * fusion.trust(share)
    best = float(bm25.max(initial=0.0)) if best is None else best
    parts = bm25.astype(np.float64) / best if best > 0 else np.zeros(len(bm25))
    return distances.astype(np.float64) + weight * parts
