"""Measure late, lexical and hybrid search, and weights that were learned from 30 queries.

::

    python benchmarks/hybrid.py --data DIR [--model nano]

Every set is asked in its own language, and XQuAD in each of five languages for passages in each of
the others. Weights are learned from 30 queries drawn at random and measured on all others, five
times. Writes ``benchmarks/results/hybrid.json`` set by set; ``--again`` measures what is there
already once more, which a new model calls for.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from retrieval_sets import NAMES, PAIRS, RetrievalSet, mean_ndcg, read_set
from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.fusing import learn, weights
from lfm2_colbert_rag.fusion import Fusion
from lfm2_colbert_rag.legs import fused

RESULT = Path(__file__).parent / "results" / "hybrid.json"
DRAWS, DRAWN = 5, 30


def measure(data: RetrievalSet, model: str) -> dict[str, Any]:
    """Measure all ways of searching one set."""
    begun = time.perf_counter()
    ids = [str(place) for place in range(len(data.passages))]
    with Retriever.from_texts(data.passages, ids=ids, model=model, progress=False) as retriever:
        snapshot, legs = retriever._store.snapshot(), retriever._legs
        rows = retriever._store.catalog.rows_by_id(ids, snapshot.generation)
        place = {row: int(id) for id, row in rows.items()}
        runs: dict[str, list[list[int]]] = {"late": [], "lexical": [], "hybrid": [], "ranks": []}
        table = np.empty((len(data.queries), len(weights())))
        vectors = [one.vectors for one in retriever.encoder.encode_query(data.queries)]
        for number, query in enumerate(data.queries):
            (found,) = legs.candidates(snapshot, [(query, vectors[number])], 10)
            shared = np.flatnonzero(found.lexical > 0)
            best = shared[np.argsort(-found.lexical[shared], kind="stable")]
            late = np.argsort(-found.late.scores, kind="stable")
            ranked = {
                "late": found.late.rows[late],
                "lexical": found.late.rows[best],
                "hybrid": fused(found, Fusion()).rows,
                "ranks": fused(found, Fusion("ranks", weight=1.0)).rows,
            }
            for name, one in ranked.items():
                runs[name].append([place[row] for row in one[:10].tolist()])
            for column, weight in enumerate(weights()):
                run = fused(found, Fusion(weight=weight)).rows[:10]
                one = RetrievalSet("", "", [], [], [data.grades[number]])
                table[number, column] = mean_ndcg([[place[row] for row in run.tolist()]], one)
    scores = {name: round(mean_ndcg(one, data), 4) for name, one in runs.items()}
    return {
        "passages": len(data.passages),
        "queries": len(data.queries),
        "ndcg@10": scores,
        "learned": learned(table),
        "by_weight": dict(
            zip(map("{:.3g}".format, weights()), table.mean(axis=0).round(4).tolist(), strict=True)
        ),
        "seconds": round(time.perf_counter() - begun, 1),
    }


def learned(table: np.ndarray) -> dict[str, Any]:
    """Learn from a few queries and measure on the rest, several times."""
    usual = weights().index(min(weights(), key=lambda weight: abs(weight - Fusion().weight)))
    chance, default, held_out, adopted = np.random.default_rng(11), [], [], 0
    for _ in range(DRAWS):
        drawn = np.zeros(len(table), dtype=bool)
        drawn[chance.choice(len(table), DRAWN, replace=False)] = True
        report = learn(table[drawn], 5)
        adopted += report.adopted
        default.append(table[~drawn, usual].mean())
        held_out.append(table[~drawn, weights().index(report.fusion.weight)].mean())
    return {
        "default_on_the_rest": round(float(np.mean(default)), 4),
        "learned_on_the_rest": round(float(np.mean(held_out)), 4),
        "adopted": f"{adopted} of {DRAWS}",
    }


def show(results: dict[str, Any]) -> None:
    """Print the results as a table."""
    table = Table("set", "late", "lexical", "hybrid", "by ranks", "default", "learned")
    for name, entry in results["sets"].items():
        scores, rest = entry["ndcg@10"], entry["learned"]
        values = [scores[one] for one in ("late", "lexical", "hybrid", "ranks")]
        values += [rest["default_on_the_rest"], rest["learned_on_the_rest"]]
        table.add_row(name, *(f"{value:.4f}" for value in values))
    Console().print(table)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--model", default="nano", help="anything load_encoder takes")
    parser.add_argument("--only", nargs="*", default=(*NAMES, *PAIRS), help="names of sets")
    parser.add_argument("--queries", type=int, default=400, help="most queries of a set; 0: all")
    parser.add_argument("--again", action="store_true", help="measure again what is there")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    results = {"model": args.model, "queries_at_most": args.queries, "sets": {}}
    if args.out.exists() and not args.again:
        results = json.loads(args.out.read_text("utf-8"))
    for name in args.only:
        if name not in results["sets"]:
            data = read_set(args.data, name, args.queries)
            results["sets"][name] = measure(data, args.model)
            args.out.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", "utf-8")
    show(results)


if __name__ == "__main__":
    main()
