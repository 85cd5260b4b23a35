"""Measure the lexical leg beside bm25s, as it comes and at its best, on all queries.

::

    python -m benchmarks.quality.words --data DIR
    python -m benchmarks.quality.words --data DIR --only cranfield xquad/vi --again

No model has a part in it, so these figures stay when the model changes. Results go to
``benchmarks/results/words.json`` after every set; what is there is skipped. Looking for the best
settings of bm25s takes most of the time: those found before are used again, unless ``--grid`` is
given.
Needs ``pip install bm25s PyStemmer`` and the extra ``evaluation``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.quality.bm25 import Bm25 as Peer
from benchmarks.quality.bm25 import Tokens, Weights
from benchmarks.quality.record import Record, show_means
from benchmarks.quality.sets import MONOLINGUAL, Task, tasks
from lfm2_colbert_rag.evaluation import Dataset, Evaluation, compare, score_run
from lfm2_colbert_rag.evaluation.runs import keep_order
from lfm2_colbert_rag.index.lexical.analyser import VERSION, weigh
from lfm2_colbert_rag.index.lexical.bm25 import Bm25
from lfm2_colbert_rag.index.lexical.postings import LENGTHS, Postings

RESULT = Path(__file__).parents[1] / "results" / "words.json"
MEASURES = ("nDCG@10", "R@10", "RR@10")
DEPTH = 10
# Settings are chosen on so many of the queries, evenly spaced, where a set has more.
TRIED = 1000


def own(dataset: Dataset) -> Evaluation:
    """Measure our own leg: its terms, its lists and its scores, without the folder around them."""
    passages = list(dataset.corpus or ())
    lists = {
        term: (rows, counts)
        for term, rows, counts in Postings.of([passage.text for passage in passages])
    }
    index = Bm25(np.arange(len(passages)), lists[LENGTHS])
    run = {}
    for id, query in dataset.judged().items():
        found = index.search(lists, weigh(query), DEPTH)
        best = zip(found.rows[:DEPTH].tolist(), found.scores[:DEPTH].tolist(), strict=True)
        run[id] = keep_order((passages[row].id, score) for row, score in best)
    return score_run(run, dataset, MEASURES, mode="lexical", model="lexical")


def measure(
    dataset: Dataset, language: str, settings: tuple[Tokens, Weights] | None
) -> dict[str, Any]:
    """Measure one set, and compare query by query."""
    begun = time.monotonic()
    chosen = settings or Peer(dataset.sample(TRIED), MEASURES).best(language)
    peer = Peer(dataset, MEASURES)
    found = {
        "lexical": own(dataset),
        "bm25s": peer.measure(Tokens(), Weights(), "bm25s"),
        "bm25s best": peer.measure(*chosen, "bm25s best"),
    }
    against = {
        name: compare(found[name], found["lexical"], mode_a=name, mode_b="lexical")[0]
        for name in ("bm25s", "bm25s best")
    }
    return {
        "passages": dataset.passages,
        "queries": len(dataset.qrels),
        "systems": {name: show_means(one.result()) for name, one in found.items()},
        "differences": {
            f"lexical - {name}": {"nDCG@10": round(one.difference, 4), "p": round(one.p, 4)}
            for name, one in against.items()
        },
        "settings": {"tokens": vars(chosen[0]), "weights": vars(chosen[1])},
        "analyser": VERSION,
        "seconds": round(time.monotonic() - begun, 1),
    }


def wanted(only: list[str] | None) -> Iterator[tuple[Task, str]]:
    """Yield each task with passages in the language of its queries, and that language."""
    for task in tasks():
        folder, _, language = task.name.partition("/")
        if not only or {task.name, folder} & set(only):
            yield task, language or MONOLINGUAL[folder].language


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--only", nargs="*", help="sets, such as cranfield, xquad or xquad/de")
    parser.add_argument("--again", action="store_true", help="measure what is there again")
    parser.add_argument("--grid", action="store_true", help="look for bm25s's settings again")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    console, record = Console(), Record(args.out, {"sets": {}})
    for task, language in wanted(args.only):
        before = record.values["sets"].get(task.name, {})
        if not task.is_in(args.data) or (before.get("analyser") == VERSION and not args.again):
            console.print(f"{task.name}: {'measured before' if before else 'not there'}, skipped")
            continue
        known = before.get("settings")
        settings = None
        if known and not args.grid:
            settings = Tokens(**known["tokens"]), Weights(**known["weights"])
        dataset = task.dataset(args.data, (language, language))
        entry = record.values["sets"][task.name] = measure(dataset, language, settings)
        record.write(record.values)
        shown = "  ".join(f"{s} {v['nDCG@10'][0]:.4f}" for s, v in entry["systems"].items())
        console.print(f"{task.name}: {shown}  ({entry['seconds']:.0f} s)")


if __name__ == "__main__":
    main()
