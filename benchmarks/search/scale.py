"""How cost grows: one index from ten thousand to a million passages, measured on its way.

Everything goes through the library's front door: ``Retriever.add_vectors`` in batches, its own
merging, a search through ``Index.search``. Truth is exact float32 MaxSim, worked out while the
passages are drawn::

    python -m benchmarks.search.scale --scratch DIR [--most 1000000]
    python -m benchmarks.search.scale --scratch DIR --again   # times all sizes once more

Writes ``benchmarks/results/search_scale.json``. The index takes 8 GB below DIR, and a copy of it at
every size 11 GB more: on a machine that was not idle meanwhile, they can be timed later.
"""

from __future__ import annotations

import argparse
import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.index.compressed import CompressedIndex
from lfm2_colbert_rag.index.compressed.workers import thread_count
from lfm2_colbert_rag.index.settings import PRESETS
from lfm2_colbert_rag.testing import HashEncoder

from ..encode.machine import describe
from .peers import memory_mb
from .synthetic import DIM, LENGTH, World

RESULT = Path(__file__).parents[1] / "results" / "search_scale.json"
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
BLOCK, ADDED = 1_000, 100_000
QUERIES, JUDGED, K = 60, 12, 10

Result = dict[str, Any]


class Truth:
    """The exact best passages of some queries, as passages come."""

    def __init__(self, queries: list[npt.NDArray[np.float32]]) -> None:
        self._queries = np.concatenate(queries)
        self._count = len(queries)
        self._scores = np.full((len(queries), 0), 0, np.float32)
        self._places = np.full((len(queries), 0), 0, np.int64)

    def save(self, path: Path) -> None:
        """Keep what was found for :meth:`load`."""
        np.savez(path, queries=self._queries, places=self._places)

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Read what :meth:`save` kept."""
        with np.load(path) as stored:
            truth = cls(np.split(stored["queries"], JUDGED))
            truth._places = stored["places"]
        return truth

    def see(self, first: int, vectors: npt.NDArray[np.float32]) -> None:
        """Take passages into account, the first of which has this place."""
        scores = []
        for start in range(0, len(vectors), 100 * LENGTH):
            near = self._queries @ vectors[start : start + 100 * LENGTH].T
            best = near.reshape(len(near), -1, LENGTH).max(axis=2)
            scores.append(best.reshape(self._count, -1, best.shape[1]).sum(axis=1))
        fresh = np.concatenate(scores, axis=1)
        places = np.broadcast_to(first + np.arange(fresh.shape[1]), fresh.shape)
        self._scores = np.concatenate((self._scores, fresh), axis=1)
        self._places = np.concatenate((self._places, places), axis=1)
        order = np.argsort(-self._scores, axis=1, kind="stable")[:, :K]
        self._scores = np.take_along_axis(self._scores, order, axis=1)
        self._places = np.take_along_axis(self._places, order, axis=1)

    def recall(self, found: list[npt.NDArray[np.int64]]) -> float:
        """Share of the best ten that was found."""
        pairs = zip(found, self._places, strict=True)
        return float(np.mean([np.isin(best, mine).mean() for mine, best in pairs]))


def grow(folder: Path, most: int, console: Console) -> Result:
    """Build the index step by step; returns one point a size."""
    world = World()
    first = world.block(0, BLOCK)
    queries = world.queries(first, QUERIES)
    truth = Truth(queries[:JUDGED])
    points, spent, busy, done = [], 0.0, 0.0, 0
    memory = OwnMemory()
    # The encoder only gives the index its width; every vector is brought along.
    with Retriever.open(folder, model=HashEncoder(dim=DIM), index="compressed") as retriever:
        for size in [size for size in SIZES if size <= most]:
            while done < size:
                source = Source(world, truth, done, min(ADDED, size - done))
                names = [str(done + place) for place in range(source.size)]
                began, cpu = time.perf_counter(), time.process_time()
                retriever.add_vectors(
                    source.matrices(), names, ids=names, token_ids=source.tokens(), progress=False
                )
                spent += time.perf_counter() - began - source.seconds
                busy += time.process_time() - cpu - source.cpu
                done += source.size
                console.log(f"{done:,} passages, {spent:.0f} s", highlight=False)
            if size == ADDED:  # ten times what the codebook was made for
                began, cpu = time.perf_counter(), time.process_time()
                retriever.optimize(progress=False)
                spent += time.perf_counter() - began
                busy += time.process_time() - cpu
            kept = _kept(folder, size)
            shutil.rmtree(kept, ignore_errors=True)
            retriever.backup(kept, progress=False)
            truth.save(kept.with_suffix(".npz"))
            # Another process, so that the pages which searches touch are not the build's.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as searcher:
                point = searcher.submit(measure, kept, size, queries).result()
            point |= {
                "build_s": round(spent, 1),
                "build_cpu_s": round(busy, 1),
                "build_peak_memory_mb": round(memory.peak_mb),
                "build_peak_with_mapped_pages_mb": round(memory.peak_all_mb),
            }
            points.append(point)
            console.log(point)
    return {"points": points}


class OwnMemory(threading.Thread):
    """Watches what this process holds for itself, and what together with mapped pages of files.

    The latter belong to the system's cache, which takes them back when it wants room.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = self.peak_all_mb = 0.0
        self.start()

    def run(self) -> None:
        """Look ten times a second."""
        while True:
            self.peak_mb = max(self.peak_mb, memory_mb("RssAnon"))
            self.peak_all_mb = max(self.peak_all_mb, memory_mb("VmRSS"))
            time.sleep(0.1)


