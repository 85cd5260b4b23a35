"""An index whose passages come and go, and one whose documents change their language.

*Churn*: half of the passages are replaced, a fiftieth of them a round. Now and then the recall that
the index reports of itself is compared with the truth, which is exact float32 MaxSim over vectors
that the script has kept; at the end, with that of an index made afresh from the same passages.

*Drift*: an index of texts in Latin script is given texts in Arabic, Chinese, Japanese and Korean.
The alarm should go off, and ``optimize()`` should cure what it is about::

    python -m benchmarks.churn --vectors DIR --evaluation DIR --parallel DIR --scratch DIR

``--vectors`` is a folder of :mod:`benchmarks.search.vectors`, of at least three times as many
passages as the index is to have, of the corpus of :mod:`benchmarks.search.corpus`. Writes
``benchmarks/results/churn.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from lfm2_colbert_rag import Retriever

from .encode.machine import describe
from .search.corpus import remembered_texts
from .search.vectors import VectorSet, load_vectors

RESULT = Path(__file__).parent / "results" / "churn.json"
ROUNDS, LOOKS, K = 50, 25, 10
# Questions whose answers are compared with the truth, and queries by which the index judges itself.
QUERIES, SAMPLE = 300, 60
# Shares of characters from where the scripts of Latin letters end.
FOREIGN, FOREIGN_SHARE = "\u0590", 0.3

Result = dict[str, Any]
Places = npt.NDArray[np.int64]


class Truth:
    """Exact scores of every passage for every question."""

    def __init__(self, vectors: VectorSet, questions: Sequence[str]) -> None:
        self.questions = list(questions[:QUERIES])
        rows = vectors.queries[:QUERIES]
        ends = np.cumsum([len(one) for one in rows])[:-1]
        joined, parts = np.concatenate(rows), []
        for start in range(0, len(vectors.lengths), 500):
            offsets = vectors.offsets[start : start + 501]
            block = np.asarray(vectors.vectors[offsets[0] : offsets[-1]], np.float32)
            near = np.maximum.reduceat(joined @ block.T, offsets[:-1] - offsets[0], axis=1)
            parts.append(np.add.reduceat(near, np.concatenate(([0], ends)), axis=0))
        self._scores = np.concatenate(parts, axis=1)

    def recall(self, retriever: Retriever, live: Places) -> float:
        """Share of the best ten live passages that searches find."""
        shares = []
        for scores, question in zip(self._scores, self.questions, strict=True):
            best = live[np.argsort(-scores[live], kind="stable")[:K]]
            found = {int(hit.id) for hit in retriever.search(question, K)}
            shares.append(len(found & set(best.tolist())) / K)
        return float(np.mean(shares))


def add(retriever: Retriever, vectors: VectorSet, texts: Sequence[str], places: Places) -> None:
    """Add passages by their place."""
    offsets = vectors.offsets
    slices = [slice(int(offsets[place]), int(offsets[place + 1])) for place in places]
    retriever.add_vectors(
        [np.asarray(vectors.vectors[part], np.float32) for part in slices],
        [texts[place] for place in places],
        ids=[str(place) for place in places],
        token_ids=[vectors.token_ids[part] for part in slices],
        progress=False,
    )


def look(retriever: Retriever, truth: Truth, live: Places) -> Result:
    """Compare what an index says of itself with the truth."""
    true = truth.recall(retriever, live)
    told = retriever.measure_recall(sample=SAMPLE)
    stats = retriever.stats(measure=False)
    return {
        "recall": true, "reported": told.recall, "low": told.low, "high": told.high,
        "segments": stats.segments, "deleted": stats.deleted, "drift": stats.drift,
        "optimize_due": stats.optimize_due,
    }  # fmt: skip


def churn(
    vectors: VectorSet, texts: Sequence[str], truth: Truth, scratch: Path, start: int
) -> Result:
    """Replace half of the passages in rounds."""
    chance = np.random.default_rng(0)
    live = np.arange(start)
    step = start // 2 // ROUNDS
    looks, seconds = [], 0.0
    with Retriever.open(scratch / "churn.index", model="nano", index="compressed") as retriever:
        add(retriever, vectors, texts, live)
        looks.append({"round": 0, **look(retriever, truth, live)})
        for number in range(1, ROUNDS + 1):
            gone = chance.choice(live[live < start], step, replace=False)
            fresh = np.arange(start + (number - 1) * step, start + number * step)
            began = time.process_time()
            retriever.delete([str(place) for place in gone])
            add(retriever, vectors, texts, fresh)
            seconds += time.process_time() - began
            live = np.concatenate((np.setdiff1d(live, gone), fresh))
            if number % LOOKS == 0:
                looks.append({"round": number, **look(retriever, truth, live)})
                Console().log(looks[-1])
    with Retriever.open(scratch / "fresh.index", model="nano", index="compressed") as retriever:
        add(retriever, vectors, texts, live)
        fresh_look = look(retriever, truth, live)
    return {
        "passages": start, "replaced": ROUNDS * step, "rounds": ROUNDS, "looks": looks,
        "cpu_seconds_a_round": seconds / ROUNDS, "fresh": fresh_look,
    }  # fmt: skip


def drift(
    vectors: VectorSet, texts: Sequence[str], truth: Truth, scratch: Path, size: int
) -> Result:
    """Bring passages in other scripts to an index of texts in Latin letters."""
    foreign = np.array([_is_foreign(text) for text in texts])
    first = np.flatnonzero(~foreign)[:size]
    second = np.flatnonzero(foreign)[:size]
    both, result = np.concatenate((first, second)), {}
    with Retriever.open(scratch / "drift.index", model="nano", index="compressed") as retriever:
        add(retriever, vectors, texts, first)
        result["before"] = look(retriever, truth, first)
        add(retriever, vectors, texts, second)
        result["shifted"] = look(retriever, truth, both)
        began = time.perf_counter()
        retriever.optimize(progress=False)
        result["optimize_seconds"] = time.perf_counter() - began
        result["optimized"] = look(retriever, truth, both)
    with Retriever.open(scratch / "both.index", model="nano", index="compressed") as retriever:
        add(retriever, vectors, texts, chosen := np.random.default_rng(1).permutation(both))
        result["fresh"] = look(retriever, truth, chosen)
    return {"latin": len(first), "other scripts": len(second), **result}


def _is_foreign(text: str) -> bool:
    return sum(sign >= FOREIGN for sign in text) > FOREIGN_SHARE * len(text)


def main() -> None:
    """Run both, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--evaluation", type=Path, required=True)
    parser.add_argument("--parallel", type=Path, required=True)
    parser.add_argument("--size", type=int, default=100_000, help="passages of the vectors' corpus")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=10_000, help="of the index")
    args = parser.parse_args()
    shutil.rmtree(args.scratch, ignore_errors=True)
    args.scratch.mkdir(parents=True)
    texts = remembered_texts(args.scratch.parent, args.evaluation, args.parallel, args.size)
    told = json.loads((args.vectors / "corpus.json").read_text(encoding="utf-8"))
    vectors = load_vectors(args.vectors)
    # Enough for the passages that come, and for as many in other scripts.
    size = min(len(texts), 3 * args.passages)
    vectors, texts = vectors.first(size), texts[:size]
    kept = [q for q, places in zip(told["questions"], told["relevant"], strict=True)
            if any(place < size for place in places)]  # fmt: skip
    truth = Truth(vectors, kept)
    result = {
        "machine": describe(),
        "queries": len(truth.questions),
        "churn": churn(vectors, texts, truth, args.scratch, args.passages),
        "drift": drift(vectors, texts, truth, args.scratch, args.passages // 2),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    Console().print_json(json.dumps(result["drift"]))


if __name__ == "__main__":
    main()
