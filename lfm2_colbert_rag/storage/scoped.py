"""An index of which only a tenant's part is seen, by whatever reads it.

Whoever searches such a store sees segments in which nothing else lives, ids without what they are
stored with, and only the metadata that are to be seen. So nothing of what is worked out from it can
depend on what others have: neither rankings nor any statistics.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ..filters import EVERYTHING, And, Filter
from ..index.base import LiveSegment, LiveSegments

if TYPE_CHECKING:
    from pathlib import Path

    from ..types import Passage
    from .catalog import Catalog
    from .home import Snapshot
    from .readable import ReadablePostings
    from .row_languages import RowLanguages
    from .scope import Scope
    from .settings import IndexSettings
    from .store import Store

_KEY = 8  # bytes
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


class ScopedCatalog:
    """A catalog of which only a scope is seen; see :class:`~.readable.ReadableCatalog`.

    Args:
        catalog: the whole catalog.
        scope: what of it is seen.
    """

    def __init__(self, catalog: Catalog, scope: Scope) -> None:
        self._catalog = catalog
        self._scope = scope

    @property
    def postings(self) -> ReadablePostings:
        """The posting lists, whose reader looks at the rows that live in his snapshot only."""
        return self._catalog.postings

    def generation(self) -> int:
        """Return the newest generation of the whole index."""
        return self._catalog.generation()

    def select(self, where: Filter, generation: int) -> npt.NDArray[np.int64]:
        """Return the ascending live rows of the scope that match a filter.

        Args:
            where: what :meth:`Scope.within` gave.
            generation: in which.
        """
        if where == EVERYTHING:
            return self.rows(generation)
        # One joint, since a filter may be as deep as it gets already.
        both = And((*self._scope.conditions, where))
        return self._catalog.select(both, generation)

    def rows(self, generation: int) -> npt.NDArray[np.int64]:
        """Return all live rows of the scope, ascending."""
        return self._catalog.select(And(self._scope.conditions), generation)

    def rows_by_id(self, ids: Sequence[str], generation: int) -> dict[str, int]:
        """Return the row of each of the tenant's ids that has one in the scope."""
        stored = {self._scope.stored_id(id): id for id in ids}
        found = self._catalog.rows_by_id(list(stored), generation)
        seen = self._seen(list(found.values()), generation)
        pairs = zip(found.items(), seen, strict=True)
        return {stored[id]: row for (id, row), is_seen in pairs if is_seen}

    def rows_by_text(self, texts: Sequence[str], generation: int) -> list[tuple[str, int]]:
        """Return the rows of the scope that have one of some texts, each behind its text."""
        found = self._catalog.rows_by_text(texts, generation)
        seen = self._seen([row for _, row in found], generation)
        return [one for one, is_seen in zip(found, seen, strict=True) if is_seen]

    def passages(self, rows: Sequence[int]) -> dict[int, Passage]:
        """Return passages of the scope by row, as the tenant sees them."""
        found = self._catalog.passages(rows)
        return {row: self._scope.shown(passage) for row, passage in found.items()}

    def languages(self) -> RowLanguages:
        """Return the languages of all rows; who reads them looks at his own."""
        return self._catalog.languages()

    def _seen(self, rows: Sequence[int], generation: int) -> list[bool]:
        """Tell which rows live in the scope."""
        known = self.rows(generation)
        first, last = (np.searchsorted(known, rows, side) for side in _SIDES)
        return (first < last).tolist()

    def keys(self, rows: npt.NDArray[np.int64]) -> dict[int, int]:
        """Return numbers of 64 bits that stand for rows, made of their ids."""
        found = self._catalog.ids(rows.tolist())
        return {
            row: int.from_bytes(
                hashlib.blake2b(
                    id.removeprefix(self._scope.prefix).encode(), digest_size=_KEY
                ).digest(),
                "little",
            )
            for row, id in found.items()
        }


class ScopedStore:
    """An index of which only a scope is seen; see :class:`~.readable.ReadableStore`.

    Args:
        store: the whole index.
        scope: what of it is seen.
    """

    def __init__(self, store: Store, scope: Scope) -> None:
        self._store = store
        self._scope = scope
        self._last: tuple[Snapshot, Snapshot] | None = None
        self._keys: tuple[object, npt.NDArray[np.int64], npt.NDArray[np.uint64]] | None = None

    @property
    def folder(self) -> Path:
        """Where the index lies, for messages."""
        return self._store.folder

    @property
    def settings(self) -> IndexSettings:
        """The settings of the index."""
        return self._store.settings

    @property
    def catalog(self) -> ScopedCatalog:
        """The scope's part of the catalog."""
        return ScopedCatalog(self._store.catalog, self._scope)

    def snapshot(self) -> Snapshot:
        """Return the newest generation, in which nothing lives but what is in the scope.

        What is known of the scope is kept where it has not changed, as often as others write.
        """
        whole = self._store.snapshot()
        if not self._scope.conditions:
            return whole
        last = self._last
        if last is not None and last[0] is whole:
            return last[1]
        rows = self.catalog.rows(whole.generation)
        if last is not None and last[1].folder is whole.folder:
            former = last[1].segments.rows
            rows = former if np.array_equal(rows, former) else rows
        narrow = replace(whole, segments=LiveSegments(_within(whole.segments, rows), rows))
        self._last = whole, narrow  # at once, so that no lock is needed
        return narrow

    def forget(self) -> None:
        """Let go of the last snapshot, whose files are mapped."""
        self._last = None

    def row_keys(self, snapshot: Snapshot) -> npt.NDArray[np.uint64]:
        """Return a number for each live row of a snapshot, the same wherever its passage lies.

        Row numbers tell how much others have written; ids do not.
        """
        rows = snapshot.segments.rows
        known = self._keys
        if known is None or known[0] is not snapshot.folder:
            known = snapshot.folder, np.empty(0, np.int64), np.empty(0, np.uint64)
        keys = np.zeros(len(rows), np.uint64)
        old, places = np.isin(rows, known[1]), np.searchsorted(known[1], rows)
        keys[old] = known[2][places[old]]
        new = rows[~old]
        found = self.catalog.keys(new) if len(new) else {}
        keys[~old] = [found.get(row, 0) for row in new.tolist()]
        self._keys = snapshot.folder, rows, keys
        return keys


def _within(segments: LiveSegments, rows: npt.NDArray[np.int64]) -> list[LiveSegment]:
    """Return those segments that hold some of the rows, without all others."""
    limited = [live.within(rows) for live in segments]
    return [live for live in limited if live.windows]
