"""What compression saves and what it costs: bytes a vector, nDCG@10 and recall@10.

The vectors are the bundled model's, of passages with judged questions among them
(:mod:`benchmarks.search.corpus`); truth is exact float32 MaxSim over the vectors as they are.
Searches use the library's own settings. Pooling is measured by :mod:`benchmarks.pooling`::

    python -m benchmarks.compression --vectors DIR --scratch DIR

Writes ``benchmarks/results/compression.json``.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever, Window
from lfm2_colbert_rag.retriever.search.index_cache import IndexCache
from lfm2_colbert_rag.storage.store import Store
from lfm2_colbert_rag.testing import HashEncoder

from .harness import Results, command, say
from .search.quality import K, Places, ndcg, overlap, remembered_best
from .search.vectors import VectorSet, load_vectors

Figures = dict[str, Any]


def build(vectors: VectorSet, nbits: int, folder: Path) -> None:
    """Make an index of vectors with their texts and spans."""
    shutil.rmtree(folder, ignore_errors=True)
    windows = (
        [Window((0, len(text)), vectors.encoded(place))] for place, text in enumerate(vectors.texts)
    )
    names = [str(place) for place in range(len(vectors.texts))]
    # The encoder only gives the index its width; every vector is brought along.
    with Retriever.open(
        folder, model=HashEncoder(dim=vectors.vectors.shape[1]), storage="compressed", nbits=nbits
    ) as retriever:
        retriever.add_vectors(windows, vectors.texts, ids=names, progress=False)


def measure(vectors: VectorSet, truth: Sequence[Places], folder: Path) -> Figures:
    """Ask an index every question, and weigh its files."""
    with Retriever.open(folder, model=HashEncoder(dim=vectors.vectors.shape[1])) as retriever:
        stats = retriever.stats()
    store = Store(folder)
    snapshot = store.snapshot()
    index = IndexCache().get(snapshot)
    found = [one.rows[:K] - 1 for query in vectors.queries for one in index.search([query], K)]
    books = store.catalog.codebooks()
    segments = [live.segment.info for live in snapshot.segments]
    originals = int(vectors.lengths.sum())
    files = _weigh([info.files for info in segments], originals)
    files |= {f"codebook {k}": v for k, v in _weigh([b.files for b in books], originals).items()}
    store.close()
    return {
        "vectors": stats.vectors,
        "segments": stats.segments,
        "centroids": sum(book.centroids for book in books),
        "bytes_per_stored_vector": round(stats.bytes_per_vector, 2),
        "bytes_per_vector": round(stats.bytes_per_vector * stats.vectors / originals, 2),
        **judge(found, truth, vectors),
        "bytes_per_vector_by_file": files,
    }


def judge(found: Sequence[Places], truth: Sequence[Places], vectors: VectorSet) -> Figures:
    """Say how good answers are."""
    return {
        "ndcg@10": round(ndcg(found, vectors.relevant), 4),
        "recall@10": round(overlap(found, truth), 4),
    }


def _weigh(listings: Sequence[Any], vectors: int) -> dict[str, float]:
    total: dict[str, int] = {}
    for files in listings:
        for name, file in files.items():
            total[name] = total.get(name, 0) + file.size
    return {name: round(size / vectors, 3) for name, size in total.items() if size > vectors / 1e3}


def main() -> None:
    """Run the benchmark."""
    args = command(__doc__, "compression", "vectors", "scratch", passages=50_000).parse_args()
    vectors = load_vectors(args.vectors)
    size = min(args.passages, len(vectors.texts))
    vectors = vectors.first(size)
    truth = remembered_best(args.vectors, f"exact-{size}", vectors)
    results = Results(args.out, passages=size, queries=len(vectors.queries))
    results.put("exact", {"vectors": len(vectors.vectors), **judge(truth, truth, vectors)})
    for nbits in (4, 2):
        folder = args.scratch / f"compression_{nbits}.index"
        build(vectors, nbits, folder)
        results.put(f"{nbits} bits", measure(vectors, truth, folder))
        say(results.cases[f"{nbits} bits"])


if __name__ == "__main__":
    main()
