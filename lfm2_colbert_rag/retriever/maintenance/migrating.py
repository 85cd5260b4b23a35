"""Another adapter or another model in the place of the one that serves, and back again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..._support.progress import ProgressLike, reporting
from ..._support.system_errors import system_errors
from ...encoder import load_encoder
from ...encoder.query_adapter import FILE, QueryAdapter
from ...storage.adapters import AdapterInfo, read_adapter
from ...storage.former import Former
from ...storage.switching import (
    forget_former,
    new_space,
    require_former,
    require_room,
    serve_adapter,
    serve_former_adapter,
)
from .building import Building
from .canary import QUESTIONS, overlap
from .migration import Migration, MigrationStatus, Tier, read_period, require_adopted

if TYPE_CHECKING:
    from ...encoder import Encoder
    from ...encoder.by_space import Encoders
    from ...encoder.lazy import ModelLike
    from ...storage.settings import IndexSettings
    from ...storage.store import Store
    from ..ingest.ingestor import Ingestor
    from ..search.searcher import Searcher

NewModel: TypeAlias = "ModelLike | QueryAdapter"
"""What may come to serve: an adapter, a file or a folder of one, or a model."""

_CONFIG = "config.json"


class Migrator:
    """Migrates one index.

    Args:
        store: the index.
        encoders: of its spaces.
        searcher: searches it.
        ingestor: knows how passages are encoded.
        new_settings: returns the settings of a new space, of the name given, for a model; like
            those of the space that serves.
    """

    def __init__(
        self,
        store: Store,
        encoders: Encoders,
        searcher: Searcher,
        ingestor: Ingestor,
        new_settings: Callable[[Encoder, IndexSettings, str], IndexSettings],
    ) -> None:
        self._store = store
        self._encoders = encoders
        self._searcher = searcher
        self._ingestor = ingestor
        self._new_settings = new_settings

    def migrate(
        self,
        model: NewModel,
        *,
        keep: float | str,
        despite_gate: bool,
        questions: Sequence[str] | None,
        progress: ProgressLike,
    ) -> Migration:
        """Let something else serve; see ``Retriever.migrate``."""
        begun, seconds = time.monotonic(), read_period(keep)
        require_adopted(model, despite_gate=despite_gate)
        self._store.require_writable()
        adapter = find_adapter(model)
        if adapter is not None:
            return self._adapt(begun, adapter, seconds, questions or ())
        encoder = load_encoder(model)  # type: ignore[arg-type]
        with self._store.locks.migrating():
            serving = self._store.snapshot().settings
            if _same(encoder, serving):
                return self._adapt(begun, None, seconds, questions or ())
            space = self._space_for(encoder, serving)
            self._encoders.give(encoder if model is encoder else encoder.name, encoder.fingerprint)
            given = self._searcher.remembered.texts(QUESTIONS) if questions is None else questions
            return self._fill(begun, space, given, partial(self._left, seconds), progress)

    def rollback(self, progress: ProgressLike) -> Migration:
        """Let serve what served before; see ``Retriever.rollback``."""
        begun = time.monotonic()
        self._store.require_writable()
        with self._store.locks.migrating():
            serving = self._store.snapshot().settings
            former = require_former(self._store, serving)
            if former.space == serving.space:
                serve_former_adapter(self._store)
                return self._told(begun, "query")
            return self._fill(
                begun, former.space, (), lambda: former.exchanged(self._serving()), progress
            )

    def forget(self) -> None:
        """Remove what served before, or is unfinished; see ``Retriever.forget_previous``."""
        self._store.require_writable()
        with self._store.locks.migrating():
            forget_former(self._store)

    def status(self) -> MigrationStatus:
        """Say what serves; see ``Retriever.migration``."""
        snapshot, catalog = self._store.snapshot(), self._store.catalog
        settings, former = snapshot.settings, Former.of(snapshot.settings.former)
        others = catalog.other_spaces()
        told = MigrationStatus(
            model=settings.model,
            query_adapter=None if snapshot.adapter is None else snapshot.adapter.summary,
            passages=snapshot.segments.passages,
        )
        if former is not None:
            kept = others.get(former.space, settings)
            told = replace(
                told,
                former_model=kept.model,
                former_query_adapter=self._summary(former, kept),
                since=former.since,
                kept_until=former.until,
                missing=self._missing(former.space, told.passages),
            )
        for space in others.values():
            if former is None or space.space != former.space:
                built = told.passages - self._missing(space.space, told.passages)
                told = replace(told, building=space.model, built=built)
        return told

    def _adapt(
        self, begun: float, adapter: QueryAdapter | None, keep: float, questions: Sequence[str]
    ) -> Migration:
        before = self._store.snapshot()
        texts = list(dict.fromkeys(questions))[:QUESTIONS]
        fits = adapter is None or adapter.fits(before.settings.fingerprint, before.settings.dim)
        after = replace(before, adapter=adapter)
        shared = overlap(self._searcher, before, after, texts) if fits else None
        serve_adapter(self._store, adapter, keep)
        return self._told(begun, "query", texts, shared)

    def _space_for(self, encoder: Encoder, serving: IndexSettings) -> str:
        """Return the name of the space for a model's vectors, making one if there is none."""
        for space in self._store.catalog.other_spaces().values():
            if _same(encoder, space):
                return space.space
        require_room(self._store, serving)
        name = self._store.new_name()
        new_space(self._store, self._new_settings(encoder, serving, name))
        return name

    def _fill(
        self,
        begun: float,
        space: str,
        questions: Sequence[str],
        former: Callable[[], Former],
        progress: ProgressLike,
    ) -> Migration:
        """Encode what is missing in a space, and let it serve."""
        store, texts = self._store, list(dict.fromkeys(questions))[:QUESTIONS]
        missing = len(store.catalog.missing_rows(space))
        with (
            closing(store.within(space)) as other,
            reporting(progress, missing, "migrating") as report,
            system_errors(store.folder),
        ):
            before = store.snapshot()
            # As long as these are held, neither is loaded again, however often each is asked for.
            held = [self._encoders.of(one) for one in (before.settings, other.settings)]
            building = Building(
                store, other, lambda: self._ingestor.passage_encoder(other.snapshot().settings),
                report,
            )  # fmt: skip
            building.fill()
            shared = overlap(self._searcher, store.snapshot(), other.snapshot(), texts)
            building.switch(former)
            del held
        return replace(self._told(begun, "everything", texts, shared), encoded=building.encoded)

    def _left(self, keep: float) -> Former:
        return Former.left(self._serving(), keep)

    def _serving(self) -> IndexSettings:
        return self._store.catalog.head().settings

    def _told(
        self, begun: float, tier: Tier, texts: Sequence[str] = (), shared: float | None = None
    ) -> Migration:
        snapshot = self._store.snapshot()
        former = Former.of(snapshot.settings.former)
        return Migration(
            tier=tier,
            model=snapshot.settings.model,
            query_adapter=None if snapshot.adapter is None else snapshot.adapter.summary,
            generation=snapshot.generation,
            seconds=time.monotonic() - begun,
            kept_until=None if former is None else former.until,
            asked=0 if shared is None else len(texts),
            overlap=shared,
        )

    def _missing(self, space: str, passages: int) -> int:
        """Return how many passages lack vectors in a space, as far as they were counted."""
        return min(passages, len(self._store.catalog.missing_rows(space)))

    def _summary(self, former: Former, settings: IndexSettings) -> str | None:
        info = AdapterInfo.of(former.query_adapter)
        if info is None:
            return None
        return read_adapter(self._store.home.folder.root, info, settings).summary


def find_adapter(model: NewModel) -> QueryAdapter | None:
    """Return the query adapter that something names; None where it names a model.

    Raises:
        ModelFormatError: the file is damaged, or holds no adapter.
    """
    if isinstance(model, QueryAdapter):
        return model
    if not isinstance(model, str | os.PathLike):
        return None
    path = Path(model).expanduser()
    if path.is_dir() and (path / FILE).exists() and not (path / _CONFIG).exists():
        path = path / FILE
    return QueryAdapter.read(path) if path.is_file() else None


def _same(encoder: Encoder, settings: IndexSettings) -> bool:
    return dict(encoder.fingerprint) == dict(settings.fingerprint)
