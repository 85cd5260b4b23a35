"""What adding a little to a large index costs, against building it.

::

    python -m benchmarks.adding --vectors DIR --scratch DIR [--more 1000]

``--vectors`` is a folder of :mod:`benchmarks.search.vectors`. Vectors are given, so that only the
index's own work is timed. Writes ``benchmarks/results/adding.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from lfm2_colbert_rag import Retriever

from .encode.machine import describe
from .search.vectors import VectorSet, load_vectors

RESULT = Path(__file__).parent / "results" / "adding.json"


def add(retriever: Retriever, vectors: VectorSet, first: int, last: int) -> float:
    """Add passages by their place; returns the seconds."""
    offsets = vectors.offsets
    slices = [slice(int(offsets[place]), int(offsets[place + 1])) for place in range(first, last)]
    names = [str(place) for place in range(first, last)]
    began = time.perf_counter()
    retriever.add_vectors(
        (np.asarray(vectors.vectors[part], np.float32) for part in slices),
        names,
        ids=names,
        token_ids=[vectors.token_ids[part] for part in slices],
        progress=False,
    )
    return time.perf_counter() - began


def main() -> None:
    """Build, add, and write what both took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--more", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=8)
    args = parser.parse_args()
    vectors = load_vectors(args.vectors)
    first = len(vectors.lengths) - args.more * args.times
    folder = args.scratch / "adding.index"
    shutil.rmtree(folder, ignore_errors=True)
    with Retriever.open(folder, model="nano", index="compressed") as retriever:
        build = add(retriever, vectors, 0, first)
        spent = []
        for number in range(args.times):
            start = first + number * args.more
            spent.append(add(retriever, vectors, start, start + args.more))
            Console().log(f"{build:.1f} s to build, {spent[-1]:.2f} s to add", highlight=False)
        stats = retriever.stats(measure=False)
    result = {
        "machine": describe(), "passages": first, "vectors": stats.vectors, "build_seconds": build,
        "more": args.more, "add_seconds": spent, "share": float(np.mean(spent)) / build,
        "segments": stats.segments,
    }  # fmt: skip
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
