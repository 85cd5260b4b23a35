"""How the texts of one index are pooled: by a distance once one is settled, by number until then.

An index settles its distance once, on the first passages that are many enough, and with it which
tokens are common among them; it remembers both in the commit that adds these passages. What it was
given before in smaller numbers stays as it was pooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ...types import TokenVectors
from .pooling import (
    FIRST_RULE,
    RULE,
    PoolingRule,
    check_pool_factor,
    find_common,
    find_distance,
    in_text_order,
    pool_vectors,
)

DISTANCE = "pool_distance"
"""The setting of an index that holds its distance: null until it is settled.

Indexes that were made before there was a distance lack it, and pool by number for good.
"""
COMMON = "pool_common"
"""The setting of an index that holds what :func:`~.pooling.find_common` found, settled with it."""
RULE_OF_INDEX = "pooling_rule"
"""The setting of an index that holds its rule: the fields of a :class:`~.pooling.PoolingRule`.

Indexes that were made before there was a choice lack it, and follow the first rule for good.
"""


def pooling_settings(pool_factor: int) -> dict[str, Any]:
    """Return what a new index remembers of how its texts are pooled."""
    return {
        "pool_factor": pool_factor,
        DISTANCE: None,
        COMMON: {},
        RULE_OF_INDEX: asdict(RULE),
    }


class Pooler:
    """Pools texts for one commit, and settles the distance of their index where it has none.

    Args:
        pool_factor: see :func:`~.pooling.pool_vectors`; 1 keeps every vector.
        distance: see there.
        common: see there.
        unsettled: whether the index has yet to settle its distance.
        rule: what counts as alike in this index, and how long its means are.

    Attributes:
        unsettled: whether :meth:`settle` is called for.
        settled: the settings that this pooler settled, for its index to remember; none if it
            settled none.

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
        unsettled: bool = False,
        rule: PoolingRule = RULE,
    ) -> None:
        self._pool_factor = check_pool_factor(pool_factor)
        self._distance = distance
        self._common = dict(common or {})
        self._rule = rule
        self.unsettled = unsettled and pool_factor > 1 and distance is None
        self.settled: dict[str, Any] = {}

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Pooler:
        """Make the pooler of an index from its settings."""
        known = settings.get(RULE_OF_INDEX)
        return cls(
            settings["pool_factor"],
            settings.get(DISTANCE),
            common={int(token): factor for token, factor in settings.get(COMMON, {}).items()},
            unsettled=DISTANCE in settings,
            rule=FIRST_RULE if known is None else PoolingRule(**known),
        )

    def settle(self, sample: Sequence[TokenVectors]) -> None:
        """Settle the distance and what is common on some of the first windows, if they suffice.

        Raises:
            InputError: a vector holds NaN or infinity.
        """
        common = find_common(sample, self._rule)
        distance = find_distance(sample, self._pool_factor, common=common, rule=self._rule)
        self.unsettled = False
        if distance is not None:
            self._distance, self._common = distance, common
            self.settled = {DISTANCE: distance, COMMON: common}

    def pool(self, encoded: TokenVectors) -> TokenVectors:
        """Pool one window, its vectors in the order of its characters.

        Raises:
            InputError: a vector holds NaN or infinity.
        """
        if self._pool_factor == 1:
            return encoded
        pooled = pool_vectors(
            encoded,
            self._pool_factor,
            distance=self._distance,
            common=self._common,
            rule=self._rule,
        )
        return in_text_order(pooled)
