"""Passages read back by id or by filter, as of one generation; needs no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import PassageNotFoundError

if TYPE_CHECKING:
    from ..filters import Filter
    from ..storage.readable import ReadableCatalog, ReadableStore
    from ..types import Passage, Window

# Ids that an error names.
_NAMED = 10
_READ_AT_ONCE = 1000


class Reader:
    """Reads the passages of one index, in calls of ``Store.whole``.

    Args:
        store: the index.
    """

    def __init__(self, store: ReadableStore) -> None:
        self._store = store

    def has(self, id: str) -> bool:
        """Tell whether a live passage has an id."""
        return bool(self._store.catalog.rows_by_id([id], self._generation()))

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """Return the passages that have these ids, in the order asked; others are left out."""
        catalog = self._store.catalog
        rows = catalog.rows_by_id(ids, catalog.generation())
        passages = catalog.passages(list(rows.values()))
        return [passages[rows[id]] for id in ids if id in rows and rows[id] in passages]

    def count(self, where: Filter) -> int:
        """Count the live passages that match a filter."""
        return len(self._store.catalog.select(where, self._generation()))

    def passages(
        self, where: Filter, limit: int | None = None, after: str | None = None
    ) -> Iterator[Passage]:
        """Yield the live passages that match a filter, in the order of their rows.

        Args:
            where: the filter.
            limit: at most so many, evenly over all of them; all when None.
            after: only those that were added after the passage with this id.

        Raises:
            PassageNotFoundError: no passage has this id.
        """
        generation = self._generation()
        rows = self._store.catalog.select(where, generation)
        if after is not None:
            known = self._store.catalog.rows_by_id([after], generation)
            if after not in known:
                raise PassageNotFoundError(f"no passage has the id {after!r}.")
            rows = rows[np.searchsorted(rows, known[after], "right") :]
        if limit is not None and len(rows) > limit:
            rows = np.array([part[0] for part in np.array_split(rows, limit)])
        return _read(self._store.catalog, rows.tolist())

    def windows(self, ids: Sequence[str]) -> list[list[Window]]:
        """Return the windows of passages by id, in the order asked.

        Raises:
            PassageNotFoundError: an id is unknown; the message names all that are.
        """
        snapshot = self._store.snapshot()
        rows = self._store.catalog.rows_by_id(ids, snapshot.generation)
        missing = [id for id in ids if id not in rows]
        if missing:
            named = ", ".join(map(repr, missing[:_NAMED]))
            more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
            raise PassageNotFoundError(f"no passage has the id {named}{more}.")
        return [list(snapshot.segments.windows(rows[id])) for id in ids]

    def _generation(self) -> int:
        return self._store.catalog.generation()


def _read(catalog: ReadableCatalog, rows: Sequence[int]) -> Iterator[Passage]:
    for start in range(0, len(rows), _READ_AT_ONCE):
        part = rows[start : start + _READ_AT_ONCE]
        found = catalog.passages(part)
        yield from (found[row] for row in part if row in found)
