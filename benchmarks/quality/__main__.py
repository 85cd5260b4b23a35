"""Measure a model on the sets, in every mode, beside bm25s; what is there already is skipped.

::

    python -m benchmarks.quality --data DIR                       # everything that is missing
    python -m benchmarks.quality --data DIR --only arcd_ar xquad/en
    python -m benchmarks.quality --data DIR --model FOLDER --modes late

``DIR`` holds a folder a set. Results go to ``benchmarks/results/quality.json`` after every set,
under the fingerprint of the model, so a run that was stopped goes on where it was; figures of
another model stay. Needs ``pip install bm25s PyStemmer`` and the extra ``evaluation``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.encode.machine import describe
from benchmarks.quality.sets import Task, tasks
from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.evaluation import Dataset, Evaluation, compare, evaluate
from lfm2_colbert_rag.evaluation.evaluating import MODES, index_dataset

RESULT = Path(__file__).parents[1] / "results" / "quality.json"
MEASURES = ("nDCG@10", "R@10", "RR@10")
MOST = 700


def fingerprint(encoder: Any) -> str:
    """Return 12 digits that name a model's vectors."""
    text = json.dumps(dict(encoder.fingerprint), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def measure(task: Task, args: argparse.Namespace, encoder: Any) -> dict[str, Any]:
    """Measure one task: every pair, every mode, and bm25s where both languages are one."""
    begun = time.monotonic()
    datasets = task.read(args.data, args.queries)
    pairs: dict[str, Any] = {}
    with index_dataset(datasets[0], encoder, index="exact") as retriever:
        indexed = time.monotonic() - begun
        for pair, dataset in zip(task.languages, datasets, strict=True):
            found = evaluate(retriever, dataset, MEASURES, modes=args.modes, worst=0)
            others, settings = _bm25(dataset, pair) if args.bm25 else ([], None)
            pairs["→".join(pair)] = _entry(found, others, settings)
    return {
        "passages": datasets[0].passages,
        "queries": len(datasets[0].qrels),
        "pairs": pairs,
        "index_seconds": round(indexed, 1),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _bm25(
    dataset: Dataset, pair: tuple[str, str]
) -> tuple[list[Evaluation], dict[str, Any] | None]:
    if pair[0] != pair[1]:
        return [], None
    from benchmarks.quality.bm25 import Bm25, Tokens, Weights

    peer = Bm25(dataset, MEASURES)
    best, settings = peer.best(pair[1])
    return [peer.measure(Tokens(), Weights(), "bm25s"), best], settings


def _entry(
    found: Evaluation, others: Sequence[Evaluation], settings: dict[str, Any] | None
) -> dict[str, Any]:
    results = [*found.modes.values(), *(one.result() for one in others)]
    entry: dict[str, Any] = {
        "systems": {
            result.mode: {
                **{
                    name: [round(value, 4) for value in (mean.mean, mean.low, mean.high)]
                    for name, mean in result.means.items()
                },
                "seconds": round(result.seconds, 1),
            }
            for result in results
        }
    }
    if settings is not None:
        entry["bm25s best settings"] = settings
    named = {**dict.fromkeys(found.modes, found), **{one.result().mode: one for one in others}}
    wanted = (("late", "hybrid"), ("lexical", "hybrid"), ("bm25s", "lexical"),
              ("bm25s best", "lexical"), ("bm25s best", "late"))  # fmt: skip
    entry["differences"] = {
        f"{b} - {a}": {"nDCG@10": round(first.difference, 4), "p": round(first.p, 4)}
        for a, b in wanted
        if a in named and b in named
        for first in compare(named[a], named[b], mode_a=a, mode_b=b)[:1]
    }
    return entry


def _is_done(known: dict[str, Any] | None, args: argparse.Namespace) -> bool:
    if known is None or args.again:
        return False
    return all(
        set(args.modes) <= pair["systems"].keys()
        and (not args.bm25 or "bm25s" in pair["systems"] or len(set(name.split("→"))) > 1)
        for name, pair in known["pairs"].items()
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--model", default="nano", help="anything load_encoder takes")
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--only", nargs="*", help="sets, such as arcd_ar, xquad or xquad/de")
    parser.add_argument("--queries", type=int, default=MOST, help="most queries of a set")
    parser.add_argument("--again", action="store_true", help="measure what is there again")
    parser.add_argument("--no-bm25", dest="bm25", action="store_false", help="leave bm25s out")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    console, encoder = Console(), load_encoder(args.model)
    known = {"models": {}}
    if args.out.exists():
        known = json.loads(args.out.read_text(encoding="utf-8"))
    of_model = known["models"].setdefault(fingerprint(encoder), {"model": args.model, "sets": {}})
    for task in tasks():
        if args.only and not {task.name, task.name.partition("/")[0]} & set(args.only):
            continue
        if not (args.data / task.name.partition("/")[0]).is_dir():
            console.print(f"{task.name}: not there, skipped")
            continue
        if _is_done(of_model["sets"].get(task.name), args):
            console.print(f"{task.name}: measured before, skipped")
            continue
        entry = of_model["sets"][task.name] = measure(task, args, encoder)
        of_model["measured"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        of_model["machine"] = describe()
        names = ("lfm2-colbert-rag", "ir-measures", "bm25s", "numpy")
        of_model["versions"] = {name: _version(name) for name in names}
        args.out.write_text(
            json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        for pair, values in entry["pairs"].items():
            shown = "  ".join(f"{s} {v['nDCG@10'][0]:.3f}" for s, v in values["systems"].items())
            console.print(f"{task.name} {pair}: {shown}")
        console.print(f"{task.name}: {entry['seconds']:.0f} s")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except ModuleNotFoundError:
        return None


if __name__ == "__main__":
    main()
