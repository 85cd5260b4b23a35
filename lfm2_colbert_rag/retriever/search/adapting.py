"""Which query adapter a search goes by: the index's and the model's own, one named, or none.

Where an index has an adapter, learned on what it holds, questions go through it first, and then,
where passages are in several languages, through the one of the model that takes language out of
them. So what was learned sees the vectors that it was learned on, and what tells languages apart is
gone whatever was learned. An index's adapter that is itself for several languages only, as those of
``lfm2-colbert align``, takes the place of the model's.
"""

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
    from ...encoder import Encoder

QueryAdapterLike: TypeAlias = "str | os.PathLike[str] | QueryAdapter"
"""What names a query adapter: ``"auto"`` (the index's and the model's own), ``"none"``, a file; or
an adapter."""

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
        chosen: what :func:`check_adapter` gave: by what searches go by default.
    """

    def __init__(self, chosen: QueryAdapterLike | None = None) -> None:
        self._chosen = AUTO if chosen is None else chosen
        self._read: dict[Path, QueryAdapter] = {}
        self._joined: tuple[QueryAdapter, QueryAdapter, QueryAdapter] | None = None
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._reading = threading.Lock()

    def adapter(
        self,
        mixed: Callable[[], bool],
        encoder: Callable[[], Encoder],
        own: QueryAdapter | None,
        asked: QueryAdapterLike | None = None,
    ) -> QueryAdapter | None:
        """Return the adapter that questions go by; None for none.

        Args:
            mixed: tells whether what is asked is in several languages; called only where that
                decides.
            encoder: gives the model; called only where that decides.
            own: the adapter of the generation that is asked; None where it has none.
            asked: what :func:`check_adapter` gave for this search; None: as the retriever was
                opened.

        Raises:
            ConfigError: the adapter was made for another model, or is not there.
            ModelFormatError: its file is damaged, or holds no adapter.
        """
        chosen = self._chosen if asked is None else asked
        if isinstance(chosen, str) and chosen == NONE:
            return None
        model = encoder()
        if isinstance(chosen, str) and chosen == AUTO:
            return self._automatic(own, adapter_of(model), mixed)
        adapter = chosen if isinstance(chosen, QueryAdapter) else self._from(Path(chosen))
        adapter.require_model(model)
        return _used(adapter, mixed)

    def _automatic(
        self, own: QueryAdapter | None, models: QueryAdapter | None, mixed: Callable[[], bool]
    ) -> QueryAdapter | None:
        """Return what the index's and the model's adapter make together."""
        if own is None or models is None or own.use == models.use:
            return _used(models if own is None else own, mixed)
        first, second = _used(own, mixed), _used(models, mixed)
        if first is None or second is None:
            return second if first is None else first
        joined = self._joined
        if joined is None or joined[0] is not first or joined[1] is not second:
            self._joined = joined = first, second, first.followed_by(second)  # needs no lock
        return joined[2]

    def _from(self, path: Path) -> QueryAdapter:
        with self._reading:
            if path not in self._read:
                self._read[path] = _read(path)
            return self._read[path]


def _used(adapter: QueryAdapter | None, mixed: Callable[[], bool]) -> QueryAdapter | None:
    return None if adapter is None or (adapter.use == "mixed" and not mixed()) else adapter


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
