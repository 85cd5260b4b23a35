"""What compression saves and what it costs: bytes a vector, nDCG@10 and recall@10.

The vectors are the bundled model's, of passages with judged questions among them
(:mod:`benchmarks.search.corpus`); truth is exact float32 MaxSim over the vectors as they are.
Searches use the library's own settings. Pooling is measured by :mod:`benchmarks.pooling`::

    python -m benchmarks.compression --vectors DIR --evaluation DIR --parallel DIR --scratch DIR

``--vectors`` holds what ``encode_corpus`` wrote; the other two are what its corpus was made of.
Writes ``benchmarks/results/compression.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from lfm2_colbert_rag import Retriever, load_encoder
from lfm2_colbert_rag.index.compressed import CompressedIndex
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenVectors, Window

from .encode.machine import describe
from .search.corpus import remembered_texts
from .search.quality import K, Places, ndcg, overlap, remembered_best
from .search.vectors import VectorSet, load_vectors

RESULT = Path(__file__).parent / "results" / "compression.json"
BLOCK = 500

Result = dict[str, Any]


def spans_of(texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the vocabulary ids and the spans of the bundled model's vectors of each text."""
    framing = load_encoder("nano")._framing  # type: ignore[attr-defined]
    for start in range(0, len(texts), BLOCK):
        for text in framing.document(texts[start : start + BLOCK]):
            spans = text.spans[text.keep]
            yield (
                text.input_ids[text.keep],
                np.where(spans[:, :1] < spans[:, 1:], spans, 0).astype(np.int32),
            )


def windows_of(vectors: VectorSet, texts: Sequence[str]) -> Iterator[Window]:
    """Yield each passage's vectors with their spans."""
    offsets = vectors.offsets
    for place, (ids, spans) in enumerate(spans_of(texts)):
        part = slice(int(offsets[place]), int(offsets[place + 1]))
        tokens = vectors.token_ids[part]
        assert np.array_equal(ids, tokens), "the vectors are of another corpus"
        encoded = TokenVectors(vectors.vectors[part].astype(np.float32), tokens, spans)
        yield Window((0, len(texts[place])), encoded)


def measure(
    windows: Iterator[Window],
    texts: Sequence[str],
    vectors: VectorSet,
    truth: Sequence[Places],
    nbits: int,
    folder: Path,
) -> Result:
    """Build an index of given windows, ask every question, and weigh its files."""
    shutil.rmtree(folder, ignore_errors=True)
    # The encoder only gives the index its width; every vector is brought along.
    with Retriever.open(
        folder, model=HashEncoder(dim=128), index="compressed", nbits=nbits
    ) as retriever:
        names = [str(place) for place in range(len(texts))]
        retriever.add_vectors(([window] for window in windows), texts, ids=names, progress=False)
        snapshot = retriever._store.snapshot()
        assert isinstance(snapshot.index, CompressedIndex)
        found = [r.rows[:K] - 1 for q in vectors.queries for r in snapshot.index.search([q], K)]
        stats = retriever.stats(measure=False)
        books = retriever._store.catalog.codebooks()
        segments = [live.segment.info for live in snapshot.segments]
    originals = int(vectors.lengths.sum())
    files = _weigh([info.files for info in segments], originals)
    files |= {f"codebook {k}": v for k, v in _weigh([b.files for b in books], originals).items()}
    return {
        "vectors": stats.vectors,
        "segments": stats.segments,
        "centroids": sum(book.centroids for book in books),
        "bytes_per_stored_vector": round(stats.bytes_per_vector, 2),
        "bytes_per_vector": round(stats.bytes_per_vector * stats.vectors / originals, 2),
        **judge(found, truth, vectors),
        "bytes_per_vector_by_file": files,
    }


def judge(found: Sequence[Places], truth: Sequence[Places], vectors: VectorSet) -> Result:
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name in ("vectors", "evaluation", "parallel", "scratch"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=50_000)
    args = parser.parse_args()
    console, size = Console(), args.passages
    everything = load_vectors(args.vectors)
    texts = remembered_texts(args.scratch, args.evaluation, args.parallel, len(everything.lengths))[
        :size
    ]
    vectors = everything.first(size)
    truth = remembered_best(args.scratch, f"exact_{size}", vectors)
    result: Result = {
        "machine": describe(),
        "passages": size,
        "queries": len(vectors.queries),
        "exact": {"vectors": len(vectors.vectors), **judge(truth, truth, vectors)},
    }
    for nbits in (4, 2):
        folder = args.scratch / f"compression_{nbits}.index"
        windows = windows_of(vectors, texts)
        result[f"{nbits} bits"] = measure(windows, texts, vectors, truth, nbits, folder)
        console.log(result[f"{nbits} bits"])
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
