"""Passages of an index in an engine, read back by id or by filter; needs no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...cluster.plan import Named, Selection
from ...cluster.points import Key, Point
from ...errors import PassageNotFoundError
from ...filters import And, Comparison, Filter, with_id_prefix

if TYPE_CHECKING:
    from ...storage.scope import Scope
    from ...types import Passage, TokenMatrix, Window
    from .home import RemoteHome

_NAMED = 10  # ids that an error names
_AT_ONCE = 256  # passages that are read at once
_WINDOWS_AT_ONCE = 64


class RemoteReader:
    """Reads a part of an index in an engine.

    Args:
        home: the index.
        scope: the part.

    Attributes:
        scope: the part.
        all: its windows.
    """

    def __init__(self, home: RemoteHome, scope: Scope) -> None:
        self._home, self.scope = home, scope
        self.all = self.selection(None)

    def selection(self, where: Filter | None) -> Selection:
        """Return which windows of the part match a filter."""
        conditions = [*_own(self.scope), *([] if where is None else [where])]
        return Selection(And(tuple(conditions)), self.scope.tenant)

    def shown(self, passage: Passage) -> Passage:
        """Return a passage as whoever has the part sees it."""
        return self.scope.shown(passage)

    def has(self, id: str) -> bool:
        """Tell whether a passage has an id."""
        return bool(self._heads([id]))

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """Return the passages that have these ids, in the order asked; others are left out."""
        heads = self._heads(ids)
        return [self.shown(heads[id].passage()) for id in ids if id in heads]

    def count(self, where: Filter | None) -> int:
        """Count the passages that match a filter."""
        return self._home.backend.count(replace(self.selection(where), heads=True))

    def passages(
        self, where: Filter | None = None, limit: int | None = None, after: str | None = None
    ) -> Iterator[Passage]:
        """Yield the passages that match a filter, in an order of the engine's own.

        The order is that of hashes of their ids: always the same, and like chance.

        Raises:
            PassageNotFoundError: no passage has the id ``after``.
        """
        if after is not None and not self.has(after):
            raise PassageNotFoundError(f"no passage has the id {after!r}.")
        return self._passages(where, limit, after)

    def _passages(
        self, where: Filter | None, limit: int | None, after: str | None
    ) -> Iterator[Passage]:
        heads = replace(self.selection(where), heads=True)
        last = None if after is None else Key(self.scope.stored_id(after))
        left = limit
        while left is None or left > 0:
            size = _AT_ONCE if left is None else min(left, _AT_ONCE)
            found = self._home.backend.scroll(heads, size, last)
            yield from (self.shown(point.passage()) for point in found)
            if len(found) < size:
                return
            last, left = found[-1].key, None if left is None else left - size

    def windows(self, ids: Sequence[str]) -> list[list[Window]]:
        """Return the windows of passages by id, in the order asked.

        Raises:
            PassageNotFoundError: an id is unknown; the message names all that are.
        """
        found = self.windows_of(ids)
        missing = [id for id in ids if id not in found]
        if missing:
            named = ", ".join(map(repr, missing[:_NAMED]))
            more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
            raise PassageNotFoundError(f"no passage has the id {named}{more}.")
        return [found[id] for id in ids]

    def windows_of(self, ids: Sequence[str]) -> dict[str, list[Window]]:
        """Return the windows of those of some passages that are there, by id."""
        points = self._points(ids, ("colbert",), tokens=True)
        return {id: [point.window() for point in mine] for id, mine in points.items()}

    def vectors_of(self, ids: Sequence[str]) -> dict[str, list[TokenMatrix]]:
        """Return the token vectors of those of some passages that are there, window by window."""
        points = self._points(ids, ("colbert",), tokens=False)
        return {
            id: [np.asarray(point.vectors.colbert, np.float32) for point in mine]
            for id, mine in points.items()
        }

    def _heads(self, ids: Sequence[str]) -> dict[str, Point]:
        """Return the first windows of those of some passages that the part has, by id."""
        distinct = list(dict.fromkeys(ids))
        found: dict[str, Point] = {}
        for at in range(0, len(distinct), _AT_ONCE):
            part = distinct[at : at + _AT_ONCE]
            for point in self._get_seen([Key(self.scope.stored_id(id)) for id in part]):
                found[point.key.id.removeprefix(self.scope.prefix)] = point
        return found

    def _get_seen(self, keys: Sequence[Key]) -> list[Point]:
        """Return points by key, if the part has them."""
        if _is_all(self.all):
            return self._home.backend.get(keys)
        ids = tuple([key.id for key in keys])
        return self._home.backend.scroll(replace(self.all, heads=True, ids=ids), len(keys))

    def _points(
        self, ids: Sequence[str], vectors: Sequence[Named], *, tokens: bool
    ) -> dict[str, list[Point]]:
        heads = self._heads(ids)
        keys = [
            Key(head.key.id, window) for head in heads.values() for window in range(head.windows)
        ]
        found: dict[str, list[Point]] = {id: [] for id in heads}
        for at in range(0, len(keys), _WINDOWS_AT_ONCE):
            part = keys[at : at + _WINDOWS_AT_ONCE]
            for point in self._home.backend.get(part, vectors, tokens=tokens):
                found[point.key.id.removeprefix(self.scope.prefix)].append(point)
        return {id: sorted(points, key=lambda one: one.key.window) for id, points in found.items()}


def _own(scope: Scope) -> list[Filter]:
    """Return what all passages of a part match, beside having its owner."""
    own: list[Filter] = []
    if scope.tenant is not None and scope.field is not None:
        own.append(Comparison((scope.field,), "$eq", scope.tenant))
    return own if scope.where is None else [*own, with_id_prefix(scope.where, scope.prefix)]


def _is_all(selection: Selection) -> bool:
    return selection.where == And(()) and selection.owner is None
