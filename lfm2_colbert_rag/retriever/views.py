"""Makes views of tenants: functions over what :mod:`.viewing` does, and nothing besides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from cachetools import LRUCache

from .._support.forking import renew_in_child
from .view import Deeds, View

if TYPE_CHECKING:
    from ..storage.scope import Scope
    from .remote.part import RemotePart
    from .viewing import Viewing

_T = TypeVar("_T")

# Scopes of which is kept what was worked out, some megabytes each; those asked for last.
_KEPT = 32


class Views:
    """Makes views of one index, and keeps what was worked out for the last of them.

    Args:
        viewing: makes what does what the views of a scope offer.
    """

    def __init__(self, viewing: Callable[[Scope], Viewing | RemotePart]) -> None:
        self._viewing = viewing
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Begin anew: another thread of the parent may have been about to change what is kept."""
        self._kept: LRUCache[str, Viewing | RemotePart] = LRUCache(_KEPT)
        self._changing = threading.Lock()

    def make(self, scope: Scope, owner: object) -> View:
        """Return a view.

        Args:
            scope: what it shows.
            owner: what must live as long as the view.
        """
        key = repr(scope.key)
        with self._changing:
            viewing = self._kept.get(key)
            if viewing is None:
                viewing = self._kept[key] = self._viewing(scope)
        named = {
            one.name: _sealed(getattr(viewing, one.name), scope, owner) for one in fields(Deeds)
        }
        return View(scope.tenant, Deeds(**named))

    def forget(self) -> None:
        """Let go of segments, whose files are mapped."""
        with self._changing:
            for viewing in self._kept.values():
                viewing.forget()


def _sealed(do: Callable[..., _T], scope: Scope, owner: object) -> Callable[..., _T]:
    """Return a function that does the same, and of which nothing can be asked.

    A bound method would tell to whom it belongs.
    """

    def deed(*args: Any, **named: Any) -> _T:
        _ = owner
        with scope.plain_errors():
            return do(*args, **named)

    return deed
