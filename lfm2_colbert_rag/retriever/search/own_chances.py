"""What questions score by chance in a tenant's part of an index, by that part alone.

:class:`~.chance.Chances` keeps a sample until the index has grown by a quarter, so that it depends
on when it was first asked for; and it samples by row numbers, which tell how much others write. Of
a tenant's passages the sample is a function of which they are: the same in an index of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ..._support.forking import renew_in_child
from .chance import MANY, Chance, chance_of
from .relevance import sample_windows

if TYPE_CHECKING:
    from ...encoder.background import Background
    from ...storage.store import Snapshot

RowKeys: TypeAlias = "Callable[[Snapshot], npt.NDArray[np.uint64]]"
"""Gives a number for each live row of a snapshot, in order: the same wherever its passage lies."""


class OwnChances:
    """What is known of chance in one part of an index: found when first asked for, and kept.

    Args:
        background: encodes the background.
        row_keys: decides which windows are sampled.
    """

    def __init__(self, background: Callable[[Snapshot], Background], row_keys: RowKeys) -> None:
        self._background = background
        self._row_keys = row_keys
        self._lock = threading.Lock()
        self._rows: npt.NDArray[np.int64] | None = None
        self._files: tuple[str, ...] = ()
        self._chance = Chance(None, 0.0, None)
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._lock = threading.Lock()

    def of(self, snapshot: Snapshot) -> Chance:
        """Return what is known in a generation."""
        with self._lock:
            # Which rows live in which files: others' commits change neither.
            rows = snapshot.segments.rows
            files = tuple(live.segment.info.name for live in snapshot.segments)
            if rows is not self._rows or files != self._files:
                self._chance = self._work_out(snapshot)
                self._rows, self._files = rows, files
            return self._chance

    def prepare(self, snapshot: Snapshot) -> None:
        """Work out beforehand what questions to a generation will need.

        Nothing is done where nobody has asked yet and the model's background would be needed.
        """
        if self._rows is None and _windows(snapshot) < MANY:
            return
        own = self.of(snapshot).own
        if own is not None:
            _ = own.spread

    def _work_out(self, snapshot: Snapshot) -> Chance:
        rows, keys = snapshot.segments.rows, self._row_keys(snapshot)
        sample = sample_windows(snapshot.segments, lambda some: keys[np.searchsorted(rows, some)])
        background = partial(self._background, snapshot)
        return chance_of(sample, _windows(snapshot), background, self._chance.own)


def _windows(snapshot: Snapshot) -> int:
    return sum(live.windows for live in snapshot.segments)
