"""The folder of an index: one writer, whole commits, readers that are never blocked.

A commit writes a segment (files flushed and renamed), then one SQLite transaction that names it
together with the passages, their metadata, and the rows they replace. Killed before the
transaction, it leaves an orphan folder that the next writer removes; after it, nothing is lost.

Vectors go to the disk as the encoder gives them, into a folder under ``staging`` that its writer
keeps locked, so that what lies there without a lock was left behind. Only once all are there is
the writer's lock taken, and the folder renamed to its place among the segments.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._support.validation import check_vectors, no_vectors
from ..errors import IndexCorruptError, IndexExistsError, IndexMismatchError, IndexNotFoundError
from ..filters import Filter
from ..index import ExactIndex, Index, LiveSegment, SearchSettings
from ..index.arrays import sync_folder
from ..index.compressed.codebook import Codebook, CodebookInfo
from ..index.compressed.writer import CompressedSegmentWriter
from ..index.lexical.postings import Postings, in_parts
from ..index.segment import SegmentInfo, SegmentWriter, WindowWriter
from ..retriever.ingest.pooler import DISTANCE, Pooler, pooling_settings
from ..types import Passage, Window
from .catalog import FILE_NAME, Catalog
from .commits import Changes, Commit, StoredPassage
from .layout import CODEBOOKS, SEGMENTS, is_taken, storage_errors
from .locks import FolderLocks
from .posting_sql import LexicalState
from .schema import FORMAT_VERSION
from .segments import SegmentOpener, make_index

# A reader that finds a segment gone looks at the catalog again so often.
_TRIES = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One generation of an index, whole; it stays usable however much is written meanwhile."""

    generation: int
    segments: tuple[LiveSegment, ...]
    index: Index


class StaleSnapshotError(Exception):
    """What a commit was prepared from has changed; prepare it again. Never reaches users."""


