"""Compare search engines on the same vectors, side by side in one run.

::

    python -m benchmarks.search --scratch DIR --evaluation DIR --parallel DIR --sizes 3000 10000

Makes the vector set below the scratch folder if it is not there (a quarter of an hour for 100,000
passages), builds every contender's index in an environment of its own, measures its searches in
processes of their own, and writes ``benchmarks/results/search.json``. A contender that was measured
before is measured again; an index that is there is not built again.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from lfm2_colbert_rag.encoder import load_encoder

from ..encode.machine import describe
from .contenders import OURS, PEERS, Contender
from .corpus import build_corpus
from .rounds import exact_best, run_peer, summary
from .vectors import VectorSet, encode_corpus, load_vectors

RESULT = Path(__file__).parents[1] / "results" / "search.json"
TOP = 10

Result = dict[str, Any]


def vector_set(options: argparse.Namespace) -> Path:
    """Return the folder of the vectors, which are made if they are not there."""
    folder: Path = options.vectors or options.scratch / "vectors"
    if not (folder / "corpus.json").exists():
        files = options.parallel.glob("*.jsonl*")
        corpus = build_corpus(options.evaluation, files, options.passages)
        encode_corpus(corpus, load_encoder("nano"), folder)
    return folder


def truth(vectors: VectorSet, folder: Path, size: int, queries: int) -> list[list[int]]:
    """Return the exact best passages of each query, worked out once."""
    known = folder / f"exact-{size}-{queries}.json"
    if not known.exists():
        best = exact_best(vectors.vectors, vectors.lengths, vectors.queries[:queries])
        known.write_text(json.dumps(best), encoding="utf-8")
    found: list[list[int]] = json.loads(known.read_text(encoding="utf-8"))
    return found


def ndcg(found: list[list[int]], relevant: list[list[int]]) -> float:
    """Return the mean nDCG@10."""
    gains = 1 / np.log2(np.arange(2, TOP + 2))
    values = []
    for places, wanted in zip(found, relevant, strict=False):
        hits = np.isin(places[:TOP], wanted)
        values.append((hits * gains[: len(hits)]).sum() / gains[: len(wanted)].sum())
    return float(np.mean(values))


def measure(
    contender: Contender, folder: Path, size: int, threads: int, options: argparse.Namespace
) -> Result:
    """Measure one contender, and reduce what it gave to the figures of a table."""
    vectors = load_vectors(folder).first(size)
    exact = truth(vectors, folder, size, options.queries)
    result = run_peer(
        contender,
        folder,
        size,
        options.scratch,
        threads,
        limit_s=options.limit,
        queries=options.queries,
        seconds=options.seconds,
    )
    build = result.get("build", {})
    if "disk_bytes" in build:
        result["bytes_per_vector"] = build["disk_bytes"] / build["vectors"]
    for setting in result.get("settings", []):
        if "seconds" in setting:
            setting |= summary(setting, exact)
            asked = len(setting["ids"])
            setting["ndcg"] = ndcg(setting["ids"], vectors.relevant)
            setting["exact_ndcg"] = ndcg(exact[:asked], vectors.relevant)
            setting["measured"] = asked
            del setting["seconds"], setting["ids"]
    result["exact_ndcg"] = ndcg(exact, vectors.relevant)
    return result


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--scratch", type=Path, required=True, help="environments and indexes")
    parser.add_argument("--vectors", type=Path, help="a vector set; made below scratch if absent")
    parser.add_argument("--evaluation", type=Path, help="folder of collections with judgements")
    parser.add_argument("--parallel", type=Path, help="folder of texts that fill the corpus")
    parser.add_argument("--passages", type=int, default=100_000, help="of a new vector set")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3_000, 10_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--only", nargs="+", help="names of contenders")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30, help="for the queries of a setting")
    parser.add_argument("--limit", type=float, default=1800, help="for a build")
    options = parser.parse_args()
    folder, console = vector_set(options), Console()
    report = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {"runs": {}}
    report |= {"machine": describe(), "at": datetime.now(timezone.utc).isoformat("T", "minutes")}
    for size in options.sizes:
        for contender in (*OURS, *PEERS):
            if options.only and contender.name not in options.only:
                continue
            for threads in options.threads:
                result = measure(contender, folder, size, threads, options)
                report["runs"][f"{contender.name}/{size}/{threads}"] = result
                RESULT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
                for setting in result.get("settings", [result]):
                    shown = ("setting", "error", "p50_ms", "p95_ms", "recall", "ndcg")
                    said = {key: setting[key] for key in shown if key in setting}
                    console.log(contender.name, size, threads, said, highlight=False)


if __name__ == "__main__":
    main()
