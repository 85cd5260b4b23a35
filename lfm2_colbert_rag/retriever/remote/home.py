"""An index in an engine as long as it is open: its settings, its model, its codebook."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..._support.forking import renew_in_child
from ...cluster.centroids import pack_codebook, unpack_codebook
from ...cluster.settings import ClusterSettings
from ...cluster.side import SETTINGS, cut, joined
from ...encoder.lazy import require_same_model
from ...errors import IndexExistsError, IndexMismatchError, ReadOnlyError

if TYPE_CHECKING:
    from ...cluster.backend import Backend
    from ...encoder import Encoder
    from ...encoder.by_space import Encoders
    from ...index.compressed.codebook import Codebook

FRESH = 60.0
"""Seconds after which what others may have changed is looked at again."""


class RemoteHome:
    """What is open of an index in an engine.

    Args:
        backend: the engine.
        settings: of the index.
        encoders: of its model.
        read_only: refuse to write.

    Attributes:
        backend: the engine.
        encoders: of its model.
        read_only: whether writes are refused.
        writes: how often this process has written.
    """

    def __init__(
        self,
        backend: Backend,
        settings: ClusterSettings,
        encoders: Encoders,
        *,
        read_only: bool = False,
    ) -> None:
        self.backend, self.encoders, self.read_only = backend, encoders, read_only
        self.writes = 0
        self._settings, self._read_at = settings, time.monotonic()
        self._codebook: tuple[str, Codebook] | None = None
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._changing = threading.RLock()

    @property
    def name(self) -> str:
        """The index's address, for messages."""
        return self.backend.name

    @property
    def settings(self) -> ClusterSettings:
        """Its settings, not much older than :data:`FRESH`.

        Raises:
            IndexMismatchError: the address stands for an index of another model by now.
        """
        if time.monotonic() - self._read_at > FRESH:
            self.refresh()
        return self._settings

    @property
    def known(self) -> ClusterSettings:
        """Its settings as they were read last; asks nobody."""
        return self._settings

    def refresh(self) -> ClusterSettings:
        """Read the settings anew; errors as of :attr:`settings`."""
        found = read_settings(self.backend)
        with self._changing:
            if found is not None:
                known, now = self._settings.index.fingerprint, found.index.fingerprint
                if dict(known) != dict(now):
                    raise IndexMismatchError(
                        f"{self.name} stands for an index of another model by now. Open it again."
                    )
                self._settings = found
            self._read_at = time.monotonic()
            return self._settings

    def change(self, **changes: Any) -> ClusterSettings:
        """Change settings for everyone, and return them."""
        with self._changing:
            changed = replace(self.refresh(), **changes)
            keep_settings(self.backend, changed)
            self._settings = changed
            return changed

    def encoder(self) -> Encoder:
        """Return the model, loaded.

        Raises:
            ModelNotFoundError: it is no longer where it was.
            IndexMismatchError: what is there now is another model.
        """
        return self.encoders.get(self.settings.index)

    def codebook(self) -> Codebook | None:
        """Return the codebook, read when first needed; None where there is none."""
        name = self.settings.codebook
        if name is None:
            return None
        with self._changing:
            if self._codebook is None or self._codebook[0] != name:
                data = joined(self.backend.read_side(name), f"the codebook of {self.name}")
                found = unpack_codebook(data, self.settings.index.dim, self.name)
                self._codebook = name, found
            return self._codebook[1]

    def keep_codebook(self, codebook: Codebook) -> None:
        """Let a codebook serve an index that has none."""
        name = f"codebook-{codebook.info.centroids}-{time.time_ns():x}"
        self.backend.write_side(name, cut(pack_codebook(codebook)))
        with self._changing:
            self.change(codebook=name)
            self._codebook = name, codebook

    def require_writable(self) -> None:
        """Refuse to write where that is not wanted.

        Raises:
            ReadOnlyError: the index was opened to be read.
        """
        if self.read_only:
            raise ReadOnlyError(
                f"{self.name} was opened with read_only=True. Open it without, to write to it."
            )

    def note_write(self) -> None:
        """Let questions see that something has changed."""
        with self._changing:
            self.writes += 1

    def close(self) -> None:
        """Let go of connections. Twice does no harm."""
        self.backend.close()


def read_settings(backend: Backend) -> ClusterSettings | None:
    """Return the settings of the index at a backend; None where there is nothing.

    Raises:
        IndexExistsError: there is a collection that this library did not make.
        IndexFormatError: another version of the library made it.
        IndexCorruptError: the settings make no sense.
    """
    chunks = backend.read_side(SETTINGS)
    if chunks:
        data = joined(chunks, f"what is kept of {backend.name}")
        return ClusterSettings.from_bytes(data, backend.name)
    if backend.exists():
        raise IndexExistsError(
            f"{backend.name} is a collection that this library did not make, or that it did not "
            "get to finish. Choose another name, or remove the collection."
        )
    return None


def keep_settings(backend: Backend, settings: ClusterSettings) -> None:
    """Keep settings for everyone."""
    backend.write_side(SETTINGS, cut(json.dumps(settings.to_json()).encode()))


def require_model(backend: Backend, settings: ClusterSettings, found: Any) -> None:
    """Refuse another model than the index was made with.

    Raises:
        IndexMismatchError: it is another.
    """
    try:
        require_same_model(None, settings.index.fingerprint, found)
    except IndexMismatchError as error:
        raise IndexMismatchError(f"{backend.name}: {error}") from None
