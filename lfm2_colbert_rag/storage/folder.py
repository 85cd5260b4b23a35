"""The folder that a path names, and whether it still does.

A path is a name: a folder may be renamed, removed, built again, or a link turned to another one
while an index is open. Who has found a folder therefore keeps it, not only its name, and asks
whether the name is still its own before anything is said to be in it. Where the platform has file
descriptors of folders, files are moved and removed by these, wherever the name leads by then.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .._support.regular import kind_of
from .._support.system_errors import gone, raise_named, system_errors
from ..errors import IndexGoneError, LFM2ColBERTError
from .layout import CATALOG
from .retired import retire

# Who puts another folder in the place of one renames twice; between, the path names nothing.
_PAUSE, _PAUSES = 0.005, 6
# The catalog, and what SQLite keeps beside it.
_CATALOG_FILES = (CATALOG, f"{CATALOG}-wal", f"{CATALOG}-shm")
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
# To look at a file without opening it, where the system can.
_PLACE = getattr(os, "O_PATH", 0) | getattr(os, "O_CLOEXEC", 0)
_ANCHORED = {os.open, os.stat, os.rename, os.mkdir} <= os.supports_dir_fd


class FolderReplacedError(IndexGoneError):
    """The path names another folder by now; what was asked is to be asked of that one.

    Readers and writers ask again by themselves; what cannot be repeated tells its caller.
    """


@dataclass(frozen=True)
class Identity:
    """Which folder it is, whatever its name, and which catalog lies in it.

    Attributes:
        folder: device and inode of the folder.
        catalog: device and inode of its catalog.
    """

    folder: tuple[int, int]
    catalog: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> Identity | None:
        """Return what a path names now; None where it names no index.

        Raises:
            AccessDeniedError: this user may not look.
            IndexUnavailableError: the system refuses it now.
        """
        try:
            catalog = os.stat(path / CATALOG)  # noqa: PTH116
            folder = os.stat(path)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise_named(error, path)
            return None  # a loop of links names nothing
        return cls((folder.st_dev, folder.st_ino), (catalog.st_dev, catalog.st_ino))


@dataclass(frozen=True)
class OpenFile:
    """A file that this process has open.

    Attributes:
        number: its descriptor.
        name: its name, without the folder.
        inode: device and inode.
    """

    number: int
    name: str
    inode: tuple[int, int]


class IndexFolder:
    """The folder that a path named when this was made.

    Args:
        path: absolute.

    Raises:
        IndexGoneError: the path names no index, or another one every time it is looked at.

    Attributes:
        path: its name, which may have become that of another.
        root: a path to it that does not depend on its name, if the platform has one, and as long
            as this object is there; else the same as ``path``.
        identity: which one it is.
        left: whether another folder was found under the path; it may come back, and be gone again
            at the next moment.
    """

    def __init__(self, path: Path) -> None:
        self.path = self.root = path
        self.left = False
        self.identity = _find(path)
        self._handle = _open(path) if _ANCHORED else None
        if self._handle is not None:
            weakref.finalize(self, os.close, self._handle)
            held = os.fstat(self._handle)
            if (held.st_dev, held.st_ino) != self.identity.folder:
                raise self.replaced()
            held_by = Path(f"/proc/self/fd/{self._handle}")
            self.root = held_by if held_by.exists() else path

    def is_named(self) -> bool:
        """Tell whether the path still names this folder."""
        return Identity.of(self.path) == self.identity

    def require_named(self) -> None:
        """Refuse to go on where the path names something else.

        Raises:
            IndexGoneError: it names no index.
            FolderReplacedError: it names another one.
        """
        if not self.is_named():
            self.left = True
            _find(self.path)
            raise self.replaced()

    def replaced(self) -> FolderReplacedError:
        """Return the error about a path that has come to name another folder."""
        return FolderReplacedError(
            f"{self.path} was replaced by another folder meanwhile; nothing was changed there. "
            "Repeat the call."
        )

    def resolved(self) -> Path:
        """Return a name that the folder has now, whatever its path names, if the system tells.

        Raises:
            IndexGoneError: the folder was removed.
        """
        if self.root == self.path:
            return self.path
        name = os.readlink(self.root)  # noqa: PTH115
        if name.endswith(" (deleted)") and not Path(name).exists():
            raise gone(self.path)
        return Path(name)

    def owns(self, file: OpenFile) -> bool:
        """Tell whether an open file is the catalog that lies here, or its log."""
        try:
            ours = os.stat(self.root / file.name)  # noqa: PTH116
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == file.inode

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Let errors that are raised within the block, and name files here, name them by the path.

        Raises:
            IndexGoneError: what was raised says that a file is missing, and the path names no index
                any more.
            FolderReplacedError: the same, and it names another one.
            AccessDeniedError: the system says that this user may not do so.
            IndexUnavailableError: it says that there was no memory, or too many files were open, or
                that the disk cannot be read.
            StorageFullError: it says that the disk is full.
        """
        try:
            yield
        except LFM2ColBERTError as error:
            error.args = tuple(
                self.told(one) if isinstance(one, str) else one for one in error.args
            )
            if isinstance(error, OSError) and not isinstance(error, IndexGoneError):
                self.require_named()
            raise
        except OSError as error:
            self.require_named()
            raise_named(error, self.path)
            raise
        except MemoryError as error:
            raise_named(error, self.path)
            raise

    def told(self, text: str) -> str:
        """Return a message that names files here by the path, however they were reached."""
        return text.replace(str(self.root), str(self.path))

    def move(self, source: str, target: str) -> None:
        """Rename what is here.

        Args:
            source: relative to the folder.
            target: likewise; the folder that it lies in is made if need be.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if self._handle is None:
            (self.path / target).parent.mkdir(exist_ok=True)
            (self.path / source).replace(self.path / target)
            return
        with suppress(FileExistsError):
            os.mkdir(Path(target).parent, dir_fd=self._handle)
        os.rename(source, target, src_dir_fd=self._handle, dst_dir_fd=self._handle)

    def retire(self, name: str) -> bool:
        """Remove a folder here that no commit names; see :func:`~.retired.retire`.

        Args:
            name: relative to the folder.

        Returns:
            Whether it is gone.
        """
        return retire(self.root / name)

    def names(self, room: str) -> list[str]:
        """Return the names of what lies in a folder here; none where there is no such folder.

        Args:
            room: relative to the folder; what a link in its place leads to is not looked at.
        """
        with system_errors(self.path), suppress(FileNotFoundError, NotADirectoryError):
            if kind_of(self.root / room) == "a folder":
                return sorted(os.listdir(self.root / room))  # noqa: PTH208
        return []


def open_catalogs() -> frozenset[OpenFile] | None:
    """Return which catalogs and logs this process has open; None where the system does not tell."""
    try:
        numbers = os.listdir("/proc/self/fd")  # noqa: PTH208
    except OSError:
        return None
    found = set()
    for number in numbers:
        with suppress(OSError):  # closed by now
            if _name(number) in _CATALOG_FILES:
                file = _open_file(number)
                if file.name in _CATALOG_FILES:
                    found.add(file)
    return frozenset(found)


def _name(number: str) -> str:
    link = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
    return link.removesuffix(" (deleted)").rpartition("/")[2]


def _open_file(number: str) -> OpenFile:
    """Return what a descriptor stands for.

    Other threads may close it, and get its number for another file, at any moment; so it is looked
    at through one of our own. That only names the file: closing it ends no locks of SQLite's.

    Raises:
        OSError: it is closed.
    """
    held = os.open(f"/proc/self/fd/{number}", _PLACE)
    try:
        status = os.fstat(held)
        return OpenFile(int(number), _name(str(held)), (status.st_dev, status.st_ino))
    finally:
        os.close(held)


def _find(path: Path) -> Identity:
    for attempt in range(_PAUSES):
        found = Identity.of(path)
        if found is not None:
            return found
        if attempt + 1 < _PAUSES:
            time.sleep(_PAUSE)
    raise gone(path)


def _open(path: Path) -> int:
    try:
        return os.open(path, _FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        raise gone(path) from None
    except OSError as error:
        raise_named(error, path)
        raise