class Source:
    """Passages drawn while they are added; the time that drawing takes is not the index's."""

    def __init__(self, world: World, truth: Truth, first: int, size: int) -> None:
        self.size = size
        self.seconds = self.cpu = 0.0
        self._world, self._truth, self._first = world, truth, first
        self._tokens: list[npt.NDArray[np.int32]] = []

    def matrices(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield each passage's vectors."""
        for start in range(self._first, self._first + self.size, BLOCK):
            began, cpu = time.perf_counter(), time.process_time()
            block = self._world.block(start // BLOCK, BLOCK)
            self._truth.see(start, block.vectors)
            self._tokens += list(block.tokens())
            self.seconds += time.perf_counter() - began
            self.cpu += time.process_time() - cpu
            yield from block.matrices()

    def tokens(self) -> Iterator[npt.NDArray[np.int32]]:
        """Yield each passage's vocabulary ids, once its vectors were drawn."""
        for place in range(self.size):
            yield self._tokens[place]


def measure(
    folder: Path,
    size: int,
    queries: list[npt.NDArray[np.float32]],
) -> Result:
    """Open the index anew and time one query after the other."""
    truth = Truth.load(folder.with_suffix(".npz"))
    began = time.perf_counter()
    with Retriever.open(folder, model=HashEncoder(dim=DIM)) as retriever:
        opened = time.perf_counter() - began
        stats = retriever.stats(measure=False)
        index = retriever._store.snapshot().index
        assert isinstance(index, CompressedIndex)
        settings = [
            _time(index, rung, queries, truth) | {"rung": PRESETS.index(rung) + 1}
            for rung in PRESETS[1:5]
        ]
    return {
        "passages": size,
        "vectors": stats.vectors,
        "threads": thread_count(),
        "open_s": round(opened, 3),
        "bytes_per_vector": round(stats.bytes_per_vector, 2),
        "segments": stats.segments,
        "search_memory_mb": round(memory_mb("RssAnon")),
        "settings": settings,
    }


def _time(
    index: CompressedIndex,
    settings: Any,
    queries: list[npt.NDArray[np.float32]],
    truth: Truth,
) -> Result:
    for query in queries:  # what it touches is in the page cache then
        index.search_with_traces([query], K, settings=settings)
    took, found = [], []
    for query in queries:
        began = time.perf_counter()
        ranking = index.search_with_traces([query], K, settings=settings)[0][0]
        took.append(time.perf_counter() - began)
        found.append(ranking.rows[:K] - 1)
    return {
        "p50_ms": round(float(np.median(took)) * 1e3, 2),
        "p95_ms": round(float(np.quantile(took, 0.95)) * 1e3, 2),
        "recall": round(truth.recall(found[:JUDGED]), 4),
    }


def _kept(folder: Path, size: int) -> Path:
    """Return where the index is kept as it was at a size."""
    return folder.with_name(f"scale-{size}.index")


def again(folder: Path) -> None:
    """Time all sizes of a finished run once more, on a machine that is idle now."""
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    world = World()
    queries = world.queries(world.block(0, BLOCK), QUERIES)
    for point in result["points"]:
        size = point["passages"]
        point |= measure(_kept(folder, size), size, queries)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--scratch", type=Path, required=True, help="where the index is made")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="passages at most")
    parser.add_argument("--again", action="store_true", help="only time the last size again")
    options = parser.parse_args()
    folder = options.scratch / "scale.index"
    if options.again:
        again(folder)
        return
    shutil.rmtree(folder, ignore_errors=True)
    result = {"machine": describe(), **grow(folder, options.most, Console())}
    if RESULT.exists():  # larger sizes of an earlier run stay
        known = json.loads(RESULT.read_text(encoding="utf-8"))["points"]
        result["points"] += [point for point in known if point["passages"] > options.most]
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
