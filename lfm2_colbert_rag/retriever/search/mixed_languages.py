"""Whether the passages of an index are in several languages, and in which each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...storage.row_languages import RowLanguages, is_mixed

if TYPE_CHECKING:
    from ...storage.home import Snapshot
    from ...storage.readable import ReadableStore

MIXED = 0.02
"""Part of the passages in other languages than the most frequent from which an index is mixed: a
few are always told wrongly, or quote."""


class Languages:
    """The languages of one index, as far as searching goes.

    Args:
        store: the index.
    """

    def __init__(self, store: ReadableStore) -> None:
        self._store = store
        self._known: tuple[object, RowLanguages | None] = (None, None)

    def are_mixed(self, snapshot: Snapshot) -> bool:
        """Tell whether the passages of a generation are in several languages."""
        return self.mixed(snapshot) is not None

    def mixed(self, snapshot: Snapshot) -> RowLanguages | None:
        """Return the languages of rows; None where all passages of a generation share one."""
        wanted = snapshot.folder, snapshot.generation
        known, languages = self._known
        if known != wanted:
            found = self._store.catalog.languages()
            counts = found.counts(snapshot.segments.rows)
            languages = found if is_mixed(counts, MIXED) else None
            self._known = wanted, languages  # at once, so that no lock is needed
        return languages
