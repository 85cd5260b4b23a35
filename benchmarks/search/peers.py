"""Builds and searches one library's index; runs in that library's own environment.

``python -I peers.py JOB`` reads what to do from a file (:mod:`benchmarks.harness.children`). It
imports nothing but numpy and the library that is measured. A passage's identifier is its place.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).resolve().parents[1] / "harness"))
from inside import memory_mb, serve

TOP = 10
_WARM_UP = 5
_BLOCK = 512
PACKAGES = ("lfm2-colbert-rag", "numba", "fast-plaid", "xtr-warp-rs", "lancedb", "pyarrow",
             "torch", "numpy")  # fmt: skip

Options = dict[str, Any]
Result = dict[str, Any]
Query = npt.NDArray[np.float32]


class Passages:
    """Vectors of the first passages, mapped, and the questions that these answer, as texts, too.

    Args:
        folder: of a vector set.
        size: number of passages.
        all_questions: whether questions count that other passages answer.
    """

    def __init__(self, folder: Path, size: int, *, all_questions: bool = False) -> None:
        self.lengths = np.load(folder / "lengths.npy")[:size]
        self.offsets = np.concatenate(([0], np.cumsum(self.lengths)))
        # "c": torch warns of arrays that cannot be written.
        self.vectors = np.load(folder / "vectors.npy", mmap_mode="c")[: self.offsets[-1]]
        self.token_ids = np.load(folder / "token_ids.npy", mmap_mode="c")[: self.offsets[-1]]
        corpus = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
        kept = [
            number
            for number, places in enumerate(corpus["relevant"])
            if all_questions or min(places) < size
        ]
        self.questions: list[str] = [corpus["questions"][number] for number in kept]
        with np.load(folder / "queries.npz") as stored:
            self.queries: list[Query] = [stored[f"arr_{number}"] for number in kept]

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[npt.NDArray[np.float16]]:
        return (self.vectors[a:b] for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True))


class Engine(ABC):
    """One library's way to build an index and to search it.

    Args:
        index: folder of the index.
        threads: that the library may use.
    """

    def __init__(self, index: Path, threads: int) -> None:
        self.index = index
        self.threads = threads

    @abstractmethod
    def build(self, passages: Passages, options: Options) -> None:
        """Write the index."""

    @abstractmethod
    def open(self) -> None:
        """Open the index that is there."""

    @abstractmethod
    def search(self, query: Query, options: Options) -> list[int]:
        """Return the places of the best passages, best first."""

    @abstractmethod
    def search_many(self, queries: Sequence[Query], options: Options) -> list[list[int]]:
        """Search with many queries in the way that the library recommends for throughput."""


class Ours(Engine):
    """This library: built through its front door; queries are encoded, and go to the index."""

    def build(self, passages: Passages, options: Options) -> None:
        """Write the index."""
        from lfm2_colbert_rag import Retriever
        from lfm2_colbert_rag.testing import HashEncoder

        os.environ["LFM2_COLBERT_THREADS"] = str(self.threads)
        names = [str(place) for place in range(len(passages))]
        ids = np.split(passages.token_ids, passages.offsets[1:-1])
        # The encoder only gives the index its width.
        encoder = HashEncoder(dim=passages.vectors.shape[1])
        with Retriever.open(self.index, model=encoder, **options) as retriever:
            retriever.add_vectors(passages, names, ids=names, token_ids=ids, progress=False)

    def open(self) -> None:
        """Open the index that is there."""
        from lfm2_colbert_rag.retriever.search.index_cache import IndexCache
        from lfm2_colbert_rag.storage.store import Store

        os.environ["LFM2_COLBERT_THREADS"] = str(self.threads)
        self.store = Store(self.index)
        self.opened = IndexCache().get(self.store.snapshot())

    def search(self, query: Query, options: Options) -> list[int]:
        """Return the places of the best passages, best first."""
        from lfm2_colbert_rag.index.settings import SearchSettings

        if options:
            chosen = SearchSettings(**options)
            ranking = self.opened.search_with_traces([query], TOP, settings=chosen)[0][0]
        else:
            ranking = self.opened.search([query], TOP)[0]
        # Rows are counted from 1 in the order of adding.
        return [row - 1 for row in ranking.rows[:TOP].tolist()]

    def search_many(self, queries: Sequence[Query], options: Options) -> list[list[int]]:
        """Search from several threads, each of which has one processor's worth of work."""
        os.environ["LFM2_COLBERT_THREADS"] = "1"
        with ThreadPoolExecutor(self.threads) as pool:
            found = list(pool.map(lambda query: self.search(query, options), queries))
        os.environ["LFM2_COLBERT_THREADS"] = str(self.threads)
        return found


