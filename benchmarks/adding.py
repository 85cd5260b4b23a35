"""What adding a little to a large index costs, against building it.

::

    python -m benchmarks.adding --vectors DIR --scratch DIR [--more 1000]

Vectors are given, so that only the index's own work is timed. Writes
``benchmarks/results/adding.json``, a case a size.
"""

from __future__ import annotations

import shutil

import numpy as np

from lfm2_colbert_rag import Retriever

from .harness import Clock, Results, command, say
from .search.vectors import add_places, load_vectors


def main() -> None:
    """Build, add, and write what both took."""
    parser = command(__doc__, "adding", "vectors", "scratch")
    parser.add_argument("--more", type=int, default=1_000, help="passages added at once")
    parser.add_argument("--times", type=int, default=8)
    args = parser.parse_args()
    vectors = load_vectors(args.vectors)
    first = len(vectors.lengths) - args.more * args.times
    folder = args.scratch / "adding.index"
    shutil.rmtree(folder, ignore_errors=True)
    with Retriever.open(folder, model="nano", storage="compressed") as retriever:
        with Clock() as build:
            add_places(retriever, vectors, range(first))
        spent = []
        for start in range(first, len(vectors.lengths), args.more):
            with Clock() as clock:
                add_places(retriever, vectors, range(start, start + args.more))
            spent.append(clock.seconds)
            say(f"{build.seconds:.1f} s to build, {spent[-1]:.2f} s to add")
        stats = retriever.stats()
    figures = {
        "passages": first, "vectors": stats.vectors, "build_seconds": build.seconds,
        "more": args.more, "add_seconds": spent, "share": float(np.mean(spent)) / build.seconds,
        "segments": stats.segments,
    }  # fmt: skip
    Results(args.out).put(f"{first} passages", figures)


if __name__ == "__main__":
    main()
