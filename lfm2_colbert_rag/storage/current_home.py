"""The folder that an index's path names now, and the calls that keep to the one they began in.

A deployment replaces a folder by renaming another over it, or turns a link round. Calls that begin
later go to the new folder; one that has begun answers from the old one, whole, or begins again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from .._support.forking import renew_in_child
from .folder import FolderReplacedError

if TYPE_CHECKING:
    from .home import Home

_T = TypeVar("_T")

# What meets a folder that is replaced meanwhile is asked again of the new one, so often at most.
_TRIES = 10


class CurrentHome:
    """What is open of the folder that a path names, opened anew where it names another.

    Args:
        open_home: opens the folder that the path names at that moment; it may raise
            FolderReplacedError, and is then called again.
    """

    def __init__(self, open_home: Callable[[], Home]) -> None:
        self._open_home = open_home
        self._changing = threading.Lock()
        self._call = threading.local()  # the home that a call of this thread keeps to
        self._newest = self._open()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._changing = threading.Lock()

    def get(self) -> Home:
        """Return what is open of the folder to which a call keeps, or else of the newest."""
        pinned: Home | None = getattr(self._call, "home", None)
        return self._newest if pinned is None else pinned

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._newest.catalog.closed

    def close(self) -> None:
        """Let go of files and connections; a later call raises RetrieverClosedError."""
        with self._changing:
            self._newest.close()

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """Keep to one folder in this thread for as long as the block lasts.

        Everything that is asked within it is answered by the folder that the path names at the
        beginning, or is refused. Blocks may be nested; the outermost counts.

        Raises:
            RetrieverClosedError: the store was closed.
            IndexGoneError: the path names no index.
            FolderReplacedError: the path names another folder by now, where this matters.
            IndexMismatchError: it names an index of another model.
        """
        if getattr(self._call, "home", None) is not None:
            yield
            return
        self._call.home = home = self._follow()
        try:
            with home.folder.errors():
                yield
        finally:
            self._call.home = None

    def whole(self, ask: Callable[[], _T]) -> _T:
        """Ask in a :meth:`pinned` block, and once more where the folder was replaced meanwhile.

        Args:
            ask: may be called several times; what it answers is of one folder.
        """
        if getattr(self._call, "home", None) is not None:
            return ask()
        for _ in range(_TRIES - 1):
            try:
                with self.pinned():
                    return ask()
            except FolderReplacedError:
                continue
        with self.pinned():
            return ask()

    def _open(self) -> Home:
        for _ in range(_TRIES - 1):
            with suppress(FolderReplacedError):
                return self._open_home()
        return self._open_home()

    def _follow(self) -> Home:
        """Return what is open of the folder that the path names now, opening it if need be."""
        newest = self._newest
        newest.catalog.require_open()
        if newest.folder.is_named():
            return newest
        with self._changing:
            old = self._newest
            old.catalog.require_open()
            if not old.folder.is_named():
                home = self._open()
                try:
                    home.require_model_of(old)
                except BaseException:
                    home.close()
                    raise
                old.folder.left = True
                self._newest = home  # the old one is closed once nobody is at work in it
            return self._newest
