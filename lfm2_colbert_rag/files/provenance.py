"""Where passages came from: kept with them, so that what is gone from there can be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .._support.characters import storable
from .._support.lines import IdDigests
from ..filters.strings import composed
from ..types import Passage

if TYPE_CHECKING:
    from ..retriever import Retriever

__all__ = ["KEY", "Ids", "Scope", "find_replaced", "origin"]

KEY = "_file"
"""Under which metadata hold the origin; one of :data:`~lfm2_colbert_rag.types.RESERVED_KEYS`."""

_AT_ONCE = 1000
_T = TypeVar("_T")


def origin(path: Path, prefix: str) -> dict[str, Any]:
    """Return what is kept of where a passage was read.

    Args:
        path: its file, absolute.
        prefix: what was put before the names of files.
    """
    return {"path": _stored(path), "prefix": prefix}


class Ids:
    """Very many ids, to ask which are among them; one in 10^19 others passes for one."""

    def __init__(self, digests: IdDigests) -> None:
        self._sorted = digests.sorted()

    def __contains__(self, id: object) -> bool:
        """Tell whether an id is among them."""
        wanted = np.uint64(IdDigests.digest(str(id)))
        place = int(np.searchsorted(self._sorted, wanted))
        return place < len(self._sorted) and bool(self._sorted[place] == wanted)


class Scope:
    """Some files and folders, as passages remember them.

    Args:
        roots: the files and folders, absolute.
        prefix: what was put before the names of files: passages with another do not belong here.
        unread: files and folders among them that could not be read, wholly or in parts: of
            passages that came from there, nobody knows whether they are gone.
    """

    def __init__(self, roots: Sequence[Path], prefix: str, unread: Iterable[Path]) -> None:
        self._roots = [_stored(root) for root in roots]
        self._folders = [_stored(root).rstrip("/") for root in roots if root.is_dir()]
        self._prefix = prefix
        self._unread = [_stored(path) for path in unread]

    def wheres(self) -> Iterator[dict[str, Any]]:
        """Yield the filters that the passages match which came from here, unread files included.

        Whatever begins with a folder's path and a slash lies between that and the next character.
        """
        here = {f"{KEY}.prefix": self._prefix}
        for roots in _parts(self._roots):
            yield {**here, f"{KEY}.path": {"$in": roots}}
        for folders in _parts(self._folders):
            within = [{f"{KEY}.path": {"$gt": f"{one}/", "$lt": f"{one}0"}} for one in folders]
            yield {**here, "$or": within}

    def find_stale(self, retriever: Retriever, current: Ids) -> list[str]:
        """Return the ids of passages that came from here and are not among the current ones."""
        stale = {
            passage.id: None
            for where in self.wheres()
            for passage in retriever.passages(where)
            if passage.id not in current and not self._is_unread(passage.metadata[KEY]["path"])
        }
        return list(stale)

    def _is_unread(self, path: str) -> bool:
        return any(path == one or path.startswith(f"{one.rstrip('/')}/") for one in self._unread)


def find_replaced(retriever: Retriever, passages: Iterable[Passage]) -> Iterator[str]:
    """Yield where those came from that passages from elsewhere will replace.

    Args:
        retriever: the index.
        passages: what is to be added.

    Yields:
        For each that is replaced the path of its file; empty where it came from no file.
    """
    for batch in _parts(passages):
        stored = {one.id: _path(one) for one in retriever.get([one.id for one in batch])}
        for passage in batch:
            before = stored.get(passage.id)
            if before is not None and before != _path(passage):
                yield before


def _parts(items: Iterable[_T]) -> Iterator[list[_T]]:
    remaining = iter(items)
    while part := list(islice(remaining, _AT_ONCE)):
        yield part


def _path(passage: Passage) -> str:
    known = passage.metadata.get(KEY)
    path = known.get("path") if isinstance(known, dict) else None
    return path if isinstance(path, str) else ""


def _stored(path: Path) -> str:
    """Return a path as metadata hold it: no two spellings, and nothing that cannot be stored."""
    return composed(storable(path.as_posix()))
