"""Everything that a retriever can be asked without writing, and a process that may not write.

Run as a script with two folders, of which the second may not be written, it warms itself on the
first, gives up its rights, and then asks the second.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ReadOnlyError
from lfm2_colbert_rag.evaluation import Dataset, evaluate

NOBODY = 65534
QUERY = "w1 w2 w3"
MODES = ("late", "lexical", "hybrid")
WRITES: dict[str, Callable[[Retriever], Any]] = {
    "add": lambda r: r.add(["new"], ids=["new"]),
    "add_stream": lambda r: r.add_stream([{"id": "new", "text": "new"}]),
    "add_vectors": lambda r: r.add_vectors([[[1.0] * 32]], ["new"]),
    "delete": lambda r: r.delete(["s0-1"]),
    "delete where": lambda r: r.delete(all=True),
    "optimize": lambda r: r.optimize(),
    "purge": lambda r: r.purge(),
    "add to a view": lambda r: r.view(tenant="acme").add(["new"], ids=["new"]),
    "delete from a view": lambda r: r.view(tenant="acme").delete(all=True),
    "create_filter_index": lambda r: r.create_filter_index("seed"),
    "drop_filter_index": lambda r: r.drop_filter_index("seed"),
    "tune_fusion": lambda r: r.tune_fusion(
        {f"q{n}": "w1 w2" for n in range(8)}, {f"q{n}": {"s0-1": 1} for n in range(8)}
    ),
}


def read_everything(retriever: Retriever) -> dict[str, Any]:
    """Ask all that can be asked, and return the answers as JSON."""
    answers: dict[str, Any] = {"read_only": retriever.read_only}
    for mode in MODES:
        hits = retriever.search(QUERY, 5, mode=mode, where={"seed": 0})
        answers[mode] = [(hit.id, hit.score, hit.relevance) for hit in hits]
        answers[f"evidence of {mode}"] = [len(hit.evidence) for hit in hits]
        answers[f"plan of {mode}"] = retriever.plan(QUERY, mode=mode).to_dict()
    best = answers["late"][0][0]
    answers["explained"] = retriever.explain(QUERY, best).score
    answers["diverse"] = [hit.id for hit in retriever.search(QUERY, 3, diversity=0.5)]
    answers["reranked"] = [hit.id for hit in retriever.rerank(QUERY, ["w9", "w2 w1"])]
    answers["counts"] = [len(retriever), retriever.count({"seed": 0}), best in retriever]
    answers["fetched"] = [one.text for one in retriever.get([best, "gone"])]
    answers["listed"] = [one.id for one in retriever.passages(limit=3)]
    answers["vectors"] = [len(one) for one in retriever.vectors([best])[0]]
    view = retriever.view(tenant="acme")
    answers["of a view"] = [len(view), *(len(view.search(QUERY, mode=mode)) for mode in MODES)]
    answers["fields"] = retriever.filter_indexes()
    answers["passages"] = retriever.stats().passages
    answers["problems"] = retriever.verify()
    dataset = Dataset(None, {"q": QUERY}, {"q": {best: 1}})
    answers["evaluated"] = evaluate(
        dataset=dataset, retriever=retriever, modes=MODES, progress=False
    ).mean("nDCG@10")
    return answers


def refused(retriever: Retriever) -> list[str]:
    """Try every write, and name those that are refused as they should be."""
    names = []
    for name, write in WRITES.items():
        try:
            write(retriever)
        except ReadOnlyError:
            names.append(name)
    return names


def main(warm: str, protected: str) -> None:
    """Read one index with all rights, and then the other one without."""
    with Retriever.open(warm) as retriever:
        read_everything(retriever)
        retriever.measure_recall(sample=3)
    with Retriever.open(warm, read_only=True) as retriever:
        refused(retriever)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        (Path(protected) / "file").touch()
        sys.exit("the folder can be written after all")
    except PermissionError:
        pass
    with Retriever.open(protected) as retriever:
        answers = read_everything(retriever)
        answers["measured"] = retriever.measure_recall(sample=3).queries
        json.dump({"answers": answers, "refused": refused(retriever)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
