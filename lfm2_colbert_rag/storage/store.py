"""The folder of an index: one writer, whole commits, readers that are never blocked.

A commit writes a segment (files flushed and renamed), then one SQLite transaction that names it
together with the passages, their metadata, and the rows they replace. Killed before the
transaction, it leaves an orphan folder that the next writer removes; after it, nothing is lost.

Vectors go to the disk as they come, into a folder under ``staging`` that its writer keeps locked,
so that what lies there without a lock was left behind. Only once all are there is the writer's
lock taken, and the folder renamed to its place among the segments.

What a text is, how it is encoded and what its terms are is not known here: whoever adds passages
brings a :class:`~.commits.Draft`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .._support.disk import sync_folder
from .._support.system_errors import raise_named, system_errors
from ..errors import (
    IndexBusyError,
    IndexExistsError,
    IndexMismatchError,
    IndexNotFoundError,
    IndexUnavailableError,
)
from ..filters import EVERYTHING, Filter
from ..filters import Path as FieldPath
from ..index.compressed.codebook import Codebook, CodebookInfo
from ..index.segment import SegmentInfo
from ..types import UNDETERMINED
from .atomic import is_taken, refusals
from .catalog import Catalog
from .commits import Commit, Draft, Forgotten, Head, StaleDraftError, StoredPassage
from .current_home import CurrentHome
from .folder import IndexFolder
from .home import Home, Snapshot
from .layout import CATALOG, CODEBOOKS, SEGMENTS, STAGING
from .locks import FolderLocks
from .scratch import made_folder
from .segments import SegmentOpener
from .settings import IndexSettings
from .staging import StagedSegment, new_writer

__all__ = ["Snapshot", "Store"]

_T = TypeVar("_T")


class Store:
    """An index folder.

    Where its path comes to name another folder, calls that begin later go there, the model being
    the same; a call that has begun keeps to the folder in which it began, see :meth:`whole`.

    Args:
        folder: where the index lives, an absolute path; :meth:`create` makes one.
        lock_timeout: seconds to wait for another writer.
        durable: wait for the disk at every commit.
        read_only: refuse to write. Taken by itself where the folder cannot be written.
        space: the space of vectors that is read and written; None for the one that serves, which
            may be another at the next moment.

    Raises:
        IndexNotFoundError: the folder holds no index.
        IndexFormatError: it was written in another version of the format.
        IndexCorruptError: a file is missing or truncated.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lock_timeout: float = 10.0,
        durable: bool = True,
        read_only: bool = False,
        space: str | None = None,
    ) -> None:
        if not folder.is_dir():
            raise IndexNotFoundError(
                f"{folder} is no folder, so it holds no index. Make one by naming its model: "
                f"Retriever.open({str(folder)!r}, model=...)."
            )
        if not self.is_index(folder):
            raise IndexNotFoundError(f"{folder} holds no index: {CATALOG} is missing.")
        self.folder = folder.absolute()
        self.durable = durable
        self.lock_timeout = lock_timeout
        options = {"durable": durable, "read_only": read_only, "space": space}
        # A function, not a method: so the last reference to a store frees it, and its files.
        self._current = CurrentHome(partial(_open, self.folder, lock_timeout, **options))

    @classmethod
    def create(
        cls,
        folder: Path,
        settings: IndexSettings,
        *,
        lexical: bool = True,
        lock_timeout: float = 10.0,
        durable: bool = True,
    ) -> Store:
        """Make an empty index.

        Args:
            folder: where; it must not exist, or be empty.
            settings: how it is made.
            lexical: whether posting lists are kept.
            lock_timeout: see the class.
            durable: see the class.

        Raises:
            IndexExistsError: the folder is not empty.
            InputError: no folder can have this name.
            AccessDeniedError: this user may not make it.
            StorageFullError: the disk is full; nothing is left behind.
        """
        if is_taken(folder):
            raise IndexExistsError(
                f"{folder} exists and is not empty; name a new folder for the index."
            )
        with refusals(folder), made_folder(folder / SEGMENTS):
            try:
                Catalog.create(
                    folder / CATALOG, settings.to_json(), lexical=lexical, durable=durable
                ).close()
                if durable:
                    sync_folder(folder)
            except BaseException:
                for unfinished in folder.glob(f".tmp-{os.getpid()}-*"):
                    unfinished.unlink(missing_ok=True)
                raise
        return cls(folder, lock_timeout=lock_timeout, durable=durable)

    def within(self, space: str) -> Store:
        """Open the same index once more, as one space of vectors sees it; to be closed."""
        return Store(self.folder, lock_timeout=self.lock_timeout, durable=self.durable, space=space)

    @staticmethod
    def is_index(folder: Path) -> bool:
        """Tell whether a folder holds an index, of whatever format version."""
        with refusals(folder / CATALOG):
            return (folder / CATALOG).is_file()

    @property
    def home(self) -> Home:
        """What is open of the folder: of that to which a call keeps, or else of the newest."""
        return self._current.get()

    @property
    def catalog(self) -> Catalog:
        """The catalog."""
        return self.home.catalog

    @property
    def locks(self) -> FolderLocks:
        """The locks."""
        return self.home.locks

    @property
    def opener(self) -> SegmentOpener:
        """What opens segments and codebooks."""
        return self.home.opener

    @property
    def read_only(self) -> bool:
        """Whether writes are refused."""
        return self.catalog.read_only

    @property
    def settings(self) -> IndexSettings:
        """The settings of the generation that was read last; see :meth:`snapshot`."""
        return self.home.settings

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._current.closed

    def close(self) -> None:
        """Let go of files and connections; a later call raises RetrieverClosedError."""
        self._current.close()

    def pinned(self) -> AbstractContextManager[None]:
        """Keep to one folder in this thread; see :meth:`CurrentHome.pinned`."""
        return self._current.pinned()

    def whole(self, ask: Callable[[], _T]) -> _T:
        """Ask one folder, or once more where it was replaced; see :meth:`CurrentHome.whole`."""
        return self._current.whole(ask)

    def snapshot(self) -> Snapshot:
        """Return the newest generation, opening only what is new in it."""
        return self.whole(lambda: self.home.snapshot())

    def require_writable(self) -> None:
        """Refuse what would write.

        Raises:
            ReadOnlyError: the index may only be read.
        """
        if self.read_only:
            self.catalog.require_writable()

    def change_settings(self, space: str | None = None, **values: Any) -> None:
        """Change settings, in a commit of their own; others see it with their next commit.

        Args:
            space: for which space of vectors they are; None for whichever serves.
            **values: the settings.

        Raises:
            IndexBusyError: another space serves by now.
            IndexMismatchError: exact vectors are wanted of an index that was compressed already.
            IndexLockedError: another writer held the index for too long.
            ReadOnlyError: the index may only be read.
        """
        with self.writing() as head:
            if values.get("storage") == "exact" and head.codebooks:
                raise IndexMismatchError(
                    f"{self.folder} was compressed already, so that its vectors are no longer "
                    "exact. Index the texts again in a new folder."
                )
            if space not in (None, head.settings.space):
                raise IndexBusyError(
                    f"{self.folder} was migrated to another model meanwhile; nothing was changed. "
                    "Repeat the call."
                )
            self.catalog.commit(Commit(head.generation + 1, settings=values))

    def keep_terms(self, wanted: bool) -> None:
        """Keep posting lists from now on, which the next writer fills, or drop them.

        Raises:
            IndexLockedError: another writer held the index for too long.
            ReadOnlyError: the index may only be read.
        """
        postings = self.catalog.postings
        if wanted != (postings.state() is not None):
            with self.writing():
                postings.enable() if wanted else postings.disable()

    @contextmanager
    def stage(self, codebook: Codebook | None, dim: int | None = None) -> Iterator[StagedSegment]:
        """Give a segment to write, exact or of a codebook; removed unless it is committed.

        Args:
            codebook: None for an exact one.
            dim: width of its vectors; None for that of the generation that was read last.
        """
        self.require_writable()
        name = None if codebook is None else codebook.info.name
        with self.locks.stage() as folder:
            try:
                width = self.settings.dim if dim is None else dim
                writer = new_writer(folder, width, codebook, self.durable)
            except OSError as error:
                raise_named(error, self.folder)
                raise
            with closing(writer):
                yield StagedSegment(folder, writer, name)

    @contextmanager
    def stage_new(self, snapshot: Snapshot) -> Iterator[StagedSegment]:
        """Give a segment for passages that are added: compressed once the index has a codebook."""
        books = snapshot.codebooks
        exact = not books or snapshot.settings.storage == "exact"
        codebook = None if exact else self.opener.codebook(books[-1])
        with self.stage(codebook, snapshot.settings.dim) as staged:
            yield staged

    def commit_passages(self, draft: Draft) -> None:
        """Add passages, replacing those of the same id, in one commit.

        Raises:
            StaleDraftError: what the draft relied on has changed; nothing was changed.
            IndexLockedError: another writer held the index for too long.
            StorageFullError: the disk is full; nothing was changed.
        """
        with self.writing() as head:
            if draft.space not in (None, head.settings.space):
                raise StaleDraftError("another space of vectors serves by now.")
            replaced = self._replaced(draft, head)
            self._require_codebook(draft.segment, head)
            languages = draft.languages or [UNDETERMINED] * len(draft.passages)
            columns = zip(draft.passages, *draft.counts, languages, strict=True)
            stored = [
                StoredPassage(head.next_row + place, *each) for place, each in enumerate(columns)
            ]
            segment = draft.segment.finish(_new_name(head.generation + 1), head.next_row)
            commit = Commit(
                head.generation + 1,
                stored,
                segment,
                sorted(replaced.values()),
                postings=draft.postings,
                settings=_unset(draft.fitted, head.settings),
            )
            self._publish(draft.segment, commit)

    def delete(self, *, ids: Sequence[str] | None = None, where: Filter | None = None) -> int:
        """Delete by id or by filter, in one commit.

        Returns:
            How many passages were deleted; unknown ids count nothing.

        Raises:
            IndexLockedError: another writer held the index for too long.
            StorageFullError: the disk is full; nothing was changed.
            ReadOnlyError: the index may only be read.
        """
        with self.writing() as head:
            rows: set[int] = set()
            if ids is not None:
                rows.update(self.catalog.rows_by_id(ids, head.generation).values())
            if where is not None:
                rows.update(self.catalog.select(where, head.generation).tolist())
            if rows:
                self.catalog.commit(Commit(head.generation + 1, removed=sorted(rows)))
            return len(rows)

    def replace_segments(
        self,
        retired: Sequence[str],
        staged: StagedSegment | None,
        resized: Sequence[tuple[int, int, int]] = (),
        fitted: Mapping[str, Any] | None = None,
    ) -> bool:
        """Let one segment take the place of others, in one commit that changes no passage.

        Args:
            retired: names of the others.
            staged: the new segment; None where no live row is left.
            resized: see :class:`~.commits.Commit`.
            fitted: see :class:`~.commits.Draft`.

        Returns:
            False if one of the others is gone already, or vectors are to stay exact meanwhile;
            nothing was changed then.
        """
        info = None if staged is None else staged.finish(self.new_name())
        with self.writing() as head:
            if not set(retired) <= self.catalog.own_segment_names():
                return False
            if staged is not None and not _suits(staged, head):
                return False
            commit = Commit(
                head.generation + 1,
                segment=info,
                retired=tuple(retired),
                resized=resized,
                settings=_unset(fitted or {}, head.settings),
            )
            self._publish(staged, commit)
            # While nobody else can write, or whoever verifies would take them for orphans.
            for name in retired:
                self.home.swept &= self.home.folder.retire(f"{SEGMENTS}/{name}")
            self.sweep(CODEBOOKS)  # one of them may have been the last to name one
        return True

    def commit_vectors(
        self,
        staged: StagedSegment,
        info: SegmentInfo,
        sizes: Sequence[tuple[int, int, int]],
        fitted: Mapping[str, Any],
        *,
        locked: bool = False,
    ) -> npt.NDArray[np.int64]:
        """Add vectors of passages that have none in this space yet, in one commit.

        Args:
            staged: their segment.
            info: what it is, finished.
            sizes: row, windows and vectors of each, ascending.
            fitted: see :class:`~.commits.Draft`.
            locked: whether the caller is :meth:`writing`.

        Returns:
            Ascending rows that died meanwhile; where there are any, nothing was changed: what was
            purged must not come back.

        Raises:
            StaleDraftError: how vectors are kept was changed meanwhile.
            IndexLockedError: another writer held the index for too long.
            StorageFullError: the disk is full.
        """
        rows = np.array([row for row, _, _ in sizes], dtype=np.int64)
        with nullcontext(self.catalog.head()) if locked else self.writing() as head:
            alive = self.catalog.missing_rows(head.settings.space)
            dead = np.setdiff1d(rows, alive)
            if not len(dead):
                self._require_codebook(staged, head)
                settings = _unset(fitted, head.settings)
                commit = Commit(head.generation + 1, segment=info, resized=sizes, settings=settings)
                self._publish(staged, commit)
        return dead

    def add_codebook(self, codebook: Codebook, space: str | None = None) -> CodebookInfo:
        """Write a codebook for later segments; older ones keep theirs.

        Args:
            codebook: the codebook.
            space: of which space's vectors it was made; None where that cannot have changed.

        Raises:
            StaleDraftError: vectors are to stay exact meanwhile, or another space serves by now;
                nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
        """
        with self.locks.stage() as folder:
            with system_errors(self.folder):
                info = codebook.write(folder, durable=self.durable)
            with self.writing() as head:
                if head.settings.storage == "exact":
                    raise StaleDraftError("another process wants exact vectors.")
                if space not in (None, head.settings.space):
                    raise StaleDraftError("another space of vectors serves by now.")
                with self.placed(folder, f"{CODEBOOKS}/{info.name}"):
                    self.catalog.commit(Commit(head.generation + 1, codebook=info))
                self.sweep(CODEBOOKS)
        return info

    def sweep(self, *rooms: str) -> None:
        """Remove what the catalog does not name any more; to be called while :meth:`writing`.

        Args:
            rooms: the folders that are looked into.
        """
        named = self._named()
        for room in rooms:
            for name in self.home.folder.names(room):
                if name not in named:
                    self.home.swept &= self.home.folder.retire(f"{room}/{name}")

    def create_filter_index(self, path: FieldPath) -> None:
        """Index a field of the metadata; see ``Retriever.create_filter_index``."""
        with self.writing():
            self.catalog.create_filter_index(path)

    def drop_filter_index(self, path: FieldPath) -> None:
        """Forget the index of a field; see ``Retriever.drop_filter_index``."""
        with self.writing():
            self.catalog.drop_filter_index(path)

    def forget(
        self,
        held: npt.NDArray[np.int64],
        seconds: float,
        where: Filter = EVERYTHING,
        until: int | None = None,
    ) -> Forgotten:
        """Remove every byte of passages that died so long ago and that no segment holds.

        Args:
            held: ascending rows that segments hold, in whatever space.
            seconds: readers may still be at work in generations of later.
            where: only those that match this filter.
            until: the generation in which ``held`` was so; None for the newest.

        Raises:
            IndexLockedError: another writer held the index for too long; the next time goes on
                from here.
            StorageFullError: the disk is full; likewise.
        """
        forgetting = self.catalog.forgetting
        dropped = forgetting.drop(held, seconds, where, until)
        remains = forgetting.has_remains()
        if remains:
            forgetting.prune()
        self.home.swept = False  # others may have been killed meanwhile
        with self.writing():
            emptied = forgetting.scrub() if remains else True
            return Forgotten(dropped, emptied, self.home.swept)

    def size(self) -> int:
        """Return the bytes of all files in the folder."""
        total = 0
        for path in self.folder.rglob("*"):
            with suppress(OSError):  # a file of a write in progress may be gone by now
                total += path.stat().st_size if path.is_file() else 0
        return total

    def new_name(self) -> str:
        """Return a name for a segment or a codebook that no other has."""
        return _new_name(self.catalog.generation() + 1)

    @contextmanager
    def writing(self) -> Iterator[Head]:
        """Keep other writers out, and say what they left; orphans go before the first write.

        The folder has to have the path's name when the writing begins, and still when it is done:
        what was committed to one that is no longer found under it is not acknowledged.
        """
        self.require_writable()
        with self.pinned(), self.locks.writing():
            home = self.home
            home.folder.require_named()
            if not home.swept:
                home.swept = home.locks.remove_orphans(self._named())
            try:
                yield home.catalog.head()
            except BaseException:  # a second Ctrl-C, say, may have kept it from tidying up
                home.swept = False
                raise
            home.folder.require_named()

    def _replaced(self, draft: Draft, head: Head) -> Mapping[str, int]:
        """Return the live rows that a draft's passages replace."""
        if head.generation == draft.generation:
            return draft.stored
        ids = [passage.id for passage in draft.passages]
        live = self.catalog.rows_by_id([*ids, *draft.relied_on], head.generation)
        if any(live.get(id) != row for id, row in draft.relied_on.items()):
            raise StaleDraftError("another writer changed passages of this commit.")
        return {id: live[id] for id in ids if id in live}

    @staticmethod
    def _require_codebook(staged: StagedSegment, head: Head) -> None:
        if not _suits(staged, head):
            raise StaleDraftError("another process changed how vectors are kept.")

    def place(self, staged: Path, target: str, file: str | None = None) -> None:
        """Move what was finished to its place, and wait for the disk if that is wanted.

        To be called while :meth:`writing`.

        Args:
            staged: the folder in which it was made.
            target: its place, relative to the index.
            file: which file of that folder it is; None for the folder itself.

        Raises:
            IndexUnavailableError: somebody removed it, or the system refuses.
            StorageFullError: the disk is full.
        """
        home = self.home
        source = "/".join([STAGING, staged.name, *([] if file is None else [file])])
        try:
            home.folder.move(source, target)
            if self.durable:
                sync_folder((home.folder.root / target).parent)
        except FileNotFoundError as error:
            home.folder.require_named()  # else it was staged in another folder
            raise IndexUnavailableError(
                f"{staged} was removed by somebody else before it was finished; nothing was "
                "changed. Repeat the call."
            ) from error
        except OSError as error:
            raise_named(error, self.folder)
            raise

    @contextmanager
    def placed(self, staged: Path, target: str, file: str | None = None) -> Iterator[None]:
        """Move what was finished to its place for the commit in the block that names it.

        Where the commit fails, everything is left as it was.

        Args:
            staged: see :meth:`place`, errors too.
            target: see there.
            file: see there.
        """
        try:
            self.place(staged, target, file)
            yield
        except BaseException:
            # The transaction may have gone through before, say, a keyboard interrupt arrived. Where
            # not even that can be asked, on a full disk, whoever writes next tidies up.
            with suppress(Exception):
                if target.rpartition("/")[2] not in self._named():
                    self.home.folder.retire(target)
            raise

    def _publish(self, staged: StagedSegment | None, commit: Commit) -> None:
        """Move a finished segment to its place and name it, or leave everything as it was."""
        if staged is None or commit.segment is None:
            self.catalog.commit(commit)
            return
        with self.placed(staged.folder, f"{SEGMENTS}/{commit.segment.name}"):
            self.catalog.commit(commit)

    def _named(self) -> set[str]:
        """Names of all that the catalog knows to lie in files of its own."""
        return self.catalog.contents().names


def _open(path: Path, lock_timeout: float, **options: Any) -> Home:
    """Open the folder that a path names now; options are those of the catalog."""
    folder = IndexFolder(path)
    catalog = Catalog(path / CATALOG, folder=folder, **options)
    with folder.errors():
        return Home(folder, catalog, lock_timeout)


def _suits(staged: StagedSegment, head: Head) -> bool:
    """Tell whether a staged segment may still be committed, as vectors are to be kept now."""
    if staged.codebook is None:
        return True
    return head.settings.storage != "exact" and staged.codebook in head.codebooks


def _unset(fitted: Mapping[str, Any], settings: IndexSettings) -> dict[str, Any]:
    """Return of some fitted settings those that the index has no value for."""
    return {key: value for key, value in fitted.items() if getattr(settings, key) is None}


def _new_name(generation: int) -> str:
    return f"{generation:08d}-{secrets.token_hex(4)}"
