"""Plans: what an engine is asked, as plain data.

A search names candidates by something cheap, the mean of the tokens and the centroids that they are
near, each for so many; the engine unites them and ranks them by exact MaxSim. Nothing in a plan is
of an engine: each backend translates it, or says what it cannot do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from ..errors import ConfigError
from ..filters import EVERYTHING, Filter
from ..index.array_types import FloatArray
from ..types import TokenMatrix
from .points import Point, Sparse

Named: TypeAlias = Literal["colbert", "mean", "cent", "words"]
"""The vectors of a point, see :class:`~.points.Vectors`."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Which points are meant: those that all of it holds for.

    Attributes:
        where: a filter on the passages.
        owner: passages of this tenant only; None for all.
        ids: passages with one of these ids only; None for all.
        heads: first windows only: one point a passage.
        before: those only that were written before this revision; None for all.
    """

    where: Filter = EVERYTHING
    owner: str | None = None
    ids: tuple[str, ...] | None = None
    heads: bool = False
    before: int | None = None


ALL = Selection()
HEADS = Selection(heads=True)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Where candidates come from.

    Attributes:
        vector: ``"mean"`` or ``"cent"``.
        query: what is compared with it: ``(dim,)`` or sparse.
        limit: how many points at most; of each shard, where the engine asks shard by shard.

    Raises:
        ConfigError: a limit below 1.
    """

    vector: Named
    query: FloatArray | Sparse
    limit: int

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ConfigError(f"a limit of candidates must be 1 or more, not {self.limit}.")


@dataclass(frozen=True, eq=False)
class Plan:
    """One search.

    Attributes:
        vector: what ranks: ``"colbert"`` by MaxSim, ``"words"`` by the sum of products, each times
            how rare the term is, ``ln(1 + (N - n + .5) / (n + .5))``: among the selected owner's
            passages, or in the whole collection where there is none.
        query: ``(n, dim)``, or sparse.
        limit: how many points at most, best first.
        candidates: of which only these are ranked; every selected point where there are none.
        selection: holds for what is ranked, and for candidates where they are looked for.
        exact: look at all that candidates could be, by no approximate index.
        fetch: the vectors that come with what is found.
    """

    vector: Named
    query: TokenMatrix | Sparse
    limit: int
    candidates: tuple[Candidates, ...] = ()
    selection: Selection = ALL
    exact: bool = False
    fetch: tuple[Named, ...] = ()

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ConfigError(f"a limit must be 1 or more, not {self.limit}.")


class FoundPoint(NamedTuple):
    """What a search found.

    Attributes:
        point: without ``tokens``, and with the vectors that the plan fetches.
        score: what it was ranked by.
    """

    point: Point
    score: float


Counts: TypeAlias = Mapping[str, int]
"""How many heads are in each language."""
