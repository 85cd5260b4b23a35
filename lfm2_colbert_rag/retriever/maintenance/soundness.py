"""Which segments are whole, so that nothing damaged is copied and gets a checksum that fits it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ...errors import IndexCorruptError
from ...index.compressed.segment import REPAIRED

if TYPE_CHECKING:
    from ...index.base import LiveSegment
    from ...storage.store import Store

logger = logging.getLogger(__name__)

_SHOWN = 5


class Soundness:
    """Compares segments with their checksums before they are rewritten.

    What is damaged stays where it is, so that it goes on being found; the rest is rearranged.

    Args:
        store: the index.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._whole: set[str] = set()
        self._damaged: dict[str, Sequence[str]] = {}
        self._met: list[str] = []

    def begin(self, *, anew: bool = False) -> None:
        """Compare from now on what was found whole before; ``anew``: what was damaged as well."""
        self._whole.clear()
        if anew:
            self._damaged.clear()
            self._met.clear()

    def is_damaged(self, live: LiveSegment) -> bool:
        """Tell whether a segment was found damaged; nothing is read."""
        return live.segment.info.name in self._damaged

    def is_whole(self, live: LiveSegment) -> bool:
        """Compare the files of a segment with their checksums, in bounded memory.

        Inverted lists do not count, as they are made anew by whatever rewrites a segment.
        """
        info = live.segment.info
        if info.name in self._damaged or info.name in self._whole:
            return info.name in self._whole
        altered = self._store.opener.find_altered(info)
        told = self._store.home.folder.told
        found = [told(said) for name, said in altered.items() if name not in REPAIRED]
        if not found:
            self._whole.add(info.name)
            return True
        self._damaged[info.name] = found
        logger.warning("a segment was left as it is, for it is damaged: %s", " ".join(found))
        return False

    def whole(self, segments: Sequence[LiveSegment]) -> list[LiveSegment]:
        """Return those that are whole."""
        return [live for live in segments if self.is_whole(live)]

    def runs(self, segments: Sequence[LiveSegment]) -> list[list[LiveSegment]]:
        """Cut segments, side by side, where one is damaged.

        None is written across it: should it be put back whole, its rows lie between two segments.
        """
        grouped = groupby(segments, key=self.is_whole)
        return [list(run) for whole, run in grouped if whole]

    def note(self, error: IndexCorruptError) -> None:
        """Remember damage that somebody else met."""
        self._met.append(str(error))

    def raise_found(self) -> None:
        """Name what was left as it is.

        Raises:
            IndexCorruptError: some segment is damaged.
        """
        live = {one.segment.info.name for one in self._store.snapshot().segments}
        found = [said for name, each in self._damaged.items() if name in live for said in each]
        found = list(dict.fromkeys([*found, *self._met]))
        if found:
            more = f" And {len(found) - _SHOWN:,} more." if len(found) > _SHOWN else ""
            raise IndexCorruptError(
                f"{self._store.folder} was rearranged but for what is damaged, which was left as "
                f"it is: {' '.join(found[:_SHOWN])}{more}"
            )
