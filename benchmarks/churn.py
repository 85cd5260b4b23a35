"""An index whose passages come and go, and one whose documents change their language.

*Churn*: half of the passages are replaced, a fiftieth of them a round. Now and then the recall that
the index reports of itself is compared with the truth, which is exact float32 MaxSim over vectors
that the script has kept; at the end, with that of an index made afresh from the same passages.

*Drift*: an index of texts in Latin script is given texts in Arabic, Chinese, Japanese and Korean.
The alarm should go off, and ``optimize()`` should cure what it is about::

    python -m benchmarks.churn --vectors DIR --scratch DIR

The vector set needs at least three times as many passages as the index is to have. Writes
``benchmarks/results/churn.json``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lfm2_colbert_rag import Retriever

from .harness import Clock, Results, command, say
from .search.quality import exact_scores
from .search.vectors import VectorSet, add_places, load_vectors

ROUNDS, LOOKS, K = 50, 25, 10
# Questions whose answers are compared with the truth, and queries by which the index judges itself.
QUERIES, SAMPLE = 300, 60
# Shares of characters from where the scripts of Latin letters end.
OTHER_SCRIPTS, OTHER_SHARE = "\u0590", 0.3

Figures = dict[str, Any]
Places = npt.NDArray[np.int64]


class Truth:
    """Exact scores of every passage for every question."""

    def __init__(self, vectors: VectorSet) -> None:
        self.questions = vectors.questions[:QUERIES]
        self._scores = exact_scores(vectors, vectors.queries[:QUERIES])

    def recall(self, retriever: Retriever, live: Places) -> float:
        """Share of the best ten live passages that searches find."""
        shares = []
        for scores, question in zip(self._scores, self.questions, strict=True):
            best = live[np.argsort(-scores[live], kind="stable")[:K]]
            found = {int(hit.id) for hit in retriever.search(question, K)}
            shares.append(len(found & set(best.tolist())) / K)
        return float(np.mean(shares))


def look(retriever: Retriever, truth: Truth, live: Places) -> Figures:
    """Compare what an index says of itself with the truth."""
    true = truth.recall(retriever, live)
    told = retriever.measure_recall(sample=SAMPLE)
    stats = retriever.stats()
    return {
        "recall": true, "reported": told.recall, "low": told.low, "high": told.high,
        "segments": stats.segments, "deleted": stats.deleted, "drift": stats.drift,
        "optimize_due": stats.optimize_due,
    }  # fmt: skip


def churn(vectors: VectorSet, truth: Truth, scratch: Path, start: int) -> Figures:
    """Replace half of the passages in rounds."""
    chance = np.random.default_rng(0)
    live = np.arange(start)
    step = start // 2 // ROUNDS
    looks, clock = [], Clock()
    with Retriever.open(scratch / "churn.index", model="nano", storage="compressed") as retriever:
        add_places(retriever, vectors, live, texts=True)
        looks.append({"round": 0, **look(retriever, truth, live)})
        for number in range(1, ROUNDS + 1):
            gone = chance.choice(live[live < start], step, replace=False)
            fresh = np.arange(start + (number - 1) * step, start + number * step)
            with clock:
                retriever.delete([str(place) for place in gone])
                add_places(retriever, vectors, fresh, texts=True)
            live = np.concatenate((np.setdiff1d(live, gone), fresh))
            if number % LOOKS == 0:
                looks.append({"round": number, **look(retriever, truth, live)})
                say(looks[-1])
    with Retriever.open(scratch / "fresh.index", model="nano", storage="compressed") as retriever:
        add_places(retriever, vectors, live, texts=True)
        fresh_look = look(retriever, truth, live)
    return {
        "passages": start, "replaced": ROUNDS * step, "rounds": ROUNDS, "looks": looks,
        "cpu_seconds_a_round": clock.cpu_seconds / ROUNDS, "fresh": fresh_look,
    }  # fmt: skip


def drift(vectors: VectorSet, truth: Truth, scratch: Path, size: int) -> Figures:
    """Bring passages in other scripts to an index of texts in Latin letters."""
    others = np.array([_other_script(text) for text in vectors.texts])
    first = np.flatnonzero(~others)[:size]
    second = np.flatnonzero(others)[:size]
    both, result = np.concatenate((first, second)), {}
    with Retriever.open(scratch / "drift.index", model="nano", storage="compressed") as retriever:
        add_places(retriever, vectors, first, texts=True)
        result["before"] = look(retriever, truth, first)
        add_places(retriever, vectors, second, texts=True)
        result["shifted"] = look(retriever, truth, both)
        with Clock() as clock:
            retriever.optimize(progress=False)
        result["optimize_seconds"] = clock.seconds
        result["optimized"] = look(retriever, truth, both)
    with Retriever.open(scratch / "both.index", model="nano", storage="compressed") as retriever:
        chosen = np.random.default_rng(1).permutation(both)
        add_places(retriever, vectors, chosen, texts=True)
        result["fresh"] = look(retriever, truth, chosen)
    return {"latin": len(first), "other scripts": len(second), **result}


def _other_script(text: str) -> bool:
    return sum(sign >= OTHER_SCRIPTS for sign in text) > OTHER_SHARE * len(text)


def main() -> None:
    """Run both, and write the results."""
    args = command(__doc__, "churn", "vectors", "scratch", passages=10_000).parse_args()
    scratch = args.scratch / "churn"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    vectors = load_vectors(args.vectors)
    # Enough for the passages that come, and for as many in other scripts.
    vectors = vectors.first(min(len(vectors.texts), 3 * args.passages))
    truth = Truth(vectors)
    results = Results(args.out, queries=len(truth.questions))
    results.put("churn", churn(vectors, truth, scratch, args.passages))
    results.put("drift", drift(vectors, truth, scratch, args.passages // 2))
    say(results.cases["drift"])


if __name__ == "__main__":
    main()
