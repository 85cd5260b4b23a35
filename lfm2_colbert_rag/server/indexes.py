"""The indexes of a server: found by name, opened when asked for, lent as views."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._support.regular import open_regular
from ..cluster.address import is_address
from ..errors import ConfigError, IndexExistsError, IndexGoneError, IndexNotFoundError
from ..retriever.facade import Retriever
from ..retriever.view import View
from ..storage.layout import CATALOG
from .part import Part

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_ENDING = ".index"
_ADDRESS, _LONGEST = ".address", 4096
_LISTED = 1.0  # seconds that a list of the folder counts
_MISSED = 0.05  # and counts for a name that is not in it


@dataclass(eq=False)
class _Opened:
    """An index that is open, and how many use it."""

    retriever: Retriever | None = None
    users: int = 0
    is_gone: bool = False
    opening: threading.Lock = field(default_factory=threading.Lock)


class Shelf:
    """The indexes of a folder, or the one that the folder is; may be used by several threads.

    Those used last are kept open. What a request names is looked up in a list of the folder, and
    never made into a path.

    Args:
        folder: an index, or a folder of indexes, each in a folder ``name`` or ``name.index``, or in
            an engine, the address of which a file ``name.address`` holds.
        most: how many are kept open.
        read_only: whether they are opened to be read only.
    """

    def __init__(self, folder: Path, *, most: int, read_only: bool) -> None:
        self._folder = folder
        self._most = most
        self._read_only = read_only
        self._changing = threading.Lock()
        self._open: OrderedDict[str, _Opened] = OrderedDict()
        self._listed: tuple[float, dict[str, Path]] = (-1.0, {})

    @property
    def is_one(self) -> bool:
        """Whether the folder itself is the only index."""
        return (self._folder / CATALOG).is_file()

    def names(self) -> list[str]:
        """Return the names of all indexes, sorted."""
        return sorted(self._list(fresh=False))

    def opened(self) -> list[str]:
        """Return the names of those that are open, those used last first."""
        with self._changing:
            return list(reversed(self._open))

    def place(self, name: str) -> Path:
        """Return where an index lies, or one that is made will lie."""
        return self._list(fresh=True).get(name, self._folder / name)

    def has(self, name: str) -> bool:
        """Tell whether there is an index of this name; a new one may be missed for an instant.

        Names that are none must not make the folder be read as often as they are asked for.
        """
        listed, _ = self._listed
        known = name in self._list(fresh=False)
        return known or (time.monotonic() - listed > _MISSED and name in self._list(fresh=True))

    @contextmanager
    def lend_index(self, name: str) -> Iterator[Retriever]:
        """Lend an index; for what writes and keeps it, never for what answers requests.

        Raises:
            IndexNotFoundError: there is none of this name.
        """
        opened = self._take(name)
        try:
            yield self._opened(name, opened)
        except IndexGoneError:
            opened.is_gone = True
            raise
        finally:
            self._give_back(name, opened)

    @contextmanager
    def lend(self, name: str, part: Part) -> Iterator[View]:
        """Lend what somebody may see of an index.

        Raises:
            IndexNotFoundError: there is none of this name.
        """
        with self.lend_index(name) as retriever:
            yield part.view(retriever)

    def model(self, name: str) -> str:
        """Return the name of an index's model, without the folder it may lie in."""
        with self.lend_index(name) as retriever:
            return Path(retriever.model).name or retriever.model

    def make(self, name: str, model: str, options: Mapping[str, Any]) -> None:
        """Make an empty index.

        Raises:
            IndexExistsError: there is something of this name.
            ConfigError: an option is invalid.
        """
        place = self.place(name)
        if place.exists():
            raise IndexExistsError(f"{place} exists; choose another name.")
        Retriever.open(place, model=model, **options).close()
        self._listed = (-1.0, {})

    def close(self, name: str | None = None) -> None:
        """Close an index, or all of them; one in use when it is given back."""
        with self._changing:
            self._listed = (-1.0, {})
            for known, opened in list(self._open.items()):
                if name in (None, known):
                    opened.is_gone = True
                    if not opened.users:
                        self._close(known)

    def _take(self, name: str) -> _Opened:
        if not self.has(name):
            raise IndexNotFoundError(f"there is no index {name!r}.")
        with self._changing:
            opened = self._open.get(name)
            if opened is None or opened.is_gone:
                opened = self._open[name] = _Opened()
            self._open.move_to_end(name)
            opened.users += 1
            idle = [known for known, one in self._open.items() if not one.users]
            for known in idle[: max(0, len(self._open) - self._most)]:
                self._close(known)
            return opened

    def _opened(self, name: str, opened: _Opened) -> Retriever:
        with opened.opening:
            if opened.retriever is None:
                place = self._list(fresh=False).get(name)
                if place is None:
                    raise IndexNotFoundError(f"there is no index {name!r}.")
                opened.retriever = Retriever.open(_place_of(place), read_only=self._read_only)
            return opened.retriever

    def _give_back(self, name: str, opened: _Opened) -> None:
        with self._changing:
            opened.users -= 1
            if opened.users or (opened.retriever is not None and not opened.is_gone):
                return
            if self._open.get(name) is opened:
                del self._open[name]
        if opened.retriever is not None:
            opened.retriever.close()

    def _close(self, name: str) -> None:
        opened = self._open.pop(name)
        if opened.retriever is not None:
            opened.retriever.close()

    def _list(self, *, fresh: bool) -> dict[str, Path]:
        listed, known = self._listed
        if fresh or time.monotonic() - listed > _LISTED or listed < 0:
            known = {name_of(self._folder): self._folder} if self.is_one else self._found()
            self._listed = time.monotonic(), known
        return known

    def _found(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        try:
            entries = sorted(os.scandir(self._folder), key=lambda one: one.name)
        except FileNotFoundError:
            return found
        for entry in entries:
            if entry.name.endswith(_ADDRESS) and entry.is_file(follow_symlinks=False):
                name = entry.name.removesuffix(_ADDRESS)
                if _NAME.fullmatch(name):
                    found.setdefault(name, Path(entry.path))
                continue
            name = entry.name.removesuffix(_ENDING)
            if _NAME.fullmatch(name) and entry.is_dir(follow_symlinks=False):
                path = Path(entry.path)
                if (path / CATALOG).is_file():
                    found.setdefault(name, path)
        return found


def name_of(folder: Path) -> str:
    """Return the name by which a folder that is an index is asked for."""
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.removesuffix(_ENDING).lower())
    return name.strip("-_")[:63] or "index"


def _place_of(path: Path) -> Path | str:
    """Return where an index lies: the folder itself, or the address that a file holds.

    Raises:
        ConfigError: the file holds no address.
    """
    if path.suffix != _ADDRESS:
        return path
    with open_regular(path) as file:
        text = file.read(_LONGEST).decode("utf-8", "replace").strip()
    if not is_address(text):
        raise ConfigError(f"{path} holds no address, such as qdrant://host:6334/manuals.")
    return text
