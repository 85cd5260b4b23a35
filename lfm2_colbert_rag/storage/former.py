"""What served an index before the last migration, and until when it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import REMEDY, IndexCorruptError
from .settings import check_space

if TYPE_CHECKING:
    from .settings import IndexSettings

FOREVER = "9999-12-31T00:00:00+00:00"


@dataclass(frozen=True)
class Former:
    """What served before.

    Attributes:
        space: the space of vectors; the same that serves where only the adapter was changed.
        query_adapter: the adapter that questions went through, see
            :attr:`~.settings.IndexSettings.query_adapter`.
        since: when it ceased to serve, in ISO 8601 (UTC).
        until: when it may be removed, likewise.

    Raises:
        IndexCorruptError: values that this library never writes.
    """

    space: str
    query_adapter: Mapping[str, Any] | None
    since: str
    until: str

    def __post_init__(self) -> None:
        """Refuse what no migration leaves."""
        try:
            times = [datetime.fromisoformat(one) for one in (self.since, self.until)]
        except (TypeError, ValueError):
            times = [datetime.min]
        if any(one.tzinfo is None for one in times):
            raise _corrupt({"since": self.since, "until": self.until})
        if not isinstance(self.query_adapter, Mapping | None):
            raise _corrupt({"query_adapter": self.query_adapter})
        check_space(self.space)

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Former | None:
        """Read what :meth:`to_json` gave; None for None.

        Raises:
            IndexCorruptError: it is something else.
        """
        if stored is None:
            return None
        try:
            return cls(**stored)
        except TypeError:
            raise _corrupt(stored) from None

    @classmethod
    def left(cls, settings: IndexSettings, keep: float) -> Former:
        """Return what is left just now that served with some settings, kept so many seconds."""
        now = datetime.now(UTC)
        try:
            until = (now + timedelta(seconds=keep)).isoformat(timespec="seconds")
        except OverflowError:
            until = FOREVER
        since = now.isoformat(timespec="seconds")
        return cls(settings.space, settings.query_adapter, since, until)

    def exchanged(self, settings: IndexSettings) -> Former:
        """Return what a rollback to this leaves: what served until now, kept as long."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        adapter = settings.query_adapter
        return replace(self, space=settings.space, query_adapter=adapter, since=now)

    @property
    def is_over(self) -> bool:
        """Whether it need not be kept any longer."""
        return datetime.fromisoformat(self.until) <= datetime.now(UTC)

    def to_json(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)


def _corrupt(stored: object) -> IndexCorruptError:
    return IndexCorruptError(
        f"the catalog's settings make no sense: former is {stored!r:.100}. {REMEDY}"
    )
