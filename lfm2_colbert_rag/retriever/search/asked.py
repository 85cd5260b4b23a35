"""What a caller wants of a search, once it was checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from ...errors import ConfigError
from ...types import Mode

if TYPE_CHECKING:
    from ...filters import Filter
    from .adapting import QueryAdapterLike

MODES: tuple[str, ...] = get_args(Mode)


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


def check_mode(mode: object) -> Mode | None:
    """Return how to search; None for None, which leaves it to the index.

    Raises:
        ConfigError: there is no such way.
    """
    if mode is None:
        return None
    for known in get_args(Mode):
        if mode == known:
            return known
    named = ", ".join(f'"{one}"' for one in MODES)
    raise ConfigError(f"mode must be one of {named}, not {mode!r}.")
