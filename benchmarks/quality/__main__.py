"""Measure a model on the sets: by meaning, by words, by both; what is there already is skipped.

::

    python -m benchmarks.quality --data DIR                       # everything that is missing
    python -m benchmarks.quality --data DIR --only arcd_ar xquad/en
    python -m benchmarks.quality --data DIR --model FOLDER --queries 1190
    python -m benchmarks.quality.tables                           # the page and the card

``DIR`` holds a folder a set. Results go to ``benchmarks/results/quality.json`` after every set,
under the fingerprint of the model, so a run that was stopped goes on where it was; figures of
another model stay. Each passage is encoded once, and each query. How words alone do beside bm25s is
measured by ``benchmarks.quality.words``, on all queries and without a model.

Weights that are learned from 30 queries, drawn at random, are measured on all others, five times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.quality.fused import Legs, learned
from benchmarks.quality.record import Record, show_means
from benchmarks.quality.sets import Task, tasks
from benchmarks.remembering import Remembering
from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.evaluation import Dataset, compare, score_run
from lfm2_colbert_rag.evaluation.evaluating import index_dataset

RESULT = Path(__file__).parents[1] / "results" / "quality.json"
MEASURES = ("nDCG@10", "R@10", "RR@10")
MODES = ("late", "lexical", "hybrid")
MOST = 300


def fingerprint(encoder: Any) -> str:
    """Return 12 digits that name a model's vectors."""
    text = json.dumps(dict(encoder.fingerprint), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def measure(task: Task, data: Path, most: int, encoder: Any) -> dict[str, Any]:
    """Measure one task: every pair in every mode, over one index."""
    begun = time.monotonic()
    datasets = [task.dataset(data, pair).sample(most) for pair in task.languages]
    with index_dataset(datasets[0], encoder, storage="exact") as retriever:
        indexed = time.monotonic() - begun
        legs = Legs(retriever)
        pairs = {
            "→".join(pair): _pair(legs, dataset)
            for pair, dataset in zip(task.languages, datasets, strict=True)
        }
    return {
        "passages": datasets[0].passages,
        "queries": len(datasets[0].qrels),
        "pairs": pairs,
        "index_seconds": round(indexed, 1),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _pair(legs: Legs, dataset: Dataset) -> dict[str, Any]:
    runs, gains = legs.ask(dataset)
    found = {
        mode: score_run(runs[mode], dataset, MEASURES, mode=mode, model="ours") for mode in MODES
    }
    better = {
        f"hybrid - {mode}": compare(found[mode], found["hybrid"], mode_a=mode, mode_b="hybrid")[0]
        for mode in ("late", "lexical")
    }
    return {
        "systems": {mode: show_means(one.result()) for mode, one in found.items()},
        "differences": {
            name: {"nDCG@10": round(one.difference, 4), "p": round(one.p, 4)}
            for name, one in better.items()
        },
        "learned": learned(gains),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--model", default="nano", help="anything load_encoder takes")
    parser.add_argument("--only", nargs="*", help="sets, such as arcd_ar, xquad or xquad/de")
    parser.add_argument("--queries", type=int, default=MOST, help="most queries of a set")
    parser.add_argument("--again", action="store_true", help="measure what is there again")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    console, encoder = Console(), Remembering(load_encoder(args.model))
    record = Record(args.out, {"models": {}})
    model = record.values["models"].setdefault(
        fingerprint(encoder), {"model": args.model, "sets": {}}
    )
    for task in tasks():
        if args.only and not {task.name, task.name.partition("/")[0]} & set(args.only):
            continue
        if not task.is_in(args.data):
            console.print(f"{task.name}: not there, skipped")
            continue
        if not args.again and _is_done(model["sets"].get(task.name)):
            console.print(f"{task.name}: measured before, skipped")
            continue
        entry = model["sets"][task.name] = measure(task, args.data, args.queries, encoder)
        record.write(model)
        for pair, values in entry["pairs"].items():
            shown = "  ".join(f"{s} {v['nDCG@10'][0]:.3f}" for s, v in values["systems"].items())
            console.print(f"{task.name} {pair}: {shown}")
        console.print(f"{task.name}: {entry['seconds']:.0f} s")


def _is_done(known: dict[str, Any] | None) -> bool:
    """Say whether a set was measured as it is now; earlier results lack what was learned."""
    return known is not None and all("learned" in pair for pair in known["pairs"].values())


if __name__ == "__main__":
    main()
