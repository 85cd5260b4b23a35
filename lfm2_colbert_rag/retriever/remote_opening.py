"""Indexes in engines opened, or made: the address read, and the model compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..cluster.address import Address
from ..cluster.settings import ClusterSettings
from ..encoder import load_encoder, read_fingerprint
from ..encoder.by_space import Encoders
from ..errors import ConfigError, IndexMismatchError, IndexNotFoundError
from .options import new_settings
from .remote.home import RemoteHome, keep_settings, read_settings, require_model

if TYPE_CHECKING:
    from ..cluster.backend import Backend
    from ..encoder.lazy import ModelLike

_OWN = ("storage", "nbits")


def backend_at(address: str) -> tuple[Backend, Mapping[str, str]]:
    """Return the engine at an address, not asked yet, and the address's options.

    Raises:
        ConfigError: an engine that there is not, or an option that it has not.
        MissingExtraError: its client is not installed.
    """
    found = Address.parse(address)
    if found.scheme.startswith("qdrant"):
        from ..cluster.qdrant import QdrantBackend

        return QdrantBackend.at(found), found.options
    from ..cluster.postgres import PostgresBackend

    postgres = PostgresBackend.at(found)
    return postgres, {**found.options, "shards": str(postgres.shards)}


def open_remote(
    backend: Backend,
    model: ModelLike | None,
    options: Mapping[str, Any],
    *,
    read_only: bool,
    shards: int = 1,
) -> RemoteHome:
    """Open an index in an engine, or make an empty one; see ``Retriever.open``.

    Args:
        backend: the engine.
        model: see ``Retriever.open``.
        options: what :func:`~.options.check_options` gave.
        read_only: refuse to write.
        shards: into how many parts a new collection is divided.

    Raises:
        ConfigError: an option that engines decide.
        IndexNotFoundError: there is no index, and no model is named to make one with.
        IndexExistsError: there is a collection that is none of ours.
        IndexMismatchError: the index was made with another model or other options.
        RemoteUnavailableError: the engine cannot be reached.
    """
    for name in _OWN:
        if name in options:
            raise ConfigError(
                f"{name} is no option of {backend.name}: how vectors are kept is the engine's. "
                "Leave it out."
            )
    found = read_settings(backend)
    encoders = Encoders()
    if found is None:
        return _create(backend, model, options, encoders, read_only=read_only, shards=shards)
    _require_same(backend, options, found)
    if model is not None:
        fingerprint = read_fingerprint(model)
        require_model(backend, found, fingerprint)
        encoders.give(model, fingerprint)
    return RemoteHome(backend, found, encoders, read_only=read_only)


def _create(
    backend: Backend,
    model: ModelLike | None,
    options: Mapping[str, Any],
    encoders: Encoders,
    *,
    read_only: bool,
    shards: int,
) -> RemoteHome:
    if model is None or read_only:
        way = "open it without read_only" if read_only else "name its model"
        raise IndexNotFoundError(
            f"{backend.name} holds no index. Check the address; to make an index there, {way}: "
            f"Retriever.open({backend.name!r}, model=...)."
        )
    encoder = load_encoder(model)
    index = new_settings(encoder, options)
    settings = ClusterSettings(index, lexical=options.get("lexical", True), shards=shards)
    backend.create(settings)
    keep_settings(backend, settings)
    encoders.give(encoder, encoder.fingerprint)
    return RemoteHome(backend, settings, encoders, read_only=read_only)


def _require_same(backend: Backend, options: Mapping[str, Any], found: ClusterSettings) -> None:
    known = {**vars(found.index), "lexical": found.lexical}
    for name, wanted in options.items():
        if wanted != known[name]:
            raise IndexMismatchError(
                f"{backend.name} was made with {name} {known[name]}, not {wanted!r}. Leave {name} "
                "out, or index the texts again under another name."
            )


def shards_of(options: Mapping[str, str]) -> int:
    """Return into how many parts a new collection is divided.

    Raises:
        ConfigError: no whole number above 0.
    """
    number = options.get("shards", "1")
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 10_000:
        raise ConfigError(f"shards must be a whole number above 0, not {number!r:.40}.")
    return int(number)
