"""What an index is asked through, changed and changed back: adapter or space, in one commit each.

What served before is kept beside what serves, for a time. A reader that has begun goes on in its
generation: a snapshot holds its adapter, and the files of its space stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from .._support.system_errors import system_errors
from ..errors import ConfigError
from .adapters import AdapterInfo, read_adapter, write_adapter
from .commits import Commit, Head
from .former import Former
from .layout import ADAPTERS, CODEBOOKS, SEGMENTS

if TYPE_CHECKING:
    from ..encoder.query_adapter import QueryAdapter
    from .settings import IndexSettings
    from .store import Store

# Measured of questions, and of vectors, as they were then.
_STALE: Mapping[str, Any] = {"recall": None, "presets": None}


def serve_adapter(store: Store, adapter: QueryAdapter | None, keep: float) -> None:
    """Let questions go through an adapter from now on; what served before is kept.

    Args:
        store: the index.
        adapter: the adapter; None for none.
        keep: for how many seconds what served before can be brought back.

    Raises:
        ConfigError: the adapter was made for another model, or another space is kept still; nothing
            was changed.
        IndexLockedError: another writer held the index for too long; nothing was changed.
        StorageFullError: the disk is full; nothing was changed.
        ReadOnlyError: the index may only be read.
    """
    store.require_writable()
    with store.locks.stage() as folder:
        info = None
        if adapter is not None:
            with system_errors(store.folder):
                info = write_adapter(folder, adapter, durable=store.durable)
        with store.writing() as head:
            settings = head.settings
            if adapter is not None and not adapter.fits(settings.fingerprint, settings.dim):
                raise adapter.misfit(settings.model)
            stored = None if info is None else info.to_json()
            if settings.query_adapter == stored:
                return  # it serves already, and what served before it is still kept
            dropped = require_room(store, settings)
            former = Former.left(settings, keep)
            changes = {"query_adapter": stored, "former": former.to_json()}
            commit = Commit(
                head.generation + 1, settings=changes, measured=_STALE, dropped_space=dropped
            )
            with (
                nullcontext()
                if info is None
                else store.placed(folder, f"{ADAPTERS}/{info.file}", info.file)
            ):
                store.catalog.commit(commit)
            store.sweep(SEGMENTS, CODEBOOKS, ADAPTERS)


def serve_former_adapter(store: Store) -> None:
    """Let the adapter serve that did before, and keep what serves now in its place.

    Raises:
        ConfigError: nothing of it is kept; nothing was changed.
        IndexCorruptError: it is damaged; nothing was changed.
        IndexLockedError: another writer held the index for too long; nothing was changed.
        StorageFullError: the disk is full; nothing was changed.
        ReadOnlyError: the index may only be read.
    """
    with store.writing() as head:
        settings = head.settings
        former = require_former(store, settings)
        info = AdapterInfo.of(former.query_adapter)
        if info is not None:
            read_adapter(store.home.folder.root, info, settings)
        changes = {
            "query_adapter": former.query_adapter,
            "former": former.exchanged(settings).to_json(),
        }
        store.catalog.commit(Commit(head.generation + 1, settings=changes, measured=_STALE))


def serve_space(store: Store, head: Head, space: str, former: Former) -> None:
    """Let another space serve in which every live passage has vectors, while writing.

    Args:
        store: the index.
        head: what was read when the writing began.
        space: its name.
        former: what is kept from now on.
    """
    changes = {"former": former.to_json()}
    store.catalog.commit(
        Commit(head.generation + 1, settings=changes, measured=_STALE, serving=space)
    )
    store.sweep(ADAPTERS)


def new_space(store: Store, settings: IndexSettings) -> None:
    """Make room for vectors of another model, beside those that serve.

    Args:
        store: the index.
        settings: of the new space, with its name.

    Raises:
        ConfigError: the index keeps another space still, or fills one; nothing was changed.
    """
    with store.writing() as head:
        dropped = require_room(store, head.settings)
        for other in store.catalog.other_spaces().values():
            if other.space != dropped:
                raise ConfigError(
                    f"{store.folder} is being migrated to {other.model!r}. Go on with that one, or "
                    "give it up by forget_previous(). Nothing was changed."
                )
        changes = {} if dropped is None else {"former": None}
        store.catalog.commit(
            Commit(head.generation + 1, settings=changes, new_space=settings, dropped_space=dropped)
        )
        store.sweep(SEGMENTS, CODEBOOKS, ADAPTERS)


def forget_former(store: Store, *, unfinished: bool = True) -> None:
    """Remove what served before for good, and what a migration that is not done has made.

    Args:
        store: the index.
        unfinished: whether the latter, too.

    Raises:
        ConfigError: there is nothing of either; nothing was changed.
        IndexLockedError: another writer held the index for too long; nothing was changed.
        StorageFullError: the disk is full; nothing was changed.
        ReadOnlyError: the index may only be read.
    """
    with store.writing() as head:
        former = Former.of(head.settings.former)
        others = store.catalog.other_spaces()
        gone = [one for one in others if unfinished or (former and one == former.space)]
        if not gone:
            require_former(store, head.settings)
        for place in range(max(1, len(gone))):
            name = gone[place] if gone else None
            generation = head.generation + 1 + place
            store.catalog.commit(Commit(generation, settings={"former": None}, dropped_space=name))
        store.sweep(SEGMENTS, CODEBOOKS, ADAPTERS)


def require_former(store: Store, settings: IndexSettings) -> Former:
    """Return what served before.

    Raises:
        ConfigError: nothing of it is kept.
    """
    former = Former.of(settings.former)
    if former is None:
        raise ConfigError(
            f"{store.folder} keeps nothing that served before: it was not migrated, or what served "
            "was forgotten. Nothing was changed."
        )
    return former


def require_room(store: Store, settings: IndexSettings) -> str | None:
    """Return the space that goes for what is to be kept now; None where none has to.

    Raises:
        ConfigError: one is kept still, and must be until its time is over.
    """
    former = Former.of(settings.former)
    if former is None or former.space == settings.space:
        return None
    if former.is_over:
        return former.space
    model = store.catalog.other_spaces()[former.space].model
    raise ConfigError(
        f"{store.folder} keeps what served before, {model!r}, until {former.until}, and keeps one "
        "only: bring it back by rollback(), or remove it by forget_previous(). Nothing was changed."
    )
