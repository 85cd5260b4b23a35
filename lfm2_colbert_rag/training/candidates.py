"""A model that is to be judged, and the index asked with it: the user's own stays as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from .._support.paths import absolute_path
from .._support.progress import ProgressLike, reporting
from ..encoder import Encoder, load_encoder
from ..encoder.query_adapter import FILE, QueryAdapter
from ..errors import ModelNotFoundError
from .identity import digest_of

if TYPE_CHECKING:
    from ..retriever import Retriever
    from ..types import Passage

__all__ = ["Candidate", "CandidateLike", "Served", "served"]

CandidateLike: TypeAlias = "str | PathLike[str] | QueryAdapter | Encoder"
"""What can be judged: a folder with a model or a query adapter, its file, or either itself."""

SAMPLE = 5_000
"""Passages of an index that are encoded with a model that is judged, at most."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model to judge.

    Attributes:
        encoder: what encodes with it.
        adapter: the map on the questions, where that is all it changes.
        digest: names its weights.
        folder: where it lies; None where it is in memory only.
    """

    encoder: Encoder
    adapter: QueryAdapter | None
    digest: str
    folder: Path | None = None

    @property
    def kind(self) -> Literal["query adapter", "model"]:
        """What it is."""
        return "model" if self.adapter is None else "query adapter"

    @classmethod
    def of(cls, model: CandidateLike, encoder: Encoder) -> Candidate:
        """Read a model to judge.

        Args:
            model: the model.
            encoder: that of the index.

        Raises:
            ConfigError: a query adapter that was made for another model.
            ModelNotFoundError, ModelFormatError: it is not there, or no model.
        """
        if isinstance(model, str | PathLike):
            return cls._read(absolute_path(model), encoder)
        if isinstance(model, QueryAdapter):
            return cls._mapped(model, encoder, None)
        return cls(load_encoder(model), None, digest_of(model))

    @classmethod
    def _read(cls, path: Path, encoder: Encoder) -> Candidate:
        if not path.exists():
            raise ModelNotFoundError(
                f"there is no model at {path}. Train one: lfm2-colbert adapt train"
            )
        file = path if path.is_file() else path / FILE
        if path.is_file() or (file.is_file() and not (path / "config.json").is_file()):
            return cls._mapped(QueryAdapter.read(file), encoder, file.parent)
        found = load_encoder(path)
        return cls(found, None, digest_of(found), path)

    @classmethod
    def _mapped(cls, adapter: QueryAdapter, encoder: Encoder, folder: Path | None) -> Candidate:
        adapter.require_model(encoder)
        hashed = hashlib.blake2b(np.ascontiguousarray(adapter.matrix).tobytes(), digest_size=16)
        return cls(encoder, adapter, hashed.hexdigest(), folder)


@dataclass(frozen=True, eq=False)
class Served:
    """Passages that can be asked, and the query adapter that questions go through.

    Attributes:
        retriever: the index.
        adapter: for all questions; None: whatever the index goes by.
    """

    retriever: Retriever
    adapter: QueryAdapter | None = None

    @property
    def map(self) -> QueryAdapter | None:
        """The map that questions go through."""
        return self.retriever.query_adapter if self.adapter is None else self.adapter


@contextmanager
def served(
    candidate: Candidate,
    retriever: Retriever,
    judged: Sequence[str],
    *,
    progress: ProgressLike = None,
) -> Iterator[tuple[Served, Served]]:
    """Give the index as it is and with another model, for the length of a ``with`` block.

    A query adapter is tried on the index itself. For another model passages are encoded in a
    temporary index: all of them, or ``judged`` and others, evenly; these are encoded with the
    present model too, then, so that both search among the same.
    """
    if candidate.adapter is not None:
        yield Served(retriever), Served(retriever, candidate.adapter)
        return
    passages = _sampled(retriever, judged, SAMPLE)
    with ExitStack() as stack:
        before = retriever
        if len(passages) < len(retriever):
            before = stack.enter_context(_copy(retriever, retriever.encoder, passages, progress))
        after = stack.enter_context(_copy(retriever, candidate.encoder, passages, progress))
        yield Served(before), Served(after)


def _sampled(retriever: Retriever, judged: Sequence[str], sample: int) -> list[Passage]:
    if len(retriever) <= sample:
        return list(retriever.passages())
    wanted = retriever.get(sorted(set(judged)))
    known = {passage.id for passage in wanted}
    others = retriever.passages(limit=sample)
    return [*wanted, *(passage for passage in others if passage.id not in known)]


@contextmanager
def _copy(
    retriever: Retriever, encoder: Encoder, passages: Sequence[Passage], progress: ProgressLike
) -> Iterator[Retriever]:
    """Index passages for the time being, kept as the index keeps them."""
    stats = retriever.stats()
    with type(retriever).from_texts(
        [],
        model=encoder,
        lexical=stats.lexical_bytes is not None,
        pool_factor=stats.pool_factor,
    ) as made:
        with reporting(progress, len(passages), "encoding passages") as report:
            made.add_stream(passages, progress=report)
        yield made
