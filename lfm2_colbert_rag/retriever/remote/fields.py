"""Which fields of the metadata an engine has indexed, and a warning where a filter asks another."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...filters import ID_PATH, LANGUAGE_PATH, Filter, comparisons, field_name, parse_field

if TYPE_CHECKING:
    from .home import RemoteHome

logger = logging.getLogger(__name__)


class FilterIndexes:
    """The indexed fields of an index in an engine.

    Args:
        home: the index.
    """

    def __init__(self, home: RemoteHome) -> None:
        self._home = home
        self._warned: set[str] = set()

    def names(self) -> list[str]:
        """Return the fields that are indexed, sorted."""
        return sorted(self._home.settings.fields)

    def create(self, field: str) -> None:
        """Index a field; nothing happens where it is.

        Raises:
            FilterError: no field can have that name.
        """
        path = parse_field(field)
        self._home.require_writable()
        self._home.backend.index_field(path)
        fields = self._home.settings.fields
        self._home.change(fields=tuple(dict.fromkeys((*fields, field_name(path)))))

    def warn(self, where: Filter) -> None:
        """Say once of each field that a filter asks for that it is not indexed."""
        if self._home.backend.indexes_all:
            return
        known = {*self._home.settings.fields, *self._warned}
        for one in comparisons(where):
            name = field_name(one.path)
            if one.path[:1] not in (ID_PATH, LANGUAGE_PATH) and name not in known:
                known.add(name)
                self._warned.add(name)
                logger.warning(
                    "a filter on %s asks for %r, which has no index there: every passage is looked "
                    "at, and graphs of vectors are walked without it. Make one before loading: "
                    "create_filter_index(%r)",
                    self._home.name,
                    name,
                    name,
                )
