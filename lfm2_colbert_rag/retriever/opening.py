"""Index folder and model, brought together: both found, compared, and the model loaded late."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from .._support.validation import check_index_kind, check_lexical, check_nbits
from ..encoder import DEFAULT_MODEL, load_encoder, read_fingerprint
from ..encoder.lazy import LazyEncoder, ModelLike, require_same_model
from ..errors import IndexExistsError, IndexMismatchError, IndexNotFoundError
from ..storage.layout import is_taken
from ..storage.store import Store, new_settings
from .ingest.pooling import check_pool_factor
from .ingest.windows import check_overlap

PathLike: TypeAlias = "str | os.PathLike[str]"


@dataclass(frozen=True)
class IndexOptions:
    """How an index cuts and keeps texts; None leaves it to the index, or to the default.

    Attributes:
        window_overlap: tokens that consecutive windows of a long text share at most.
        pool_factor: how many vectors of a text become one.
        index: ``"exact"``, ``"compressed"`` or ``"auto"``.
        nbits: bits a dimension of compressed vectors.
        lexical: whether words are kept, too.
    """

    window_overlap: int | None = None
    pool_factor: int | None = None
    index: str | None = None
    nbits: int | None = None
    lexical: bool | None = None

    def settle(self, room: int) -> dict[str, Any]:
        """Return the options of a new index.

        Args:
            room: tokens of a text that the model reads.

        Raises:
            ConfigError: an option is invalid.
            MissingExtraError: pooling needs an extra that is not installed.
        """
        return {
            "window_overlap": check_overlap(self.window_overlap, room),
            "pool_factor": check_pool_factor(1 if self.pool_factor is None else self.pool_factor),
            "index": check_index_kind("auto" if self.index is None else self.index),
            "nbits": check_nbits(4 if self.nbits is None else self.nbits),
            "lexical": check_lexical(True if self.lexical is None else self.lexical),
        }

    def require_same(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Compare the options that were given with those of an existing index.

        Raises:
            IndexMismatchError: one differs.
        """
        for name, wanted in asdict(self).items():
            if name in ("index", "lexical"):  # may be changed, see Store.keep_vectors, keep_words
                continue
            if wanted is not None and (wanted != settings[name] or isinstance(wanted, bool)):
                raise IndexMismatchError(
                    f"{folder} was made with {name} {settings[name]}, not {wanted!r}. Leave "
                    f"{name} out, or index the texts again in a new folder."
                )


def open_index(
    folder: Path,
    model: ModelLike | None,
    options: IndexOptions,
    *,
    create: bool,
    lock_timeout: float,
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
        return _create(folder, model, options, lock_timeout=lock_timeout)
    store = Store(folder, lock_timeout=lock_timeout)
    expected = store.settings["fingerprint"]
    try:
        options.require_same(folder, store.settings)
        if options.index is not None:
            store.keep_vectors(check_index_kind(options.index))
        if options.lexical is not None:
            store.keep_words(check_lexical(options.lexical))
        if model is None:
            return store, LazyEncoder(store.settings["model"], expected)
        require_same_model(folder, expected, read_fingerprint(model))
    except BaseException:
        store.close()
        raise
    return store, LazyEncoder(model, expected)


def create_temporary(model: ModelLike | None, options: IndexOptions) -> tuple[Store, LazyEncoder]:
    """Make an empty index in a temporary folder; see ``Retriever.from_texts``."""
    folder = Path(tempfile.mkdtemp(prefix="lfm2-colbert-"))
    try:
        return _create(folder, model, options, durable=False)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def discard(store: Store) -> None:
    """Close an index and remove its folder."""
    store.close()
    shutil.rmtree(store.folder, ignore_errors=True)


def _create(
    folder: Path,
    model: ModelLike | None,
    options: IndexOptions,
    *,
    lock_timeout: float = 10.0,
    durable: bool = True,
) -> tuple[Store, LazyEncoder]:
    encoder = load_encoder(DEFAULT_MODEL if model is None else model)
    settled = options.settle(encoder.document_room)
    settings = new_settings(encoder.name, encoder.dim, encoder.fingerprint, **settled)
    store = Store.create(folder, settings, lock_timeout=lock_timeout, durable=durable)
    return store, LazyEncoder(encoder, encoder.fingerprint)
