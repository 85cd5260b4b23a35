"""Compare search engines on the same vectors, side by side in one run.

::

    python -m benchmarks.search --scratch DIR --evaluation DIR --parallel DIR --sizes 3000 10000

Makes the vector set below the scratch folder if it is not there (a quarter of an hour for 100,000
passages), builds every contender's index in an environment of its own, measures its searches in
processes of their own, and writes ``benchmarks/results/search.json``. An index that is there is not
built again, and what was measured is not measured again, unless ``--again`` is given.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.testing import HashEncoder

from ..harness import Results, command, say
from ..harness.environments import Interpreter, interpreters
from .contenders import ENVIRONMENTS, OURS, PEERS, TORCH, Contender
from .corpus import build_corpus, tiny_corpus
from .quality import remembered_best
from .rounds import Result, Run, measure
from .vectors import encode_corpus, load_vectors

SHOWN = ("setting", "error", "p50_ms", "p95_ms", "recall", "ndcg")


def vector_set(args: argparse.Namespace) -> Path:
    """Return the folder of the vectors, which are made if they are not there."""
    folder: Path = args.vectors or args.scratch / "vectors"
    if not (folder / "corpus.json").exists():
        if args.tiny:
            encode_corpus(tiny_corpus(), HashEncoder(dim=128), folder)
        else:
            corpus = build_corpus(args.evaluation, args.parallel.glob("*.jsonl*"), args.passages)
            encode_corpus(corpus, load_encoder("nano"), folder)
    return folder


def run(
    contender: Contender,
    found: Interpreter | str,
    size: int,
    threads: int,
    args: argparse.Namespace,
) -> Result:
    """Measure one contender on some passages."""
    told = {"name": contender.name, "label": contender.label, "size": size, "threads": threads}
    if isinstance(found, str):
        return told | {"error": f"No environment: {found}"}
    vectors = load_vectors(args.vectors).first(size)
    exact = remembered_best(args.vectors, f"exact-{size}", vectors)
    one = Run(contender, found.python, args.vectors, size, args.scratch, threads, args.limit,
              args.queries, args.seconds)  # fmt: skip
    return told | {"environment_mb": found.size_mb} | measure(one, vectors, exact)


def main() -> None:
    """Run the benchmark."""
    parser = command(__doc__, "search", "scratch", vectors=None, passages=100_000, only=None,
                     queries=100, again=False, tiny=False, python=[])  # fmt: skip
    parser.add_argument("--evaluation", type=Path, help="of a new vector set: judged sets")
    parser.add_argument("--parallel", type=Path, help="of a new vector set: texts that fill it")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3_000, 10_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--seconds", type=float, default=30, help="for the queries of a setting")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for a process")
    args = parser.parse_args()
    args.scratch = args.scratch.resolve()
    args.vectors = vector_set(args)
    results = Results(args.out, queries=args.queries, seconds=args.seconds)
    wanted = [one for one in (*OURS, *PEERS) if one.name.startswith(tuple(args.only or ("",)))]
    needed = [ENVIRONMENTS[one.environment] for one in wanted]
    pythons = interpreters(needed, args.scratch / "envs", TORCH, args.python)
    for size in args.sizes:
        for contender in wanted:
            for threads in args.threads:
                case = f"{contender.name}/{size}/{threads}"
                if case in results.cases and not args.again:
                    say(case, "was measured before; skipped")
                    continue
                result = run(contender, pythons[contender.environment], size, threads, args)
                results.put(case, result)
                for setting in result.get("settings", [result]):
                    say(case, {key: setting[key] for key in SHOWN if key in setting})


if __name__ == "__main__":
    main()
