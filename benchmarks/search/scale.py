"""How cost grows: one index from ten thousand to a million passages, measured on its way.

Everything goes through the library's front door: ``Retriever.add_vectors`` in batches, its own
merging; vectors are searched with ``Index.search_with_traces``. Truth is exact float32 MaxSim,
worked out while the passages are drawn::

    python -m benchmarks.search.scale --scratch DIR [--passages 1000000]
    python -m benchmarks.search.scale --scratch DIR --again   # times all sizes once more

Writes ``benchmarks/results/search_scale.json``, a case a size. The index takes 8 GB below DIR, and
a copy of it at every size 11 GB more: on a machine that was not idle, they can be timed later.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.index.compressed import CompressedIndex
from lfm2_colbert_rag.index.settings import PRESETS, SearchSettings
from lfm2_colbert_rag.index.workers import thread_count
from lfm2_colbert_rag.retriever.search.index_cache import IndexCache
from lfm2_colbert_rag.storage.store import Store
from lfm2_colbert_rag.testing import HashEncoder

from ..harness import Clock, Results, command, memory_mb, percentiles, say
from ..harness.memory import OwnMemory
from .drawn import BLOCK, JUDGED, K, Source, Truth
from .synthetic import DIM, World

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
ADDED, QUERIES = 100_000, 60

Figures = dict[str, Any]
Queries = list[npt.NDArray[np.float32]]


def grow(folder: Path, most: int, results: Results) -> None:
    """Build the index step by step; one case a size."""
    world, clock, memory, done = World(), Clock(), OwnMemory(), 0
    drawing = Clock()
    queries = world.queries(world.block(0, BLOCK), QUERIES)
    truth = Truth(queries[:JUDGED])
    # The encoder only gives the index its width; every vector is brought along.
    with Retriever.open(folder, model=HashEncoder(dim=DIM), storage="compressed") as retriever:
        for size in [size for size in SIZES if size <= most] or [most]:
            while done < size:
                source = Source(world, truth, done, min(ADDED, size - done))
                names = [str(done + place) for place in range(source.size)]
                with clock:
                    retriever.add_vectors(
                        source.matrices(), names, ids=names, token_ids=source.tokens(),
                        progress=False,
                    )  # fmt: skip
                drawing.seconds += source.clock.seconds
                drawing.cpu_seconds += source.clock.cpu_seconds
                done += source.size
                say(f"{done:,} passages, {clock.seconds - drawing.seconds:.0f} s")
            if size == ADDED:  # ten times what the codebook was made for
                with clock:
                    retriever.optimize(progress=False)
            kept = _kept(folder, size)
            shutil.rmtree(kept, ignore_errors=True)
            retriever.backup(kept, progress=False)
            truth.save(kept.with_suffix(".npz"))
            # Another process, so that the pages which searches touch are not the build's.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as searcher:
                point = searcher.submit(measure, kept, size, queries).result()
            point |= {
                "build_s": round(clock.seconds - drawing.seconds, 1),
                "build_cpu_s": round(clock.cpu_seconds - drawing.cpu_seconds, 1),
                "build_peak_memory_mb": round(memory.peak_mb),
                "build_peak_with_mapped_pages_mb": round(memory.peak_all_mb),
            }
            results.put(str(size), point)
            say(point)


def measure(folder: Path, size: int, queries: Queries) -> Figures:
    """Open the index anew and time one query after the other."""
    truth, opening = Truth.load(folder.with_suffix(".npz")), Clock()
    with opening:
        retriever = Retriever.open(folder, model=HashEncoder(dim=DIM))
    stats = retriever.stats()
    store = Store(folder)
    index = IndexCache().get(store.snapshot())
    assert isinstance(index, CompressedIndex)
    settings = [
        {**_time(index, PRESETS[number], queries, truth), "preset": number + 1}
        for number in range(1, 5)
    ]
    return {
        "passages": size,
        "vectors": stats.vectors,
        "threads": thread_count(),
        "open_s": round(opening.seconds, 3),
        "bytes_per_vector": round(stats.bytes_per_vector, 2),
        "segments": stats.segments,
        "search_memory_mb": round(memory_mb("RssAnon")),
        "settings": settings,
    }


def _time(
    index: CompressedIndex, settings: SearchSettings, queries: Queries, truth: Truth
) -> Figures:
    took, found = [], []
    for turn in range(2):  # in the second one, all that is touched is in the page cache
        for query in queries:
            with Clock() as clock:
                ranking = index.search_with_traces([query], K, settings=settings)[0][0]
            if turn:
                took.append(clock.seconds)
                found.append(ranking.rows[:K] - 1)
    figures = {name: round(value, 2) for name, value in percentiles(took).items()}
    return figures | {"recall": round(truth.recall(found[:JUDGED]), 4)}


def _kept(folder: Path, size: int) -> Path:
    """Return where the index is kept as it was at a size."""
    return folder.with_name(f"scale-{size}.index")


def main() -> None:
    """Run the benchmark."""
    args = command(__doc__, "search_scale", "scratch", passages=SIZES[-1], again=False).parse_args()
    folder, results = args.scratch / "scale.index", Results(args.out)
    if not args.again:
        shutil.rmtree(folder, ignore_errors=True)
        grow(folder, args.passages, results)
        return
    world = World()
    queries = world.queries(world.block(0, BLOCK), QUERIES)
    for case in list(results.cases):
        size = results.cases[case]["passages"]
        results.put(case, results.cases[case] | measure(_kept(folder, size), size, queries))


if __name__ == "__main__":
    main()
