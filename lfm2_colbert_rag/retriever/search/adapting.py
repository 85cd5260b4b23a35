"""Which query adapter a search goes by: the model's own, one that was named, or none."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..._support.forking import renew_in_child
from ..._support.paths import absolute_path
from ...encoder.query_adapter import QueryAdapter, adapter_of
from ...errors import ConfigError
from .questions import Question

if TYPE_CHECKING:
    from ...encoder.lazy import LazyEncoder

QueryAdapterLike: TypeAlias = "str | os.PathLike[str] | QueryAdapter"
"""What names a query adapter: ``"auto"`` (the model's own), ``"none"``, a file; or an adapter."""

AUTO, NONE = "auto", "none"


def check_adapter(chosen: QueryAdapterLike | None) -> QueryAdapterLike | None:
    """Return what names a query adapter, a path made absolute; None for None.

    Raises:
        ConfigError: it is none of these.
    """
    if chosen is None or isinstance(chosen, QueryAdapter) or chosen in (AUTO, NONE):
        return chosen
    if isinstance(chosen, str | os.PathLike) and os.fspath(chosen):
        return absolute_path(chosen)
    raise ConfigError(
        f'query_adapter must be "auto", "none", a file or a QueryAdapter, not {chosen!r:.100}.'
    )


class Adapting:
    """Maps questions, where they are to be mapped. It knows no index, so that hits may keep it.

    Args:
        encoder: the model.
        chosen: what :func:`check_adapter` gave: by what searches go by default.
    """

    def __init__(self, encoder: LazyEncoder, chosen: QueryAdapterLike | None = None) -> None:
        self._encoder = encoder
        self._chosen = AUTO if chosen is None else chosen
        self._read: dict[Path, QueryAdapter] = {}
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._reading = threading.Lock()

    def adapter(
        self, mixed: Callable[[], bool], asked: QueryAdapterLike | None = None
    ) -> QueryAdapter | None:
        """Return the adapter that questions go by; None for none.

        Args:
            mixed: tells whether what is asked is in several languages; called only where that
                decides.
            asked: what :func:`check_adapter` gave for this search; None: as the retriever was
                opened.

        Raises:
            ConfigError: the adapter was made for another model, or is not there.
            ModelFormatError: its file is damaged, or holds no adapter.
        """
        adapter = self._named(self._chosen if asked is None else asked)
        return None if adapter is None or (adapter.use == "mixed" and not mixed()) else adapter

    def _named(self, chosen: QueryAdapterLike) -> QueryAdapter | None:
        if isinstance(chosen, str) and chosen == NONE:
            return None
        encoder = self._encoder.get()
        if isinstance(chosen, str) and chosen == AUTO:
            return adapter_of(encoder)
        adapter = chosen if isinstance(chosen, QueryAdapter) else self._from(Path(chosen))
        adapter.require_model(encoder)
        return adapter

    def _from(self, path: Path) -> QueryAdapter:
        with self._reading:
            if path not in self._read:
                self._read[path] = _read(path)
            return self._read[path]


def adapted(questions: Sequence[Question], adapter: QueryAdapter | None) -> list[Question]:
    """Return questions as an adapter maps them; as they are where there is none."""
    if adapter is None:
        return list(questions)
    return [
        replace(
            question,
            windows=tuple(
                replace(window, encoded=adapter.apply(window.encoded))
                for window in question.windows
            ),
        )
        for question in questions
    ]


def _read(path: Path) -> QueryAdapter:
    try:
        return QueryAdapter.read(path)
    except OSError as error:
        raise ConfigError(
            f"there is no query adapter at {path} ({error.strerror or error}). Make one: "
            f"lfm2-colbert align MODEL --out {path}"
        ) from error
