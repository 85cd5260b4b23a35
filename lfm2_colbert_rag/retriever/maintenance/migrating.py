"""Another adapter or another model in the place of the one that serves, and back again."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..._support.progress import ProgressLike
from ...encoder.query_adapter import FILE, QueryAdapter
from ...errors import ConfigError
from ...storage.adapters import AdapterInfo, read_adapter
from ...storage.former import Former
from ...storage.switching import forget_former, serve_adapter, serve_former
from .canary import QUESTIONS, overlap
from .migration import Migration, MigrationStatus, read_period, require_adopted

if TYPE_CHECKING:
    from ...encoder.lazy import ModelLike
    from ...storage.settings import IndexSettings
    from ...storage.store import Store
    from ..search.searcher import Searcher

NewModel: TypeAlias = "ModelLike | QueryAdapter"
"""What may come to serve: an adapter, a file or a folder of one, or a model."""

_CONFIG = "config.json"


class Migrator:
    """Migrates one index.

    Args:
        store: the index.
        searcher: searches it.
    """

    def __init__(self, store: Store, searcher: Searcher) -> None:
        self._store = store
        self._searcher = searcher

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
        seconds = read_period(keep)
        require_adopted(model, despite_gate=despite_gate)
        self._store.require_writable()
        adapter = find_adapter(model)
        if adapter is None:
            raise ConfigError(f"{model!r:.200} is no query adapter.")
        return self._adapt(adapter, seconds, questions or ())

    def rollback(self, progress: ProgressLike) -> Migration:
        """Let serve what served before; see ``Retriever.rollback``."""
        begun = time.monotonic()
        serve_former(self._store)
        return self._told(begun)

    def forget(self) -> None:
        """Remove what served before; see ``Retriever.forget_previous``."""
        forget_former(self._store)

    def status(self) -> MigrationStatus:
        """Say what serves; see ``Retriever.migration``."""
        snapshot = self._store.snapshot()
        settings, former = snapshot.settings, Former.of(snapshot.settings.former)
        return MigrationStatus(
            model=settings.model,
            query_adapter=None if snapshot.adapter is None else snapshot.adapter.summary,
            former_model=None if former is None else settings.model,
            former_query_adapter=None if former is None else self._summary(former, settings),
            since=None if former is None else former.since,
            kept_until=None if former is None else former.until,
            passages=snapshot.segments.passages,
        )

    def _adapt(self, adapter: QueryAdapter, keep: float, questions: Sequence[str]) -> Migration:
        begun, before = time.monotonic(), self._store.snapshot()
        texts = list(dict.fromkeys(questions))[:QUESTIONS]
        shared = None
        if texts and adapter.fits(before.settings.fingerprint, before.settings.dim):
            shared = overlap(self._searcher, before, replace(before, adapter=adapter), texts)
        serve_adapter(self._store, adapter, keep)
        return replace(self._told(begun), asked=0 if shared is None else len(texts), overlap=shared)

    def _told(self, begun: float) -> Migration:
        snapshot = self._store.snapshot()
        former = Former.of(snapshot.settings.former)
        return Migration(
            tier="query",
            model=snapshot.settings.model,
            query_adapter=None if snapshot.adapter is None else snapshot.adapter.summary,
            generation=snapshot.generation,
            seconds=time.monotonic() - begun,
            kept_until=None if former is None else former.until,
        )

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
