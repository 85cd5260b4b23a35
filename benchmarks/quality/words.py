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

from typing import Any

import numpy as np

from lfm2_colbert_rag.evaluation import Dataset, Evaluation, score_run
from lfm2_colbert_rag.evaluation.runs import keep_order
from lfm2_colbert_rag.index.lexical.analyser import VERSION, weigh
from lfm2_colbert_rag.index.lexical.bm25 import Bm25
from lfm2_colbert_rag.index.lexical.inversion import invert_texts
from lfm2_colbert_rag.index.lexical.postings import LENGTHS

from ..harness import Clock, Results, command, say
from .bm25 import Bm25 as Peer
from .bm25 import Tokens, Weights
from .measured import differences, means
from .sets import tasks

MEASURES = ("nDCG@10", "R@10", "RR@10")
DEPTH = 10
# Settings are chosen on so many of the queries, evenly spaced, where a set has more.
TRIED = 1000


def own(dataset: Dataset) -> Evaluation:
    """Measure our own leg: its terms, its lists and its scores, without the folder around them."""
    passages = list(dataset.corpus or ())
    lists = {
        term: (rows, counts)
        for term, rows, counts in invert_texts([passage.text for passage in passages])
    }
    index = Bm25(np.arange(len(passages)), lists[LENGTHS])
    run = {}
    for id, query in dataset.judged().items():
        found = index.search(lambda _: lists, weigh(query), DEPTH)
        best = zip(found.rows[:DEPTH].tolist(), found.scores[:DEPTH].tolist(), strict=True)
        run[id] = keep_order((passages[row].id, score) for row, score in best)
    return score_run(run, dataset, MEASURES, mode="lexical", model="lexical")


def measure(
    dataset: Dataset, language: str, settings: tuple[Tokens, Weights] | None
) -> dict[str, Any]:
    """Measure one set, and compare query by query."""
    with Clock() as clock:
        chosen = settings or Peer(dataset.sample(TRIED), MEASURES).best(language)
        peer = Peer(dataset, MEASURES)
        found = {
            "lexical": own(dataset),
            "bm25s": peer.measure(Tokens(), Weights(), "bm25s"),
            "bm25s best": peer.measure(*chosen, "bm25s best"),
        }
    return {
        "passages": dataset.passages,
        "queries": len(dataset.qrels),
        "systems": {name: means(one) for name, one in found.items()},
        "differences": differences(found, "lexical", ("bm25s", "bm25s best")),
        "settings": {"tokens": vars(chosen[0]), "weights": vars(chosen[1])},
        "analyser": VERSION,
        "seconds": round(clock.seconds, 1),
    }


def main() -> None:
    """Run the benchmark."""
    parser = command(__doc__, "words", "data", only=None, again=False)
    parser.add_argument("--grid", action="store_true", help="look for bm25s's settings again")
    args = parser.parse_args()
    results = Results(args.out)
    for task in tasks():
        if not task.name.startswith(tuple(args.only or ("",))):
            continue
        before = results.cases.get(task.name, {})
        if not task.is_in(args.data) or (before.get("analyser") == VERSION and not args.again):
            say(f"{task.name}: {'measured before' if before else 'not there'}, skipped")
            continue
        known, settings = before.get("settings"), None
        if known and not args.grid:
            settings = Tokens(**known["tokens"]), Weights(**known["weights"])
        dataset = task.dataset(args.data, task.own_pair)
        entry = measure(dataset, task.own_pair[0], settings)
        results.put(task.name, entry)
        shown = "  ".join(f"{s} {v['nDCG@10'][0]:.4f}" for s, v in entry["systems"].items())
        say(f"{task.name}: {shown}  ({entry['seconds']:.0f} s)")


if __name__ == "__main__":
    main()
