"""What token pooling costs in quality and saves in size, with exact vectors and with two bits.

::

    python -m benchmarks.pooling --data DIR --only xquad/en piaf_fr policyqa_test_en
    python -m benchmarks.pooling --data DIR --only --vectors DIR --passages 10000

``--data`` holds a folder a set (:mod:`benchmarks.quality.sets`). ``--vectors`` holds vectors that
``benchmarks.search`` encoded; asked are all judged questions of ``--data`` about these, of a set
``--queries`` at most. Each passage is encoded once, and added to an index for each factor and rule,
which answers first with its vectors as they are and then compressed. The present rule is that of
the library; by "first" distance alone decides, and means have unit length. Bytes are those of all
files of vectors, codebook and spans included, for each vector before pooling; the catalog with its
texts is not counted. Writes ``benchmarks/results/pooling.json``, a case a set, factor and rule.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever, TokenVectors, load_encoder
from lfm2_colbert_rag.evaluation import Dataset, evaluate
from lfm2_colbert_rag.retriever.ingest.pooler import Pooler
from lfm2_colbert_rag.storage.tunings import PoolingRule

from .given import Given, given_dataset
from .harness import Results, command, say
from .quality.sets import tasks
from .remembering import Remembering
from .search.vectors import load_vectors

MEASURE = "nDCG@10"
NBITS = 2
RULES = {"present": PoolingRule(), "first": PoolingRule(same_token=1, common_from=1, shrinking=0)}

Figures = dict[str, Any]


class Pooled:
    """An encoder whose vectors come pooled by a rule, for an index that pools none itself."""

    def __init__(self, encoder: Remembering, pooler: Pooler) -> None:
        self._encoder, self.pooler = encoder, pooler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_document(self, texts: Sequence[str], **options: Any) -> list[TokenVectors]:
        """Encode and pool; what comes first is what the rule is fitted to, as in an index."""
        encoded = self._encoder.encode_document(texts, **options)
        if self.pooler.needs_fit:
            self.pooler.fit(encoded)
        return [self.pooler.pool(one) for one in encoded]


def measure(encoder: Remembering, dataset: Dataset, factor: int, rule: str) -> Figures:
    """Index the passages with one factor, ask every question exactly, and again in few bits."""
    assert dataset.corpus is not None
    model: Any = encoder
    options: Figures = {"nbits": NBITS, "lexical": False, "pool_factor": factor}
    if rule != "present":
        model = Pooled(encoder, Pooler(factor, rule=RULES[rule], fits=True))
        options["pool_factor"] = 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pooled.index"
        with Retriever.open(folder, model=model, storage="exact", **options) as retriever:
            retriever.add_stream(dataset.corpus, progress=False)
            exact, vectors = gain(retriever, dataset), retriever.stats().vectors
        with Retriever.open(folder, model=model, storage="compressed") as retriever:
            stats = retriever.optimize(progress=False)
            packed = gain(retriever, dataset)
    distance = stats.pool_distance
    if rule != "present":
        distance = model.pooler.fitted.get("pool_fit", {}).get("distance")
    return {
        "queries": len(dataset.qrels),
        "passages": dataset.passages,
        "vectors": vectors,
        "share": round(vectors / encoder.vectors, 4),
        "distance": distance,
        "ndcg@10, exact": exact,
        f"ndcg@10, {NBITS} bits": packed if stats.storage == "compressed" else None,
        "bytes_per_original_vector": round(
            stats.bytes_per_vector * stats.vectors / encoder.vectors, 2
        ),
    }


def gain(retriever: Retriever, dataset: Dataset) -> float:
    """Return the mean nDCG@10."""
    found = evaluate(
        dataset=dataset, retriever=retriever, measures=[MEASURE], worst=0, progress=False
    )
    return round(found.mean(MEASURE), 4)


def main() -> None:
    """Run the benchmark."""
    parser = command(
        __doc__, "pooling", "data", vectors=None, passages=10_000, queries=1500, model="nano",
        only=["xquad/en", "piaf_fr", "policyqa_test_en"],
    )  # fmt: skip
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rules", nargs="+", choices=RULES, default=["present"])
    args = parser.parse_args()
    encoder, results, sets = load_encoder(args.model), Results(args.out), []
    for task in (one for one in tasks() if one.name in args.only):
        dataset = task.dataset(args.data, task.own_pair).sample(args.queries)
        sets.append((task.name, Remembering(encoder), dataset))
    if args.vectors is not None:
        vectors = load_vectors(args.vectors).first(args.passages)
        given = Given(encoder, vectors)
        dataset = given_dataset(args.data, vectors, given, args.queries)
        sets.append((f"{args.passages} passages", given, dataset))
    for name, remembering, dataset in sets:
        for factor, rule in itertools.product(args.factors, args.rules):
            if factor > 1 or rule == args.rules[0]:  # nothing is pooled by 1, by whatever rule
                case = f"{name}, factor {factor}" + (f", {rule} rule" if rule != "present" else "")
                results.put(case, measure(remembering, dataset, factor, rule))
                say(case, results.cases[case])


if __name__ == "__main__":
    main()
