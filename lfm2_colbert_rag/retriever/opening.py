"""Index folder and model, brought together: both found, compared, and the model loaded late."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..encoder import DEFAULT_MODEL, load_encoder, read_fingerprint
from ..encoder.by_space import Encoders
from ..encoder.lazy import ModelLike, require_same_model
from ..encoder.protocol import Fingerprint
from ..errors import IndexExistsError, IndexNotFoundError, InputError, ReadOnlyError
from ..storage.atomic import is_taken
from ..storage.memory import MemoryFolder, new_memory_folder
from ..storage.store import Store
from ..types import Mode
from .options import new_settings, require_same
from .search.adapting import QueryAdapterLike


@dataclass(frozen=True)
class Reopening:
    """How an index was opened, so that another process can do the same.

    Attributes:
        path: the folder; absolute.
        model: what named the model, or the encoder; None where the index knows it.
        mode: how it is searched; None: as the index can be.
        read_only: whether writes are refused.
        target_recall: what was asked for.
        lock_timeout: seconds that writes wait.
        query_adapter: what names the query adapter, or the adapter.
    """

    path: Path
    model: ModelLike | None
    mode: Mode | None
    read_only: bool
    target_recall: float | None
    lock_timeout: float
    query_adapter: QueryAdapterLike | None = None

    def arguments(self) -> tuple[Any, ...]:
        """Return all of it, in order, as far as it can be pickled.

        Raises:
            InputError: the encoder cannot be pickled.
        """
        if not isinstance(self.model, str | os.PathLike | None):
            try:
                pickle.dumps(self.model)
            except Exception as error:  # an encoder of the user's own raises whatever it likes
                raise InputError(
                    f"{self.path} was opened with an encoder that cannot be given to another "
                    f"process ({error}). Name the model, or open the index there."
                ) from error
        return tuple(getattr(self, one.name) for one in fields(self))


def open_index(
    folder: Path,
    model: ModelLike | None,
    options: Mapping[str, Any],
    *,
    read_only: bool,
    lock_timeout: float,
) -> tuple[Store, Encoders]:
    """Open an index, or make an empty one; see ``Retriever.open`` for arguments and errors."""
    if not Store.is_index(folder):
        _require_creatable(folder, model, read_only=read_only)
        return _create(folder, model, options, lock_timeout=lock_timeout)
    store = Store(folder, lock_timeout=lock_timeout, read_only=read_only)
    try:
        require_same(folder, options, store.settings)
        _change(store, options)
        encoders = Encoders()
        if model is not None:
            encoders.give(model, _require_model(store, read_fingerprint(model)))
    except BaseException:
        store.close()
        raise
    return store, encoders


def _require_model(store: Store, found: Fingerprint) -> Fingerprint:
    """Return the fingerprint of a model that serves, did so before, or is being migrated to.

    Raises:
        IndexMismatchError: it is none of these.
    """
    spaces = [store.settings, *store.catalog.other_spaces().values()]
    if all(dict(one.fingerprint) != dict(found) for one in spaces):
        require_same_model(store.folder, store.settings.fingerprint, found)
    return found


def create_temporary(
    model: ModelLike | None, options: Mapping[str, Any]
) -> tuple[Store, Encoders, MemoryFolder]:
    """Make an empty index in a temporary folder; see ``Retriever.from_texts``."""
    folder = new_memory_folder()
    try:
        return (*_create(folder.index, model, options, durable=False), folder)
    except BaseException:
        folder.remove()
        raise


def discard(store: Store, memory: MemoryFolder) -> None:
    """Close an index in memory and remove its folder."""
    store.close()
    memory.remove()


def _require_creatable(folder: Path, model: ModelLike | None, *, read_only: bool) -> None:
    if model is None or read_only:
        way = "open it without read_only" if read_only else "name its model"
        raise IndexNotFoundError(
            f"{folder} holds no index. Check the path; to make an index there, {way}: "
            f"Retriever.open({str(folder)!r}, model=...)."
        )
    if is_taken(folder):
        raise IndexExistsError(
            f"{folder} exists, but holds no index; name a new folder for the index."
        )


def _change(store: Store, options: Mapping[str, Any]) -> None:
    """Change what may be changed of an existing index."""
    storage, lexical = options.get("storage"), options.get("lexical")
    changes = storage not in (None, store.settings.storage)
    switches = lexical not in (None, store.catalog.postings.state() is not None)
    if (changes or switches) and store.read_only:
        raise ReadOnlyError(
            f"{store.folder} may only be read here, so its options cannot be changed; leave them "
            "out."
        )
    if changes:
        store.change_settings(storage=storage)
    if switches:
        store.keep_terms(bool(lexical))


def _create(
    folder: Path,
    model: ModelLike | None,
    options: Mapping[str, Any],
    *,
    lock_timeout: float = 10.0,
    durable: bool = True,
) -> tuple[Store, Encoders]:
    encoder = load_encoder(DEFAULT_MODEL if model is None else model)
    store = Store.create(
        folder,
        new_settings(encoder, options),
        lexical=options.get("lexical", True),
        lock_timeout=lock_timeout,
        durable=durable,
    )
    encoders = Encoders()
    encoders.give(encoder, encoder.fingerprint)
    return store, encoders
