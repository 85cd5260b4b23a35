"""The search index over the newest generation, made when it is first searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...index.compressed.search import CompressedIndex
from ...index.exact.search import ExactIndex
from ...index.segment import COMPRESSED
from ...index.settings import DEFAULT_SETTINGS, SearchSettings

if TYPE_CHECKING:
    from ...index.base import Index
    from ...storage.store import Snapshot


class IndexCache:
    """Makes indexes of snapshots, and keeps the last one; safe to share between threads."""

    def __init__(self) -> None:
        self._chosen: tuple[str, SearchSettings] | None = None
        self._last: tuple[Snapshot, Index] | None = None

    def get(self, snapshot: Snapshot) -> Index:
        """Return the right way to search a snapshot: exact until a segment is compressed."""
        last = self._last
        if last is not None and last[0] is snapshot:
            return last[1]
        index = self.make(snapshot)
        self._last = snapshot, index
        return index

    def use(self, settings: SearchSettings, space: str) -> None:
        """Search compressed vectors of a space so thoroughly from now on."""
        self._chosen = space, settings
        self._last = None

    def forget(self) -> None:
        """Let go of the snapshot, whose files are mapped."""
        self._last = None

    def make(self, snapshot: Snapshot) -> Index:
        """Return the same, without keeping it."""
        segments = snapshot.segments
        if any(live.segment.info.kind == COMPRESSED for live in segments):
            chosen = self._chosen
            own = chosen is not None and chosen[0] == snapshot.settings.space
            return CompressedIndex(segments, chosen[1] if chosen and own else DEFAULT_SETTINGS)
        return ExactIndex(segments)
