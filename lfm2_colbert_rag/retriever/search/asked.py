"""What a caller wants of a search, once it was checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...filters import Filter
    from ...types import Mode
    from .adapting import QueryAdapterLike


@dataclass(frozen=True)
class Asked:
    """How queries are to be answered.

    Attributes:
        k: how many hits, at least 1.
        where: what they must match; None for all.
        mode: what is compared; None: by :meth:`~.hybrid.Legs.default`.
        query_adapter: see :meth:`~.adapting.Adapting.adapter`.
    """

    k: int
    where: Filter | None = None
    mode: Mode | None = None
    query_adapter: QueryAdapterLike | None = None
