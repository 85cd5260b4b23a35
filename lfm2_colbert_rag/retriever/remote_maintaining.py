"""What happens to an index in an engine between calls: a codebook made, recall measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .._support.progress import ProgressLike, reporting
from ..cluster.centroids import centroids_of
from ..cluster.plan import ALL, Named
from ..cluster.settings import FORMAT
from ..errors import ConfigError, shown
from ..index.compressed.clustering import train_codebook
from ..index.compressed.codec import Codec
from ..index.compressed.ways import prepare_writing
from ..types import IndexStats, TokenVectors
from .ingest.pooler import pool_fit_of
from .maintenance.intervals import share_interval
from .maintenance.recall import K, Recall
from .remote.searching import RemoteSearcher
from .remote.writing import POINTS
from .search.asked import Asked

if TYPE_CHECKING:
    from ..cluster.points import Point
    from ..index.compressed.codebook import Codebook
    from .remote.home import RemoteHome
    from .remote.part import RemotePart

WORTH = 1000
"""Windows from which on a codebook is worth its making: fewer are all looked at anyway."""

VECTORS = 2_000_000
"""Token vectors that a codebook is made of at most."""

_ALL_VECTORS: tuple[Named, ...] = ("colbert", "mean", "cent", "words")
_CHARACTERS, _LEAST = 120, 20  # of a part of a passage that is asked as a question


def optimize(home: RemoteHome, part: RemotePart, progress: ProgressLike = None) -> None:
    """Give an index a codebook, where it has none and is large enough.

    Args:
        home: the index.
        part: all of it.
        progress: see ``Retriever.add``; it counts windows.

    Raises:
        ReadOnlyError: the index may only be read.
    """
    home.require_writable()
    part.forget()
    known = part.searcher.knowledge.now()
    if home.settings.codebook is not None or known.windows < WORTH:
        return
    codebook = _train(home)
    with reporting(progress, known.windows, "giving centroids") as report:
        for points in _pages(home, _ALL_VECTORS):
            near = centroids_of(codebook, [point.window().encoded for point in points])
            home.backend.write(
                [
                    replace(point, vectors=replace(point.vectors, cent=cent))
                    for point, cent in zip(points, near, strict=True)
                ]
            )
            report(len(points))
    home.keep_codebook(codebook)  # once all have their centroids: nobody asks for some
    home.note_write()


def measure_recall(
    home: RemoteHome, part: RemotePart, queries: Sequence[str] | None, sample: int
) -> Recall:
    """Measure recall@10 of late interaction against every window compared, and remember it.

    Args:
        home: the index.
        part: all of it.
        queries: what is asked; parts of passages where it is None.
        sample: how many at most.

    Raises:
        ConfigError: a sample below 2.
    """
    if isinstance(sample, bool) or not isinstance(sample, int) or sample < 2:
        raise ConfigError(f"sample must be 2 or more, not {shown(sample)}.")
    texts = list(_stretches(part, sample) if queries is None else queries)[:sample]
    if not texts:
        return Recall(1.0, 1.0, 1.0, 0, 0, 0)
    asked = Asked(K, mode="late")
    exact = RemoteSearcher(home, part.reader, exact=True)
    found, truth = part.searcher.rank_many(texts, asked), exact.rank_many(texts, asked)
    shares = [_overlap(one, best) for one, best in zip(found, truth, strict=True)]
    mean, spread = float(np.mean(shares)), float(np.var(shares))
    low, high = share_interval(mean, spread, len(shares), K)
    recall = Recall(mean, low, high, len(shares), 0 if queries is None else len(shares), 0)
    if not home.read_only:
        home.change(recall=recall.to_dict())
    return recall


def collect_stats(home: RemoteHome, part: RemotePart) -> IndexStats:
    """Count what an index holds; the number of vectors, and their bytes, are estimated."""
    part.forget()
    known, settings = part.searcher.knowledge.now(), home.settings
    index = settings.index
    fit = pool_fit_of(index)
    each = index.dim * (2 if settings.stored == "float16" else 1)
    lacks = settings.codebook is None and known.windows >= WORTH
    return IndexStats(
        path=home.name,
        model=index.model,
        passages=known.passages,
        windows=known.windows,
        deleted=0,
        vectors=known.vectors,
        dim=index.dim,
        window_overlap=index.window_overlap,
        pool_factor=index.pool_factor,
        segments=settings.shards,
        generation=0,
        bytes=known.vectors * each,
        bytes_per_vector=float(each),
        format_version=FORMAT,
        storage=settings.stored,
        recall=None if settings.recall is None else dict(settings.recall),
        optimize_due="it has no centroids to find candidates by" if lacks else None,
        pool_distance=None if fit is None else fit.distance,
        languages=dict(known.languages),
    )


def _train(home: RemoteHome) -> Codebook:
    windows: list[TokenVectors] = []
    size = 0
    for points in _pages(home, ("colbert",)):
        windows += [point.window().encoded for point in points]
        size += sum(point.count for point in points)
        if size >= VECTORS:
            break
    return codebook_of(windows, home.settings.index.dim)


def codebook_of(windows: Sequence[TokenVectors], dim: int) -> Codebook:
    """Make a codebook of encoded windows."""
    codec = Codec(dim, 4)
    prepare_writing(codec)
    return train_codebook(
        "codebook",
        np.concatenate([one.vectors for one in windows]),
        np.concatenate([one.token_ids for one in windows]),
        codec,
    )


def _pages(home: RemoteHome, vectors: Sequence[Named]) -> Iterator[list[Point]]:
    last = None
    while True:
        found = home.backend.scroll(ALL, POINTS, last, vectors, tokens=True)
        if found:
            yield found
            last = found[-1].key
        if len(found) < POINTS:
            return


def _stretches(part: RemotePart, number: int) -> Iterator[str]:
    """Yield parts of passages, from their middle, that may be asked as questions."""
    for passage in part.reader.passages(None, number):
        middle = max(0, (len(passage.text) - _CHARACTERS) // 2)
        text = passage.text[middle : middle + _CHARACTERS].strip()
        if len(text) >= _LEAST:
            yield text


def _overlap(found: Sequence[tuple[str, float]], best: Sequence[tuple[str, float]]) -> float:
    """Return the share of the best ids that were found; those that tie count as one another."""
    if not best:
        return 1.0
    ids, least = {id for id, _ in best}, best[-1][1]
    hits = sum(id in ids or score >= least for id, score in found)
    return min(1.0, hits / len(best))
