"""Index folder and model, brought together: both found, compared, and the model loaded late."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TypeAlias

from .encoder import DEFAULT_MODEL, Encoder, load_encoder, read_fingerprint
from .encoder.base import Fingerprint
from .errors import IndexExistsError, IndexMismatchError, IndexNotFoundError
from .store import Store, is_taken, new_settings

PathLike: TypeAlias = "str | os.PathLike[str]"
ModelLike: TypeAlias = "str | os.PathLike[str] | Encoder"


class LazyEncoder:
    """An encoder that is loaded, and compared with the index, when first used.

    Args:
        model: what :func:`~lfm2_colbert_rag.encoder.load_encoder` takes.
        expected: the fingerprint that the index remembers.
    """

    def __init__(self, model: ModelLike, expected: Fingerprint) -> None:
        self._model = model
        self._expected = expected
        self._loading = threading.Lock()
        self._encoder: Encoder | None = None

    def get(self) -> Encoder:
        """Return the encoder.

        Raises:
            ModelNotFoundError: the model is no longer where it was.
            IndexMismatchError: what is there now is another model.
        """
        if self._encoder is None:
            with self._loading:
                if self._encoder is None:
                    encoder = load_encoder(self._model)
                    _require_same(None, self._expected, encoder.fingerprint)
                    self._encoder = encoder
        return self._encoder


def open_index(
    folder: Path, model: ModelLike | None, *, create: bool, lock_timeout: float
) -> tuple[Store, LazyEncoder]:
    """Open an index, or make an empty one; see ``Retriever.open`` for arguments and errors."""
    if not Store.is_index(folder):
        if not create:
            raise IndexNotFoundError(
                f"{folder} holds no index. Check the path, or make one by adding passages."
            )
        if is_taken(folder):
            raise IndexExistsError(
                f"{folder} exists, but holds no index; name a new folder for the index."
            )
        return _create(folder, model, lock_timeout=lock_timeout)
    store = Store(folder, lock_timeout=lock_timeout)
    expected = store.settings["fingerprint"]
    if model is None:
        return store, LazyEncoder(store.settings["model"], expected)
    try:
        _require_same(folder, expected, read_fingerprint(model))
    except BaseException:
        store.close()
        raise
    return store, LazyEncoder(model, expected)


def create_temporary(model: ModelLike | None) -> tuple[Store, LazyEncoder]:
    """Make an empty index in a temporary folder; see ``Retriever.from_texts``."""
    folder = Path(tempfile.mkdtemp(prefix="lfm2-colbert-"))
    try:
        return _create(folder, model, durable=False)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def discard(store: Store) -> None:
    """Close an index and remove its folder."""
    store.close()
    shutil.rmtree(store.folder, ignore_errors=True)


def _create(
    folder: Path, model: ModelLike | None, *, lock_timeout: float = 10.0, durable: bool = True
) -> tuple[Store, LazyEncoder]:
    encoder = load_encoder(DEFAULT_MODEL if model is None else model)
    settings = new_settings(encoder.name, encoder.dim, encoder.fingerprint)
    store = Store.create(folder, settings, lock_timeout=lock_timeout, durable=durable)
    return store, LazyEncoder(encoder, encoder.fingerprint)


def _require_same(folder: Path | None, expected: Fingerprint, found: Fingerprint) -> None:
    different = sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key))
    if different:
        shown = "; ".join(f"{k}: {expected.get(k)!r} now {found.get(k)!r}" for k in different[:4])
        raise IndexMismatchError(
            f"{'the index' if folder is None else folder} was made with another model "
            f"({shown}). Open it with that model, or index the texts again in a new folder."
        )