class FastPlaid(Engine):
    """fast-plaid; it is also what PyLate's ``PLAID`` index runs."""

    def _load(self) -> Any:
        import torch
        from fast_plaid import search

        torch.set_num_threads(self.threads)
        return search.FastPlaid(index=str(self.index), device="cpu")

    def build(self, passages: Passages, options: Options) -> None:
        """Write the index."""
        import torch

        self._load().create([torch.from_numpy(one) for one in passages], **options)

    def open(self) -> None:
        """Open the index that is there."""
        self.plaid = self._load()

    def search(self, query: Query, options: Options) -> list[int]:
        """Return the places of the best passages, best first."""
        return self._found([query], options)[0]

    def search_many(self, queries: Sequence[Query], options: Options) -> list[list[int]]:
        """Search in one call, which on a processor is shared among threads."""
        return self._found(queries, options | {"n_processes": self.threads})

    def _found(self, queries: Sequence[Query], options: Options) -> list[list[int]]:
        import torch

        tensors = [torch.from_numpy(query) for query in queries]
        found = self.plaid.search(tensors, top_k=TOP, show_progress=False, **options)
        return [[place for place, _ in one] for one in found]


class Warp(Engine):
    """xtr-warp-rs; what an option leaves out, the library chooses."""

    def build(self, passages: Passages, options: Options) -> None:
        """Write the index."""
        import torch
        from xtr_warp import XTRWarp

        torch.set_num_threads(self.threads)
        tensors = [torch.from_numpy(one) for one in passages]
        XTRWarp(index=str(self.index)).create(tensors, device="cpu", show_progress=False, **options)

    def open(self) -> None:
        """Open the index that is there, mapped, as is its default."""
        import torch
        from xtr_warp import XTRWarp

        torch.set_num_threads(self.threads)
        self.warp = XTRWarp(index=str(self.index)).load(device="cpu")

    def search(self, query: Query, options: Options) -> list[int]:
        """Return the places of the best passages, best first."""
        return self._found([query], options)[0]

    def search_many(self, queries: Sequence[Query], options: Options) -> list[list[int]]:
        """Search in one call, for which the library pads the queries."""
        return self._found(queries, options)

    def _found(self, queries: Sequence[Query], options: Options) -> list[list[int]]:
        import torch

        found = self.warp.search(
            [torch.from_numpy(query) for query in queries],
            top_k=TOP,
            num_threads=self.threads,
            show_progress=False,
            **options,
        )
        return [[place for place, _ in one] for one in found]


class LanceDB(Engine):
    """LanceDB's multivector column; the options of a search are methods of its query.

    The column is of float32, as in its documentation: over float16 the training of an index takes
    six times as long. Its own number of partitions follows from rows, which here are passages of
    many vectors; so ``vectors_per_partition`` sets it.
    """

    def build(self, passages: Passages, options: Options) -> None:
        """Write the table and its index."""
        import lancedb
        import lancedb.index
        import pyarrow as pa

        dim = passages.vectors.shape[1]
        schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.list_(pa.float32(), dim)))])
        table = lancedb.connect(self.index).create_table(
            "passages", data=_batches(passages, schema), schema=schema
        )
        if not options:
            return  # every vector is compared then
        kind, room = options.pop("kind"), options.pop("vectors_per_partition")
        options |= {"num_partitions": max(1, len(passages.vectors) // room)}
        config = getattr(lancedb.index, kind)(distance_type="cosine", **options)
        table.create_index("vector", config=config)

    def open(self) -> None:
        """Open the table that is there."""
        import lancedb

        self.table = lancedb.connect(self.index).open_table("passages")

    def search(self, query: Query, options: Options) -> list[int]:
        """Return the places of the best passages, best first."""
        built = self.table.search(query, vector_column_name="vector")
        built = built.distance_type("cosine").limit(TOP).select(["id", "_distance"])
        for name, value in options.items():
            built = getattr(built, name)(*([] if value is True else [value]))
        return built.to_arrow()["id"].to_pylist()

    def search_many(self, queries: Sequence[Query], options: Options) -> list[list[int]]:
        """Search from several threads; many matrices in one call are not possible."""
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda query: self.search(query, options), queries))


