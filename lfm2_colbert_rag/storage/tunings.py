"""What an index was tuned to, as its settings hold it: how texts are pooled, how legs are fused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import ConfigError


@dataclass(frozen=True)
class PoolingRule:
    """What counts as alike, and how long a mean is.

    Passages score what their means say, so all of an index must follow one rule. The defaults are
    a compromise between three trials, none of which they win alone by much; the figures are in
    docs/design/pooling.md.

    Args:
        same_token: by what the distance of two vectors of the same token is multiplied: they
            differ by what stands around them only, and a question that names the token hardly
            tells them apart.
        common_from: tokens that are in at least this share of the texts are common: their vectors
            count as nearer to any other, see ``find_common`` in
            :mod:`lfm2_colbert_rag.retriever.ingest.pooling`.
        shrinking: the power of its own length that the mean of a cluster's unit vectors ends up
            with. With 0 it is 1, and texts in which much was pooled score too high for questions
            that come near to none of the members; with 1 it is the plain mean, and they score too
            low for those that meet a member.

    Raises:
        ConfigError: one of them is not between 0 and 1.
    """

    same_token: float = 0.4
    common_from: float = 0.1
    shrinking: float = 0.5

    def to_json(self) -> dict[str, float]:
        """Return the same as a JSON object."""
        return asdict(self)

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ConfigError(f"{name} must be between 0 and 1, not {value!r:.40}.")


@dataclass(frozen=True)
class PoolFit:
    """What was fitted to the first texts of an index.

    Attributes:
        distance: see ``find_distance`` there.
        common: see ``find_common`` in
            :mod:`lfm2_colbert_rag.retriever.ingest.pooling`.

    Raises:
        ConfigError: a value that makes no sense.
    """

    distance: float
    common: Mapping[int, float]

    def __post_init__(self) -> None:
        for value in (self.distance, *self.common.values()):
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ConfigError(f"distances must be 0 or more, not {value!r:.40}.")

    def to_json(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return {"distance": self.distance, "common": self.common}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PoolFit:
        """Return what :meth:`to_json` gave, once it has been through JSON.

        Raises:
            ConfigError, KeyError, TypeError, ValueError, AttributeError: it is something else.
        """
        common = {int(token): factor for token, factor in values["common"].items()}
        return cls(values["distance"], common)


@dataclass(frozen=True)
class Fusion:
    """How the legs are fused.

    Attributes:
        weight: what the lexical leg counts beside the late one, where it is fully trusted.
        minimum: share of the query's terms up to which words are not trusted at all.
        enough: share from which on they are fully trusted.

    Raises:
        ConfigError: a value that makes no sense.
    """

    weight: float = 16.0
    minimum: float = 0.28
    enough: float = 0.65

    def __post_init__(self) -> None:
        if not all(isinstance(one, int | float) for one in vars(self).values()):
            raise ConfigError(f"what legs are fused by are numbers, not {vars(self)!r:.200}.")
        if not 0 <= self.weight < math.inf:
            raise ConfigError(f"the lexical weight must be 0 or more, not {self.weight!r}.")
        if not 0 <= self.minimum < self.enough <= 1:
            raise ConfigError(
                f"trust must begin at a share of 0 or more and end at a larger one, at most 1, not "
                f"at {self.minimum!r} and {self.enough!r}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Fusion:
        """Return what :meth:`to_dict` gave; the default for None."""
        return cls() if values is None else cls(**values)

    def trust(self, share: float) -> float:
        """Return how far words are trusted, 0..1, where a passage has so much of a query."""
        return min(1.0, max(0.0, (share - self.minimum) / (self.enough - self.minimum)))

    def times(self, factor: float) -> Fusion:
        """Return the same with words counting so much of what they count here."""
        return replace(self, weight=self.weight * factor)