class Store:
    """An index folder.

    Args:
        folder: where the index lives; :meth:`create` makes one.
        lock_timeout: seconds to wait for another writer.
        durable: wait for the disk at every commit.

    Raises:
        IndexNotFoundError: the folder holds no index.
        IndexFormatError: it was written in another version of the format.
        IndexCorruptError: a file is missing or truncated.
    """

    def __init__(self, folder: Path, *, lock_timeout: float = 10.0, durable: bool = True) -> None:
        self.folder = folder
        self._durable = durable
        self.locks = FolderLocks(folder, lock_timeout)
        self._refreshing = threading.Lock()
        self._snapshot = Snapshot(-1, (), ExactIndex([]))
        self._seen = -1
        if not folder.is_dir():
            raise IndexNotFoundError(
                f"{folder} is no folder, so it holds no index. Create one by adding to it: "
                f"Retriever.open({str(folder)!r}, model=...).add(texts)."
            )
        self.catalog = Catalog(folder / FILE_NAME, durable=durable)
        self.settings = self.catalog.settings()
        self.opener = SegmentOpener(folder, self.settings["dim"])
        self._search_settings: SearchSettings | None = None
        self.locks.sweep(self._named)
        self.snapshot()

    @classmethod
    def create(
        cls,
        folder: Path,
        settings: Mapping[str, Any],
        *,
        lock_timeout: float = 10.0,
        durable: bool = True,
    ) -> Store:
        """Make an empty index.

        Raises:
            IndexExistsError: the folder is not empty.
        """
        if is_taken(folder):
            raise IndexExistsError(
                f"{folder} exists and is not empty; name a new folder for the index."
            )
        with storage_errors(folder):
            (folder / SEGMENTS).mkdir(parents=True, exist_ok=True)
            Catalog.create(folder / FILE_NAME, settings, durable=durable).close()
            if durable:
                sync_folder(folder)
        return cls(folder, lock_timeout=lock_timeout, durable=durable)

    @staticmethod
    def is_index(folder: Path) -> bool:
        """Tell whether a folder holds an index, of whatever format version."""
        return (folder / FILE_NAME).is_file()

    def close(self) -> None:
        """Let go of files and connections."""
        self.catalog.close()
        self._snapshot = Snapshot(-1, (), ExactIndex([]))

    def snapshot(self) -> Snapshot:
        """Return the newest generation, opening only what is new in it."""
        if self.catalog.generation() == self._snapshot.generation:
            return self._snapshot
        with self._refreshing:
            for attempt in range(_TRIES):
                try:
                    self._refresh()
                    break
                except IndexCorruptError:
                    # Another process may have replaced segments since the catalog was read.
                    if attempt + 1 == _TRIES or self.catalog.generation() == self._seen:
                        raise
            return self._snapshot

    def keep_vectors(self, kind: str) -> None:
        """Change how vectors are kept from now on; nothing is rearranged by it.

        Args:
            kind: ``"exact"``, ``"compressed"`` or ``"auto"``.

        Raises:
            IndexMismatchError: exact vectors are wanted of an index that was compressed already.
            IndexLockedError: another writer held the index for too long.
        """
        if kind == self.settings["index"]:
            return
        with self.locks.writing():
            if kind == "exact" and self.catalog.codebooks():
                raise IndexMismatchError(
                    f"{self.folder} was compressed already, so that its vectors are no longer "
                    "exact. Index the texts again in a new folder."
                )
            self.catalog.change_setting("index", kind)
            self.settings = self.catalog.settings()

    def set_search(self, settings: SearchSettings) -> None:
        """Search so thoroughly from now on."""
        with self._refreshing:
            self._search_settings = settings
            old = self._snapshot
            self._snapshot = Snapshot(
                old.generation, old.segments, make_index(old.segments, settings)
            )

    def keep_words(self, wanted: bool) -> None:
        """Have a lexical index from now on, which is filled when first asked, or drop it.

        Raises:
            IndexLockedError: another writer held the index for too long.
        """
        if wanted != self._wants_words():
            with self.locks.writing():
                if wanted:
                    self.catalog.postings.enable()
                else:
                    self.catalog.postings.disable()

    def _wants_words(self) -> bool:
        return self.catalog.postings.state() is not None

    def _refresh(self) -> None:
        old = self._snapshot
        changes = self.catalog.changes_since(old.generation)
        self._seen = changes.generation
        if changes.generation == old.generation:
            return
        known = {live.segment.info.name: live for live in old.segments}
        opened = [self._live_segment(info, known, changes) for info in changes.segments]
        # Older formats did not record the order, and merging relies on it.
        segments = tuple(sorted(opened, key=lambda live: int(live.segment.rows[0])))
        self.opener.keep_only(changes.codebooks)
        self._snapshot = Snapshot(
            changes.generation, segments, make_index(segments, self._search_settings)
        )

    def upsert(
        self,
        passages: Sequence[Passage],
        encoded: Iterable[tuple[int, Window]],
        *,
        unchanged: Mapping[str, int] | None = None,
        pooler: Pooler | None = None,
    ) -> None:
        """Add passages, replacing those of the same id, in one commit.

        Args:
            passages: with ids unique among themselves.
            encoded: their windows, at least one each, with the place of its passage in
                ``passages``; ascending. They are written as they come, so an iterator need not
                hold more than one of them in memory.
            unchanged: rows, by id, that the caller relied on when it prepared this commit.
            pooler: what pooled the windows; a distance that it settled is remembered, unless
                another writer was faster.

        Raises:
            InputError: vectors that cannot be stored; nothing was changed.
            StaleSnapshotError: a row in ``unchanged`` is no longer live.
            IndexLockedError: another writer held the index for too long.
            StorageFullError: the disk is full; nothing was changed.
        """
        codebook = self._codebook_for_new()
        with self.locks.stage() as folder, closing(self.new_segment(folder, codebook)) as writer:
            for place, window in encoded:
                check_vectors(window.encoded, self.settings["dim"], passages[place].id)
                with storage_errors(self.folder):
                    writer.append(place, window)
            windows, tokens = writer.counts(len(passages))
            if 0 in windows:
                raise no_vectors(passages[windows.index(0)].id)
            words = in_parts([one.text for one in passages]) if self._wants_words() else []
            with self.locks.writing():
                generation = self.catalog.generation()
                self._require(codebook)
                if unchanged and self.catalog.rows_by_id(list(unchanged), generation) != unchanged:
                    raise StaleSnapshotError("another writer changed passages of this commit.")
                first = self.catalog.next_row()
                stored = [
                    StoredPassage(first + place, *each)
                    for place, each in enumerate(zip(passages, windows, tokens, strict=True))
                ]
                self._commit_new(generation + 1, stored, words, writer, folder, pooler)

    def delete(self, *, ids: Sequence[str] | None = None, where: Filter | None = None) -> int:
        """Delete by id or by filter, in one commit.

        Returns:
            How many passages were deleted; unknown ids count nothing.

        Raises:
            IndexLockedError: another writer held the index for too long.
            StorageFullError: the disk is full; nothing was changed.
        """
        with self.locks.writing():
            generation = self.catalog.generation()
            rows: set[int] = set()
            if ids is not None:
                rows.update(self.catalog.rows_by_id(ids, generation).values())
            if where is not None:
                rows.update(self.catalog.select(where, generation).tolist())
            if rows:
                self.catalog.commit(Commit(generation + 1, removed=sorted(rows)))
            return len(rows)

    def size(self) -> int:
        """Return the bytes of all files in the folder."""
        total = 0
        for path in self.folder.rglob("*"):
            with suppress(OSError):  # a file of a write in progress may be gone by now
                total += path.stat().st_size if path.is_file() else 0
        return total

    def _commit_new(
        self,
        generation: int,
        passages: Sequence[StoredPassage],
        words: Sequence[Postings],
        writer: WindowWriter,
        staged: Path,
        pooler: Pooler | None,
    ) -> None:
        replaced = self.catalog.rows_by_id([one.passage.id for one in passages], generation - 1)
        name = f"{generation:08d}-{secrets.token_hex(4)}"
        with storage_errors(self.folder):
            segment = writer.finish(name, passages[0].row)
        commit = Commit(
            generation,
            passages,
            segment,
            sorted(replaced.values()),
            postings=words,
            settings=self._settled(pooler),
        )
        self._publish(staged, commit)

    def replace_segments(
        self,
        retired: Sequence[str],
        staged: Path | None,
        segment: SegmentInfo | None,
        resized: Sequence[tuple[int, int, int]] = (),
        pooler: Pooler | None = None,
    ) -> bool:
        """Let one segment take the place of others, in one commit that changes no passage.

        Args:
            retired: names of the others.
            staged: the new segment's folder, made by :meth:`stage`.
            segment: the new segment; None where no live row is left.
            resized: see :class:`~lfm2_colbert_rag.storage.commits.Commit`.
            pooler: see :meth:`upsert`.

        Returns:
            False if one of the others is gone already; nothing was changed then.
        """
        with self.locks.writing():
            generation = self.catalog.generation() + 1
            if not set(retired) <= self.catalog.segment_names():
                return False
            commit = Commit(
                generation,
                segment=segment,
                retired=tuple(retired),
                resized=resized,
                settings=self._settled(pooler),
            )
            self._publish(staged, commit)
            # While nobody else can write, or whoever verifies would take them for orphans.
            for name in retired:
                shutil.rmtree(self.folder / SEGMENTS / name, ignore_errors=True)
        return True

    def add_codebook(self, staged: Path, info: CodebookInfo) -> None:
        """Let later segments use a codebook; older ones keep theirs."""
        with self.locks.writing():
            generation = self.catalog.generation() + 1
            with storage_errors(self.folder):
                (self.folder / CODEBOOKS).mkdir(exist_ok=True)
                staged.replace(self.folder / CODEBOOKS / info.name)
                if self._durable:
                    sync_folder(self.folder / CODEBOOKS)
            self.catalog.commit(Commit(generation, codebook=info))
            named = {one.name for one in self.catalog.codebooks()}
            for path in (self.folder / CODEBOOKS).iterdir():
                if path.name not in named:
                    shutil.rmtree(path, ignore_errors=True)

    def _publish(self, staged: Path | None, commit: Commit) -> None:
        """Move a finished segment to its place and name it, or leave everything as it was."""
        root = self.folder / SEGMENTS
        name = None if commit.segment is None else commit.segment.name
        if staged is not None and name is not None:
            with storage_errors(self.folder):
                staged.replace(root / name)
                if self._durable:
                    sync_folder(root)
        try:
            self.catalog.commit(commit)
        except BaseException:
            # The transaction may have gone through before, say, a keyboard interrupt arrived.
            if name is not None and name not in self.catalog.segment_names():
                shutil.rmtree(root / name, ignore_errors=True)
            raise

    def pooler(self) -> Pooler:
        """Return what pools texts now; another process may have settled the distance since.

        Raises:
            MissingExtraError: the index pools, and the ``pooling`` extra is not installed.
        """
        return Pooler.of(self.catalog.settings())

    def _settled(self, pooler: Pooler | None) -> dict[str, Any]:
        """Return what a pooler has settled that nobody has settled before it."""
        if pooler is None or not pooler.settled:
            return {}
        known = self.catalog.settings()[DISTANCE] is not None
        return {} if known else pooler.settled

    def new_segment(self, folder: Path, codebook: Codebook | None) -> WindowWriter:
        """Return a writer of a new segment; of an exact one where there is no codebook."""
        with storage_errors(self.folder):
            if codebook is not None:
                return CompressedSegmentWriter(folder, codebook, durable=self._durable)
            return SegmentWriter(folder, self.settings["dim"], durable=self._durable)

    def new_name(self) -> str:
        """Return a name for a segment or a codebook that no other has."""
        return f"{self.catalog.generation() + 1:08d}-{secrets.token_hex(4)}"

    @property
    def durable(self) -> bool:
        """Whether commits wait for the disk."""
        return self._durable

    def _named(self) -> set[str]:
        """Names of all segments and codebooks that the catalog knows."""
        return self.catalog.segment_names() | {info.name for info in self.catalog.codebooks()}

    def _codebook_for_new(self) -> Codebook | None:
        books = self.catalog.codebooks()
        if not books or self.settings["index"] == "exact":
            return None
        return self.opener.codebook(books[-1])

    def _require(self, codebook: Codebook | None) -> None:
        if codebook is not None and codebook.info.name not in {
            info.name for info in self.catalog.codebooks()
        }:
            raise StaleSnapshotError("the codebook was replaced twice during this commit.")

    def _live_segment(
        self, info: SegmentInfo, known: Mapping[str, LiveSegment], changes: Changes
    ) -> LiveSegment:
        live = known.get(info.name)
        if live is not None:
            dead = changes.dead_rows
        else:
            live = LiveSegment(self.opener.segment(info, changes.codebooks))
            rows = live.segment.rows
            dead = self.catalog.dead_rows(changes.generation, int(rows[0]), int(rows[-1]))
        return live.without(dead) if len(dead) else live


def new_settings(
    model: str,
    dim: int,
    fingerprint: Mapping[str, Any],
    *,
    window_overlap: int = 0,
    pool_factor: int = 1,
    index: str = "auto",
    nbits: int = 4,
    lexical: bool = True,
) -> dict[str, Any]:
    """Return what an index remembers of how it was made."""
    return {
        "format_version": FORMAT_VERSION,
        "model": model,
        "dim": dim,
        "fingerprint": dict(fingerprint),
        "window_overlap": window_overlap,
        **pooling_settings(pool_factor),
        "index": index,
        "nbits": nbits,
        "lexical": LexicalState().to_dict() if lexical else None,
    }
