"""The encoders of an index: one for each space of vectors that is asked or written.

A space knows how to ask for its model. Where somebody gave another way, such as an encoder of his
own, that one is taken for the model that it is.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

from .._support.forking import renew_in_child
from .lazy import LazyEncoder

if TYPE_CHECKING:
    from .lazy import ModelLike
    from .protocol import Encoder, Fingerprint


class Space(Protocol):
    """What a space knows of its model, as the settings of an index do."""

    @property
    def model(self) -> str:
        """How to ask for the model again."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """Which model it is."""
        ...


class Encoders:
    """Gives the encoder of a space; safe to use from several threads.

    The one that was asked for last stays loaded. Others are let go of once nobody uses them.
    """

    def __init__(self) -> None:
        self._given: dict[str, ModelLike] = {}
        self._last: LazyEncoder | None = None
        self._known: WeakValueDictionary[str, LazyEncoder] = WeakValueDictionary()
        self._keys: tuple[Fingerprint, str] | None = None
        self._finding = threading.Lock()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._finding = threading.Lock()

    def give(self, model: ModelLike, fingerprint: Fingerprint) -> None:
        """Take a model by this name, or this encoder, from now on."""
        self._given[_key(fingerprint)] = model

    def of(self, space: Space) -> LazyEncoder:
        """Return the encoder of a space, loaded or not."""
        key = self._key_of(space.fingerprint)
        with self._finding:
            found = self._known.get(key)
            if found is None:
                model = self._given.get(key, space.model)
                found = self._known[key] = LazyEncoder(model, space.fingerprint)
            self._last = found
            return found

    def get(self, space: Space) -> Encoder:
        """Return the encoder of a space, loaded.

        Raises:
            ModelNotFoundError: the model is no longer where it was.
            IndexMismatchError: what is there now is another model.
        """
        return self.of(space).get()

    def _key_of(self, fingerprint: Fingerprint) -> str:
        """Return what a fingerprint is known by; that of each snapshot is asked for again."""
        known = self._keys
        if known is None or known[0] is not fingerprint:
            self._keys = known = fingerprint, _key(fingerprint)
        return known[1]


def _key(fingerprint: Fingerprint) -> str:
    return json.dumps(dict(fingerprint), sort_keys=True)
