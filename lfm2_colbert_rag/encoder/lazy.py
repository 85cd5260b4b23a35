"""An encoder that is loaded when it is first used, and compared with what an index remembers."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TypeAlias

from .._support.forking import renew_in_child
from ..errors import IndexMismatchError
from . import load_encoder
from .protocol import Encoder, Fingerprint

ModelLike: TypeAlias = "str | os.PathLike[str] | Encoder"
"""What names a model: ``"nano"``, a folder, a hub id; or an encoder."""


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
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._loading = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Whether it is at hand, so that using it costs no loading."""
        return self._encoder is not None

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
                    require_same_model(None, self._expected, encoder.fingerprint)
                    self._encoder = encoder
        return self._encoder


def require_same_model(folder: Path | None, expected: Fingerprint, found: Fingerprint) -> None:
    """Compare two fingerprints.

    Args:
        folder: the index that expects a model; None where there is none to be named.
        expected: what it remembers.
        found: what the model has now.

    Raises:
        IndexMismatchError: they differ.
    """
    different = sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key))
    if different:
        shown = "; ".join(f"{k}: {expected.get(k)!r} now {found.get(k)!r}" for k in different[:4])
        raise IndexMismatchError(
            f"{'the index' if folder is None else folder} was made with another model "
            f"({shown}). Open it with that model, or index the texts again in a new folder."
        )
