"""How the texts of one index are pooled: by a fitted distance once there is one, by number before.

An index fits its distance once, to the first passages that are many enough, and with it which
tokens are common among them; it remembers both in the commit that adds these passages. What it was
given before in smaller numbers stays as it was pooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...storage.settings import IndexSettings
from ...storage.tunings import PoolFit, PoolingRule
from ...types import TokenVectors
from .pooling import (
    RULE,
    check_pool_factor,
    find_common,
    find_distance,
    in_text_order,
    pool_vectors,
)


class Pooler:
    """Pools texts for one commit, and fits the distance of their index where it has none.

    Args:
        pool_factor: see :func:`~.pooling.pool_vectors`; 1 keeps every vector.
        distance: see there; None while none is fitted.
        common: see there.
        rule: what counts as alike in this index, and how long its means are.
        fits: whether a distance is to be fitted where there is none.

    Attributes:
        needs_fit: whether :meth:`fit` is called for.
        fitted: the settings that this pooler fitted, for its index to remember; none if it
            fitted none.

    Raises:
        ConfigError: the factor is no whole number above 0.
        MissingExtraError: it is above 1, and the ``pooling`` extra is not installed.
    """

    def __init__(
        self,
        pool_factor: int = 1,
        distance: float | None = None,
        *,
        common: Mapping[int, float] | None = None,
        rule: PoolingRule = RULE,
        fits: bool = False,
    ) -> None:
        self._pool_factor = pool_factor if pool_factor == 1 else check_pool_factor(pool_factor)
        self._distance = distance
        self._common = dict(common or {})
        self._rule = rule
        self.needs_fit = fits and pool_factor > 1 and distance is None
        self.fitted: dict[str, Any] = {}

    @property
    def pools(self) -> bool:
        """Whether vectors become fewer at all."""
        return self._pool_factor > 1

    @classmethod
    def of(cls, settings: IndexSettings) -> Pooler:
        """Make the pooler of an index."""
        if settings.pool_factor == 1:
            return cls()
        fit, rule = pool_fit_of(settings), settings.pooling_rule
        return cls(
            settings.pool_factor,
            None if fit is None else fit.distance,
            common=None if fit is None else fit.common,
            rule=RULE if rule is None else PoolingRule(**rule),
            fits=fit is None,
        )

    def fit(self, sample: Sequence[TokenVectors]) -> None:
        """Fit the distance and what is common to some of the first windows, if they suffice.

        Raises:
            InputError: a vector holds NaN or infinity.
        """
        common = find_common(sample, self._rule)
        distance = find_distance(sample, self._pool_factor, common=common, rule=self._rule)
        self.needs_fit = False
        if distance is not None:
            self._distance, self._common = distance, common
            self.fitted = {"pool_fit": PoolFit(distance, common).to_json()}

    def pool(self, encoded: TokenVectors) -> TokenVectors:
        """Pool one window, its vectors in the order of its characters.

        Raises:
            InputError: a vector holds NaN or infinity.
        """
        if not self.pools:
            return encoded
        pooled = pool_vectors(
            encoded,
            self._pool_factor,
            distance=self._distance,
            common=self._common,
            rule=self._rule,
        )
        return in_text_order(pooled)


def pool_fit_of(settings: IndexSettings) -> PoolFit | None:
    """Return what was fitted to the first texts of an index; None where nothing was yet."""
    stored = settings.pool_fit
    return None if stored is None else PoolFit.from_json(stored)
