"""What the first question would wait for, done ahead: a model converted, kernels compiled."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._support.cache_folder import CACHE_VARIABLE, cache_folder
from ..encoder import load_encoder
from ..encoder.background import encode_background
from ..errors import ConfigError
from ..index.compressed.codec import Codec
from ..index.compressed.ways import SEARCHING, WRITING
from ..index.exact.compiled import KERNELS as EXACT
from ..index.jit.readiness import KernelSet

if TYPE_CHECKING:
    from ..encoder import Encoder

__all__ = ["Warmed", "warm"]


@dataclass(frozen=True)
class Warmed:
    """One of the things that are ready now.

    Attributes:
        what: its name, such as ``"the kernels of compressed search"``.
        folder: where it is kept.
        new: whether it was made now, rather than found there.
        seconds: how long that took.
    """

    what: str
    folder: Path
    new: bool
    seconds: float


def warm(
    model: str | os.PathLike[str] = "nano",
    *,
    nbits: int = 4,
    revision: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Warmed]:
    """Convert a model and compile the search kernels, so that no first question waits for them.

    What is made is kept in the folder that ``LFM2_COLBERT_CACHE`` names, else in the user's cache;
    what is there already is found again, in about a second. Kernels are compiled for the
    processor that this runs on.

    Args:
        model: as for :func:`lfm2_colbert_rag.load_encoder`; a hub id is downloaded.
        nbits: bits a dimension of the compressed indexes that will be searched.
        revision: branch, tag or commit of a hub id.
        progress: called with the name of what is begun.

    Raises:
        ModelNotFoundError: no such folder or hub id, or the hub is out of reach.
        ModelFormatError: the checkpoint is not one that can be run.
        MissingExtraError: the model needs torch, which is not installed.
        ConfigError: nothing can be kept, kernels cannot be compiled, or ``nbits`` is not 2 or 4.

    Example:
        >>> from lfm2_colbert_rag import warm
        >>> warm("nano")[0].what  # doctest: +SKIP
        'the model nano'
    """
    Codec(dim=8, nbits=nbits)  # a mistake shows before the model is loaded
    tell = progress or (lambda what: None)
    name = f"the model {os.fspath(model)}"
    tell(name)
    encoder, done = _warm_model(name, model, revision)
    return [done, *_warm_kernels(Codec(encoder.dim, nbits), tell)]


def _warm_model(
    name: str, model: str | os.PathLike[str], revision: str | None
) -> tuple[Encoder, Warmed]:
    folder, began = cache_folder(), time.perf_counter()
    before = set(folder.glob("*/*"))
    encoder = load_encoder(model, revision=revision)
    encode_background(encoder)
    graph = getattr(encoder, "graph", None)
    if graph is not None and not _is_kept(graph, model):
        raise ConfigError(
            f"the converted model cannot be kept, as {folder} cannot be written; set "
            f"{CACHE_VARIABLE} to a folder that can."
        )
    new = set(folder.glob("*/*")) != before
    return encoder, Warmed(name, folder, new, time.perf_counter() - began)


def _is_kept(graph: Path, model: str | os.PathLike[str]) -> bool:
    """Tell whether other processes will find a graph: in the cache, or in an exported model."""
    homes = cache_folder().resolve(), Path(model).expanduser().resolve()
    return any(home in graph.resolve().parents for home in homes)


def _warm_kernels(codec: Codec, tell: Callable[[str], None]) -> Iterator[Warmed]:
    sets: tuple[tuple[KernelSet, Hashable], ...] = (
        (EXACT, codec.dim),
        (SEARCHING, codec),
        (WRITING, codec),
    )
    for kernels, variant in sets:
        name, began = f"the kernels of {kernels.name}", time.perf_counter()
        tell(name)
        from ..index.jit.caching import can_be_written, places
        from ..index.jit.compiling import COMPILED

        before = len(COMPILED)
        kernels.prepare(variant)
        seconds, new = time.perf_counter() - began, len(COMPILED) > before
        found = [place for place in places() if not new or can_be_written(place)]
        if not found:
            raise ConfigError(
                f"compiled kernels cannot be kept, as {places()[0]} cannot be written; set "
                f"{CACHE_VARIABLE} to a folder that can."
            )
        yield Warmed(name, found[0], new, seconds)
