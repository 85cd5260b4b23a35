"""Which query adapter an index is asked through: changed, and changed back, in one commit each.

What served before is kept beside what serves, for a time. A reader that has begun goes on in its
generation: a snapshot holds its adapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._support.system_errors import system_errors
from ..errors import ConfigError
from .adapters import AdapterInfo, read_adapter, write_adapter
from .commits import Commit, Head
from .former import Former
from .layout import ADAPTERS

if TYPE_CHECKING:
    from ..encoder.query_adapter import QueryAdapter
    from .store import Store

# Measured of questions as they were mapped then.
_STALE: Mapping[str, Any] = {"recall": None, "presets": None}


def serve_adapter(store: Store, adapter: QueryAdapter, keep: float) -> None:
    """Let questions go through an adapter from now on; what served before is kept.

    Args:
        store: the index.
        adapter: the adapter.
        keep: for how many seconds what served before can be brought back.

    Raises:
        ConfigError: the adapter was made for another model; nothing was changed.
        IndexLockedError: another writer held the index for too long; nothing was changed.
        StorageFullError: the disk is full; nothing was changed.
        ReadOnlyError: the index may only be read.
    """
    store.require_writable()
    with store.locks.stage() as folder:
        with system_errors(store.folder):
            info = write_adapter(folder, adapter, durable=store.durable)
        with store.writing() as head:
            settings = head.settings
            if not adapter.fits(settings.fingerprint, settings.dim):
                raise adapter.misfit(settings.model)
            if settings.query_adapter == info.to_json():
                return  # it serves already, and what served before it is still kept
            former = Former.left(settings.query_adapter, keep)
            store.place(folder, f"{ADAPTERS}/{info.file}", info.file)
            _switch(store, head, info.to_json(), former)


def serve_former(store: Store) -> None:
    """Let serve what served before, and keep what serves now in its place.

    Raises:
        ConfigError: nothing of it is kept; nothing was changed.
        IndexCorruptError: it is damaged; nothing was changed.
        IndexLockedError: another writer held the index for too long; nothing was changed.
        StorageFullError: the disk is full; nothing was changed.
        ReadOnlyError: the index may only be read.
    """
    with store.writing() as head:
        settings = head.settings
        former = require_former(store, settings.former)
        info = AdapterInfo.of(former.query_adapter)
        if info is not None:
            read_adapter(store.home.folder.root, info, settings)
        _switch(store, head, former.query_adapter, former.exchanged(settings.query_adapter))


def forget_former(store: Store) -> None:
    """Remove what served before for good.

    Raises:
        ConfigError: nothing of it is kept; nothing was changed.
        IndexLockedError: another writer held the index for too long; nothing was changed.
        StorageFullError: the disk is full; nothing was changed.
        ReadOnlyError: the index may only be read.
    """
    with store.writing() as head:
        require_former(store, head.settings.former)
        store.catalog.commit(Commit(head.generation + 1, settings={"former": None}))
        _sweep(store)


def require_former(store: Store, stored: Mapping[str, Any] | None) -> Former:
    """Return what served before.

    Raises:
        ConfigError: nothing of it is kept.
    """
    former = Former.of(stored)
    if former is None:
        raise ConfigError(
            f"{store.folder} keeps nothing that served before: it was not migrated, or what served "
            "was forgotten. Nothing was changed."
        )
    return former


def _switch(store: Store, head: Head, adapter: Mapping[str, Any] | None, former: Former) -> None:
    settings = {"query_adapter": adapter, "former": former.to_json()}
    store.catalog.commit(Commit(head.generation + 1, settings=settings, measured=_STALE))
    _sweep(store)


def _sweep(store: Store) -> None:
    """Remove files of adapters that no setting names any more, while nobody else can write."""
    named = store.catalog.contents().names
    for name in store.home.folder.names(ADAPTERS):
        if name not in named:
            store.home.swept &= store.home.folder.retire(f"{ADAPTERS}/{name}")