def _batches(passages: Passages, schema: Any) -> Iterator[Any]:
    """Give the passages as Arrow has them."""
    import pyarrow as pa

    for start in range(0, len(passages), _BLOCK):
        offsets = passages.offsets[start : start + _BLOCK + 1]
        part = passages.vectors[offsets[0] : offsets[-1]].astype(np.float32)
        flat = pa.array(part.reshape(-1))
        rows = pa.FixedSizeListArray.from_arrays(flat, passages.vectors.shape[1])
        vectors = pa.ListArray.from_arrays(pa.array(offsets - offsets[0], pa.int32()), rows)
        places = pa.array(range(start, start + len(offsets) - 1), pa.int64())
        yield pa.record_batch([places, vectors], schema=schema)


ENGINES: dict[str, type[Engine]] = {
    "ours": Ours,
    "fast-plaid": FastPlaid,
    "xtr-warp": Warp,
    "lancedb": LanceDB,
}


def build(engine: Engine, passages: Passages, options: Options) -> Result:
    """Build the index anew and say what that took."""
    shutil.rmtree(engine.index, ignore_errors=True)
    engine.index.parent.mkdir(parents=True, exist_ok=True)
    cpu, begun = time.process_time(), time.perf_counter()
    engine.build(passages, options)
    return {
        "build_seconds": time.perf_counter() - begun,
        "build_cpu_seconds": time.process_time() - cpu,
        "build_peak_memory_mb": memory_mb("VmHWM"),
        "build_threads": engine.threads,
        "vectors": len(passages.vectors),
        **_on_disk(engine.index),
    }


def _on_disk(index: Path) -> Result:
    """Add up the files; where a library keeps vectors and index apart, the index alone, too."""
    files = {file: file.stat().st_size for file in index.rglob("*") if file.is_file()}
    alone = sum(size for file, size in files.items() if "_indices" in file.parts)
    return {"disk_bytes": sum(files.values()), "index_bytes": alone or sum(files.values())}


def search(engine: Engine, queries: Sequence[Query], options: Options, limit_s: float) -> Result:
    """Open the index and search it with one setting, so that the memory is that setting's own.

    Args:
        engine: with an index that is there.
        queries: to search with, one at a time, and then all of those in bulk.
        options: of the searches.
        limit_s: seconds after which no further query is begun one at a time.
    """
    begun = time.perf_counter()
    engine.open()
    engine.search(queries[0], options)
    opened = time.perf_counter() - begun
    return _measured(engine, queries, options, limit_s) | {"open_seconds": opened}


def _measured(engine: Engine, queries: Sequence[Query], options: Options, limit_s: float) -> Result:
    for query in queries[-_WARM_UP:]:
        engine.search(query, options)
    seconds: list[float] = []
    ids: list[list[int]] = []
    cpu = time.process_time()
    for query in queries:
        if sum(seconds) > limit_s:
            break
        begun = time.perf_counter()
        found = engine.search(query, options)
        seconds.append(time.perf_counter() - begun)
        ids.append(found)
    cpu = time.process_time() - cpu
    asked = queries[: len(ids)]
    engine.search_many(asked[:2], options)
    begun = time.perf_counter()
    many = engine.search_many(asked, options)
    many_seconds = time.perf_counter() - begun
    same = [len(set(one) & set(other)) for one, other in zip(ids, many, strict=True)]
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "ids": ids,
        "queries_per_second": len(asked) / many_seconds,
        "same_in_bulk": sum(same) / max(1, sum(map(len, ids))),
        "peak_memory_mb": memory_mb("VmHWM"),
        "own_memory_mb": memory_mb("RssAnon"),
    }


def work(job: Options) -> Result:
    """Build or search."""
    threads = job["threads"]
    if hasattr(os, "sched_setaffinity"):  # whatever threads the library starts
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    engine = ENGINES[job["engine"]](Path(job["index"]), threads)
    passages = Passages(Path(job["vectors"]), job["size"])
    if job["task"] == "build":
        return build(engine, passages, job["build"])
    queries = passages.queries[: job["queries"]]
    return search(engine, queries, job["options"], job["seconds"])


if __name__ == "__main__":
    serve(work, PACKAGES)
