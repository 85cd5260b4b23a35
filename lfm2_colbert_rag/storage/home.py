"""An index folder as long as it is where it was found: its catalog, its locks, what is open of it.

Where the path comes to name another folder, the :class:`~.store.Store` makes another home of that;
what is under way goes on in the old one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._support.forking import renew_in_child
from ..errors import IndexCorruptError, IndexMismatchError
from ..index.base import LiveSegment, LiveSegments
from ..index.compressed.codebook import CodebookInfo
from ..index.segment import SegmentInfo
from .adapters import AdapterInfo, read_adapter
from .folder import IndexFolder
from .locks import FolderLocks
from .segments import SegmentOpener
from .settings import IndexSettings

if TYPE_CHECKING:
    from ..encoder.query_adapter import QueryAdapter
    from .catalog import Catalog
    from .commits import Changes

# A reader that finds a segment gone looks at the catalog again so often.
_TRIES = 5


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One generation of an index, whole; it stays usable however much is written meanwhile.

    Attributes:
        generation: its number.
        settings: its settings.
        codebooks: its codebooks, the newest last.
        segments: its segments, and the passages that live in them.
        folder: the folder that it is of; generations of different folders have nothing in common.
        adapter: the map that questions to it go through; None for none.
    """

    generation: int
    settings: IndexSettings
    codebooks: tuple[CodebookInfo, ...]
    segments: LiveSegments
    folder: IndexFolder
    adapter: QueryAdapter | None = None


class Home:
    """What is open of one folder.

    Args:
        folder: the folder.
        catalog: its catalog; closed where the rest cannot be opened.
        lock_timeout: seconds to wait for another writer.

    Raises:
        IndexCorruptError: a file is missing or truncated.

    Attributes:
        folder: which folder it is.
        catalog: its catalog.
        locks: its locks.
        opener: opens its segments.
        swept: whether what killed writers left was removed.
    """

    def __init__(self, folder: IndexFolder, catalog: Catalog, lock_timeout: float) -> None:
        self.folder = folder
        self.locks = FolderLocks(folder, lock_timeout)
        self.catalog = catalog
        self.swept = False
        self._refreshing = threading.Lock()
        self._seen = -1
        try:
            settings = self.catalog.changes_since(-1).settings
            self.opener = SegmentOpener(folder.root, settings.dim)
            self._snapshot = Snapshot(-1, settings, (), LiveSegments(()), self.folder)
            self.snapshot()
        except BaseException:
            self.catalog.close()
            raise
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._refreshing = threading.Lock()

    @property
    def settings(self) -> IndexSettings:
        """The settings of the generation that was read last."""
        return self._snapshot.settings

    def close(self) -> None:
        """Let go of files and connections."""
        self.catalog.close()
        self.opener.keep_only(())
        self._snapshot = Snapshot(-1, self.settings, (), LiveSegments(()), self.folder)

    def require_model_of(self, other: Home) -> None:
        """Refuse to stand in for the index of another model.

        Raises:
            IndexMismatchError: the two were made with different models, and neither is being
                migrated to that of the other, or was.
        """
        if not self._knows(other) and not other._knows(self):
            raise IndexMismatchError(
                f"{self.folder.path} was replaced by an index of another model "
                f"({self.settings.model!r}, not {other.settings.model!r}). Open it again."
            )

    def _knows(self, other: Home) -> bool:
        """Tell whether what serves another index serves this one, did, or is made for it."""
        ours = [self.settings, *self.catalog.other_spaces().values()]
        return other.settings.fingerprint in [one.fingerprint for one in ours]

    def snapshot(self) -> Snapshot:
        """Return the newest generation, opening only what is new in it."""
        known = self._snapshot
        if self.catalog.generation() == known.generation:
            return known
        with self._refreshing:
            for attempt in range(_TRIES):
                try:
                    self._refresh()
                    break
                except IndexCorruptError:
                    self.folder.require_named()  # else its files were looked for elsewhere
                    # Another process may have replaced segments since the catalog was read.
                    if attempt + 1 == _TRIES or self.catalog.generation() == self._seen:
                        raise
            return self._snapshot

    def _refresh(self) -> None:
        old = self._snapshot
        changes = self.catalog.changes_since(old.generation, old.settings.space)
        self._seen = changes.generation
        if changes.generation == old.generation:
            return
        if changes.settings.dim != old.settings.dim:
            self.opener = SegmentOpener(self.folder.root, changes.settings.dim)
        known = {live.segment.info.name: live for live in old.segments}
        opened = [self._live_segment(info, known, changes) for info in changes.segments]
        adapter = self._adapter(old, changes.settings)
        if self.folder.root == self.folder.path:  # the segments were opened by a mere name
            self.folder.require_named()
        if changes.codebooks != old.codebooks:
            self.opener.keep_only(changes.codebooks)
        self._snapshot = Snapshot(
            changes.generation,
            changes.settings,
            changes.codebooks,
            LiveSegments(opened),
            self.folder,
            adapter,
        )

    def _adapter(self, old: Snapshot, settings: IndexSettings) -> QueryAdapter | None:
        if old.adapter is not None and old.settings.query_adapter == settings.query_adapter:
            return old.adapter
        info = AdapterInfo.of(settings.query_adapter)
        return None if info is None else read_adapter(self.folder.root, info, settings)

    def _live_segment(
        self, info: SegmentInfo, known: Mapping[str, LiveSegment], changes: Changes
    ) -> LiveSegment:
        live = known.get(info.name)
        if live is None:
            live = LiveSegment(self.opener.segment(info, changes.codebooks))
        return live.without(changes.dead_rows) if len(changes.dead_rows) else live
