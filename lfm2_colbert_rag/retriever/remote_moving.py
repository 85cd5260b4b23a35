"""Indexes moved between a folder and an engine, as they are: nothing is encoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .._support.progress import ProgressLike, reporting
from ..cluster.settings import ClusterSettings
from ..cluster.terms import average_length
from ..encoder.by_space import Encoders
from ..errors import IndexNotFoundError
from ..filters import EVERYTHING
from ..storage.scope import Scope
from ..storage.settings import FIRST, IndexSettings
from ..storage.store import Store
from .ingest.ingestor import Ingestor
from .opening import open_index
from .reading import Reader
from .remote.home import RemoteHome, keep_settings, read_settings, require_model
from .remote.part import RemotePart
from .remote_exporting import stored_passages
from .remote_maintaining import VECTORS, WORTH, codebook_of

if TYPE_CHECKING:
    from ..cluster.backend import Backend
    from ..index.compressed.codebook import Codebook
    from ..storage.home import Snapshot
    from ..types import Passage, TokenVectors, Window

TOGETHER = 256
"""Passages that are moved together."""

_SOME = 1000  # passages that say how long they are


def push(folder: Path, backend: Backend, *, shards: int = 1, progress: ProgressLike = None) -> int:
    """Copy an index from a folder to an engine: texts, metadata, vectors, evidence and settings.

    A new index there has the codebook of the folder where that is compressed, else one that is made
    of its vectors. Vectors of a compressed folder arrive with the loss of their compression. What
    is there already under the same ids is replaced. Run again, it completes what was broken off.

    Args:
        folder: of the index.
        backend: the engine.
        shards: into how many parts a new collection is divided.
        progress: see ``Retriever.add``; it counts passages.

    Returns:
        How many passages were copied.

    Raises:
        IndexNotFoundError: there is no index in the folder.
        IndexMismatchError: what is there is of another model.
        PartialWriteError: the engine could not be reached any more; push again.
        RemoteUnavailableError: it could not be reached at all.
    """
    store, _ = open_index(folder, None, {}, read_only=True, lock_timeout=10.0)
    with closing(store):
        snapshot = store.snapshot()
        home = _home(backend, snapshot, store, shards)
        part = RemotePart(home, Scope.of_all())
        total = snapshot.segments.passages
        with reporting(progress, total, "pushing") as report:
            for block in _blocks(store):
                windows = snapshot.segments.windows_of([row for row, _ in block])
                part.ingestor.add_vectors(
                    [passage for _, passage in block],
                    [windows[row] for row, _ in block],
                    progress=False,
                )
                report(len(block))
    return total


def pull(backend: Backend, folder: Path, *, progress: ProgressLike = None) -> int:
    """Copy an index from an engine into a new folder.

    Args:
        backend: the engine.
        folder: the new folder.
        progress: see ``Retriever.add``; it counts passages.

    Returns:
        How many passages were copied.

    Raises:
        IndexNotFoundError: there is no index in the engine.
        IndexExistsError: the folder is taken.
        RemoteUnavailableError: the engine could not be reached; the folder holds a part.
    """
    settings = read_settings(backend)
    if settings is None:
        raise IndexNotFoundError(f"{backend.name} holds no index. Check the address.")
    part = RemotePart(RemoteHome(backend, settings, Encoders(), read_only=True), Scope.of_all())
    store = Store.create(folder, settings.index, lexical=settings.lexical)
    copied = 0
    with closing(store), reporting(progress, part.count(None), "pulling") as report:
        ingestor = Ingestor(store, Encoders())
        stored = stored_passages(part)
        while block := list(islice(stored, TOGETHER)):
            slots: list[Passage | None] = [passage for passage, _ in block]
            vectors: list[list[Window]] = [windows for _, windows in block]
            ingestor.add_vectors(slots, vectors, progress=False)
            copied += len(block)
            report(len(block))
    return copied


def _home(backend: Backend, snapshot: Snapshot, store: Store, shards: int) -> RemoteHome:
    """Return the index in the engine, made like that of a folder where there is none."""
    found = read_settings(backend)
    if found is not None:
        require_model(backend, found, snapshot.settings.fingerprint)
        return RemoteHome(backend, found, Encoders())
    lexical = store.catalog.postings.state() is not None
    texts = [passage.text for passage in islice(Reader(store).passages(EVERYTHING), _SOME)]
    settings = ClusterSettings(
        _plain(snapshot.settings),
        lexical=lexical,
        terms=average_length(texts) if lexical and texts else None,
        shards=shards,
    )
    backend.create(settings)
    keep_settings(backend, settings)
    home = RemoteHome(backend, settings, Encoders())
    codebook = _codebook(snapshot)
    if codebook is not None:
        home.keep_codebook(codebook)
    return home


def _plain(settings: IndexSettings) -> IndexSettings:
    """Return the settings without what only a folder has."""
    return replace(settings, storage="auto", query_adapter=None, former=None, space=FIRST)


def _codebook(snapshot: Snapshot) -> Codebook | None:
    """Return the folder's newest codebook, or one made of its vectors if they are many enough."""
    for live in reversed(snapshot.segments):
        found: Codebook | None = getattr(live.segment, "codebook", None)
        if found is not None:
            return found
    windows = sum(live.windows for live in snapshot.segments)
    if windows < WORTH:
        return None
    return codebook_of(list(_sample(snapshot)), snapshot.settings.dim)


def _sample(snapshot: Snapshot) -> Iterator[TokenVectors]:
    """Yield windows all over an index, :data:`VECTORS` vectors of them at most."""
    every = max(1, -(-snapshot.segments.vectors // VECTORS))
    for live in snapshot.segments:
        for position in live.positions[::every].tolist():
            yield live.segment.window(position).encoded


def _blocks(store: Store) -> Iterator[list[tuple[int, Passage]]]:
    catalog = store.catalog
    rows = catalog.select(EVERYTHING, catalog.generation()).tolist()
    for start in range(0, len(rows), TOGETHER):
        found = catalog.passages(rows[start : start + TOGETHER])
        yield list(found.items())
