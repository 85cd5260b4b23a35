"""Measure what token pooling costs in quality and saves in size.

XQuAD, its questions in English against its 240 passages in English, through a ``Retriever`` for
each factor::

    python benchmarks/pooling.py --data DIR

``DIR/xquad`` holds ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.jsonl``. Writes
``benchmarks/results/pooling.json`` and prints the table.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag import Encoder, Retriever, load_encoder

RESULT = Path(__file__).parent / "results" / "pooling.json"
DEPTH = 10

Row = dict[str, Any]


def read_lines(path: Path) -> list[Row]:
    """Read a JSON-lines file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def measure(encoder: Encoder, folder: Path, language: str, factor: int) -> Row:
    """Index the passages with one factor, ask every question, and count."""
    passages, queries = (read_lines(folder / f"{name}.jsonl") for name in ("corpus", "queries"))
    relevant = {row["query"]: row["doc"] for row in read_lines(folder / "qrels.jsonl")}
    begun = time.monotonic()
    with Retriever.from_texts(
        [row[language] for row in passages],
        ids=[row["id"] for row in passages],
        model=encoder,
        pool_factor=factor,
    ) as retriever:
        seconds = time.monotonic() - begun
        found = retriever.search_many([row[language] for row in queries], DEPTH)
        stats = retriever.stats()
    gain, recall = [], []
    for query, hits in zip(queries, found, strict=True):
        ids = [hit.id for hit in hits]
        hit = relevant[query["id"]] in ids
        recall.append(hit)
        gain.append(1 / np.log2(ids.index(relevant[query["id"]]) + 2) if hit else 0.0)
    return {
        "vectors": stats.vectors,
        "ndcg@10": round(float(np.mean(gain)), 4),
        "recall@10": round(float(np.mean(recall)), 4),
        "seconds_to_index": round(seconds, 1),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--model", default="nano", help="anything load_encoder takes")
    parser.add_argument("--language", default="en", help="of questions and passages")
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    encoder = load_encoder(args.model)
    folder = args.data / "xquad"
    report: Row = {
        "model": args.model,
        "collection": f"xquad, {args.language} to {args.language}",
        "passages": len(read_lines(folder / "corpus.jsonl")),
        "queries": len(read_lines(folder / "queries.jsonl")),
        "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "factors": {},
    }
    table = Table("pool_factor", "vectors", "nDCG@10", "recall@10", title=args.model)
    for factor in args.factors:
        result = measure(encoder, folder, args.language, factor)
        report["factors"][str(factor)] = result
        quality = (f"{result[name]:.3f}" for name in ("ndcg@10", "recall@10"))
        table.add_row(str(factor), f"{result['vectors']:,}", *quality)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    Console().print(table)


if __name__ == "__main__":
    main()
