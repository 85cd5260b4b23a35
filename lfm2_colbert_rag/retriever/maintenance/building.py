"""A space filled with vectors of another model, while the index serves and is written.

What is left to do is asked of the catalog: live passages that have no vectors there. So adding,
deleting and replacing go on meanwhile, and whoever is killed loses the group that was under way.
Segments are compressed and merged as they come, like those of any other space.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..._support.token_vectors import check_window, no_vectors
from ...errors import IndexBusyError, IndexCorruptError
from ...index.base import LiveSegment
from ...storage.commits import StaleDraftError
from ...storage.layout import STAGING
from ...storage.segments import SegmentOpener
from ...storage.switching import serve_space
from .compaction import Compactor

if TYPE_CHECKING:
    from ...index.segment import SegmentInfo
    from ...storage.former import Former
    from ...storage.staging import StagedSegment
    from ...storage.store import Store
    from ...types import Passage
    from ..ingest.passage_encoder import PassageEncoder

Report = Callable[[int], None]
Sizes = list[tuple[int, int, int]]

SECONDS = 300.0
"""For so long a group is encoded at most: what is lost by who is killed."""

LAST = 64
"""So many passages at most are encoded while others may not write, right before the switch."""

_TEXTS = 256  # encoded together: enough for batches of like length, little enough to stop after
_ROUNDS = 20  # in which no less is missing than before, as others add
_TRIES = 5  # of one group, as how vectors are kept is changed, or passages die


class Building:
    """Fills one space.

    Args:
        store: the index.
        other: the same, as the space sees it.
        encoder: encodes passages as the space stores them; asked anew for each group.
        report: called with the number of passages just encoded.

    Attributes:
        encoded: how many were so far.
    """

    def __init__(
        self,
        store: Store,
        other: Store,
        encoder: Callable[[], PassageEncoder],
        report: Report,
    ) -> None:
        self._store, self._other = store, other
        self._encoder, self._report = encoder, report
        self._space = other.settings.space
        self._compactor = Compactor(other)
        self.encoded = 0

    def fill(self) -> None:
        """Encode until next to nothing is missing.

        Raises:
            InputError: the model makes no vector of a text, or none that can be stored.
            StorageFullError: the disk is full; what was committed until then stays.
            IndexBusyError: others add faster than is encoded; likewise.
            IndexLockedError: another writer held the index for too long; likewise.
        """
        least, rounds = None, 0
        while len(rows := self._missing()):
            rounds = 0 if least is None or len(rows) < least else rounds + 1
            least = len(rows) if least is None else min(least, len(rows))
            if rounds > _ROUNDS:
                if len(rows) > LAST:
                    raise self._outrun()
                return
            self._write(rows)
            self._compactor.auto_compact(streaming=True)

    def switch(self, former: Callable[[], Former]) -> None:
        """Let the space serve, with the last passages that are missing there.

        Args:
            former: returns what is kept from then on.

        Raises:
            IndexBusyError: others add more than can be encoded.
            IndexCorruptError: the space lacks vectors that the catalog names.
        """
        for _ in range(_ROUNDS):
            self.fill()
            with self._other.writing():
                rows = self._missing()
                if len(rows) <= LAST:
                    if len(rows):
                        self._write(rows, locked=True)
                    self._require_whole()
                    head = self._store.catalog.head()
                    serve_space(self._store, head, self._space, former())
                    return
        raise self._outrun()

    def _outrun(self) -> IndexBusyError:
        return IndexBusyError(
            f"passages are added to {self._store.folder} faster than they are encoded. What is "
            "done stays: migrate again when less is added."
        )

    def _missing(self) -> npt.NDArray[np.int64]:
        return self._store.catalog.missing_rows(self._space)

    def _require_whole(self) -> None:
        """Compare what lives with what has vectors."""
        catalog = self._store.catalog
        live = catalog.counts(catalog.generation()).passages
        held = self._other.snapshot().segments.passages
        if live != held or len(self._missing()):
            raise IndexCorruptError(
                f"{self._store.folder} has {live:,} passages and vectors of {held:,} in the space "
                "that was to serve. Nothing was changed: forget_previous(), and migrate again."
            )

    def _write(self, rows: npt.NDArray[np.int64], *, locked: bool = False) -> None:
        """Encode a group of the first of some rows, and commit it."""
        until = time.monotonic() + SECONDS
        for _ in range(_TRIES):
            snapshot = self._other.snapshot()
            with self._other.stage_new(snapshot) as staged:
                encoder = self._encoder()
                sizes: Sizes = []
                for start in range(0, len(rows), _TEXTS):
                    sizes += self._encode(rows[start : start + _TEXTS].tolist(), encoder, staged)
                    if not locked and time.monotonic() >= until:
                        break
                if not sizes or self._commit(staged, sizes, encoder, locked):
                    return
        raise IndexBusyError(
            f"how {self._store.folder} keeps vectors was changed again and again while passages "
            "were encoded. What is done stays: migrate again."
        )

    def _encode(self, rows: Sequence[int], encoder: PassageEncoder, staged: StagedSegment) -> Sizes:
        """Write the windows of some passages; those that were forgotten meanwhile are left out."""
        known = self._store.catalog.passages(rows)
        rows = [row for row in rows if row in known]
        passages = [known[row] for row in rows]
        dim, sizes = self._other.settings.dim, []
        encoded = encoder.encode([one.text for one in passages]) if passages else iter(())
        for place, windows in groupby(encoded, key=itemgetter(0)):
            number = vectors = 0
            for _, window in windows:
                if len(window.encoded):
                    check_window(window, dim, passages[place])
                    staged.append(rows[place], window)
                    number, vectors = number + 1, vectors + len(window.encoded)
            if number:
                sizes.append((rows[place], number, vectors))
        self._require_all(rows, passages, sizes)
        self._report(len(rows))
        self.encoded += len(rows)
        return sizes

    @staticmethod
    def _require_all(rows: Sequence[int], passages: Sequence[Passage], sizes: Sizes) -> None:
        found = {row for row, _, _ in sizes}
        for row, passage in zip(rows, passages, strict=True):
            if row not in found:
                raise no_vectors(passage)

    def _commit(
        self, staged: StagedSegment, sizes: Sizes, encoder: PassageEncoder, locked: bool
    ) -> bool:
        """Commit a group; False where it has to be encoded again."""
        fitted = encoder.pooler.fitted
        info = staged.finish(self._other.new_name())
        commit = self._other.commit_vectors
        try:
            dead = commit(staged, info, sizes, fitted, locked=locked)
            if len(dead):  # what was deleted meanwhile, and may be purged, is not to come back
                gone = set(dead.tolist())
                sizes = [one for one in sizes if one[0] not in gone]
                return not sizes or self._commit_without(dead, staged, info, sizes, fitted)
        except StaleDraftError:
            return False
        return True

    def _commit_without(
        self,
        dead: npt.NDArray[np.int64],
        staged: StagedSegment,
        info: SegmentInfo,
        sizes: Sizes,
        fitted: Mapping[str, Any],
    ) -> bool:
        """Write a finished segment once more, without rows that died, and commit that."""
        opener = SegmentOpener(staged.folder.parents[1], self._other.settings.dim, STAGING)
        books = self._other.snapshot().codebooks
        codebook = next((one for one in books if one.name == staged.codebook), None)
        live = LiveSegment(opener.segment(replace(info, name=staged.folder.name), books))
        live = live.without(dead)
        with self._other.stage(
            None if codebook is None else self._other.opener.codebook(codebook)
        ) as again:
            self._compactor.move(live, again)
            info = again.finish(self._other.new_name())
            return not len(self._other.commit_vectors(again, info, sizes, fitted))
