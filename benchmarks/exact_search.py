"""Exact search: three designs side by side, and from which size on compressed search is faster.

::

    python -m benchmarks.exact_search --vectors DIR --scratch DIR

``DIR`` holds vectors (:mod:`benchmarks.search.vectors`). The designs answer the same queries
over the same float16 vectors, in turns, and all give the same ranking:

* ``blocks``: vectors widened to float32 block by block and multiplied by numpy's library;
* ``halves``: a kernel that widens in its inner loop and multiplies in float32;
* ``bytes``: every vector compared in 8 bits with a proved margin, then float32 for what may win.

Then the index of the same passages is exact and compressed in turns, at growing sizes. Writes
``benchmarks/results/exact_search.json``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lfm2_colbert_rag import Retriever, Window
from lfm2_colbert_rag.index.base import Index, LiveSegment, Ranking
from lfm2_colbert_rag.index.exact.compiled import KERNELS, CompiledMaxSim
from lfm2_colbert_rag.index.exact.plain import PlainMaxSim
from lfm2_colbert_rag.index.exact.search import ExactIndex
from lfm2_colbert_rag.index.exact.windows import Windows
from lfm2_colbert_rag.retriever.search.index_cache import IndexCache
from lfm2_colbert_rag.storage.store import Store
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenMatrix

from .harness import Clock, Results, command, in_turn, percentiles, say
from .search.vectors import VectorSet, load_vectors

K = 10
DESIGNS_AT, CROSSING_AT = (100, 400, 1_500), (800, 1_500, 3_000, 6_000, 10_000)


class Halves:
    """The second design: everything is scored in float32, as the last step of the third is."""

    def __init__(self, segments: Sequence[LiveSegment]) -> None:
        self._windows = Windows.of(segments, None)

    def search(self, queries: Sequence[TokenMatrix], k: int) -> list[Ranking]:
        """Rank the best k rows."""
        found = []
        for query in queries:
            scores = CompiledMaxSim().score(query, self._windows)
            ranking = Ranking.ordered(self._windows.rows, scores, np.zeros(len(scores), np.int64))
            found.append(ranking.cut(k))
        return found


def build(vectors: VectorSet, size: int, folder: Path, storage: str) -> Store:
    """Make an index of the first passages."""
    shutil.rmtree(folder, ignore_errors=True)
    some = vectors.first(size)
    windows = ([Window((0, len(t)), some.encoded(n))] for n, t in enumerate(some.texts))
    encoder = HashEncoder(dim=vectors.vectors.shape[1])  # every vector is brought along
    with Retriever.open(folder, model=encoder, storage=storage) as retriever:
        names = [str(place) for place in range(len(some.texts))]
        retriever.add_vectors(windows, some.texts, ids=names, progress=False)
        if storage == "compressed":
            retriever.optimize(progress=False)
    return Store(folder)


def in_turns(
    ways: dict[str, Callable[[TokenMatrix], Ranking]], queries: Sequence[TokenMatrix], rounds: int
) -> dict[str, dict[str, Any]]:
    """Ask every way every query, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cpu = dict.fromkeys(ways, 0.0)
    best: dict[str, list[list[int]]] = {name: [] for name in ways}
    for ask in ways.values():
        ask(queries[0])
    for number, name in in_turn(list(ways), rounds):
        for query in queries[number::rounds]:
            clock = Clock()
            with clock:
                ranking = ways[name](query)
            seconds[name].append(clock.seconds)
            cpu[name] += clock.cpu_seconds
            best[name].append(ranking.rows[:K].tolist())
    return {
        name: percentiles(seconds[name])
        | {"cpu_ms": cpu[name] / len(seconds[name]) * 1e3, "best": best[name]}
        for name in ways
    }


def _asker(index: Index | Halves) -> Callable[[TokenMatrix], Ranking]:
    return lambda query: index.search([query], K)[0]


def main() -> None:
    """Run the benchmark."""
    args = command(__doc__, "exact_search", "vectors", "scratch", rounds=5, tiny=False).parse_args()
    vectors = load_vectors(args.vectors)
    queries = vectors.queries[: 10 if args.tiny else 200]
    KERNELS.prepare(vectors.vectors.shape[1])
    results = Results(args.out, rounds=args.rounds, queries=len(queries))
    for size in DESIGNS_AT[:1] if args.tiny else DESIGNS_AT:
        segments = build(vectors, size, args.scratch / "exact", "exact").snapshot().segments
        found = in_turns(
            {
                "blocks": _asker(ExactIndex(segments, way=PlainMaxSim())),
                "halves": _asker(Halves(segments)),
                "bytes": _asker(ExactIndex(segments, way=CompiledMaxSim())),
            },
            queries,
            args.rounds,
        )
        same = found["blocks"]["best"]
        for name, figures in found.items():
            figures["same_ranking"] = figures.pop("best") == same
            figures["vectors"] = segments.vectors
            results.put(f"{name}/{size}", figures)
            say(name, size, figures)
    for size in () if args.tiny else CROSSING_AT:
        ways, total = {}, 0
        for storage in ("exact", "compressed"):
            snapshot = build(vectors, size, args.scratch / storage, storage).snapshot()
            total = snapshot.segments.vectors
            ways[storage] = _asker(IndexCache().get(snapshot))
        for name, figures in in_turns(ways, queries, args.rounds).items():
            figures.pop("best")
            results.put(f"{name}/{size}", figures | {"vectors": total})
            say(name, size, figures)


if __name__ == "__main__":
    main()
