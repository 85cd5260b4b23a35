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

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.evaluation import Dataset, score_run

from ..harness import Clock, Results, command, say
from ..remembering import Remembering
from .fused import BothLegs, learned
from .measured import differences, means
from .sets import Task, tasks

MEASURES = ("nDCG@10", "R@10", "RR@10")
MODES = ("late", "lexical", "hybrid")


def fingerprint(encoder: Any) -> str:
    """Return 12 digits that name a model's vectors."""
    text = json.dumps(dict(encoder.fingerprint), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def measure(task: Task, data: Path, limit: int, encoder: Any) -> dict[str, Any]:
    """Measure one task: every pair in every mode, over one index."""
    indexing, asking = Clock(), Clock()
    datasets = [task.dataset(data, pair).sample(limit) for pair in task.languages]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "quality.index"
        with indexing, Retriever.open(folder, model=encoder, storage="exact") as retriever:
            retriever.add_stream(datasets[0].corpus or (), progress=False)
        legs = BothLegs(folder, encoder)
        with asking:
            pairs = {
                "→".join(pair): _pair(legs, dataset)
                for pair, dataset in zip(task.languages, datasets, strict=True)
            }
        legs.close()
    return {
        "passages": datasets[0].passages,
        "queries": len(datasets[0].qrels),
        "pairs": pairs,
        "index_seconds": round(indexing.seconds, 1),
        "seconds": round(indexing.seconds + asking.seconds, 1),
    }


def _pair(legs: BothLegs, dataset: Dataset) -> dict[str, Any]:
    runs, gains = legs.ask(dataset)
    found = {
        mode: score_run(runs[mode], dataset, MEASURES, mode=mode, model="ours") for mode in MODES
    }
    return {
        "systems": {mode: means(one) for mode, one in found.items()},
        "differences": differences(found, "hybrid", ("late", "lexical")),
        "learned": learned(gains),
    }


def main() -> None:
    """Run the benchmark."""
    parser = command(__doc__, "quality", "data", model="nano", only=None, queries=300, again=False)
    args = parser.parse_args()
    encoder = Remembering(load_encoder(args.model))
    model = fingerprint(encoder)
    results = Results(args.out, model=args.model, fingerprint=model)
    for task in tasks():
        case = f"{model}, {task.name}"
        if not task.name.startswith(tuple(args.only or ("",))):
            continue
        if not task.is_in(args.data):
            say(f"{task.name}: not there, skipped")
            continue
        if case in results.cases and not args.again:
            say(f"{task.name}: measured before, skipped")
            continue
        entry = measure(task, args.data, args.queries, encoder)
        results.put(case, entry)
        for pair, values in entry["pairs"].items():
            shown = "  ".join(f"{s} {v['nDCG@10'][0]:.3f}" for s, v in values["systems"].items())
            say(f"{task.name} {pair}: {shown}")
        say(f"{task.name}: {entry['seconds']:.0f} s")


if __name__ == "__main__":
    main()
