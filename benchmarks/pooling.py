"""Measure what token pooling costs in quality and saves in size, with exact vectors and two bits.

::

    python -m benchmarks.pooling --data DIR --only xquad/en piaf_fr policyqa_test_en
    python -m benchmarks.pooling --data DIR --only --vectors DIR --texts FILE --passages 10000

``--data`` holds a folder a set (:mod:`benchmarks.quality.sets`). ``--vectors`` holds vectors that
``benchmarks.search`` encoded, ``--texts`` the JSON list of their passages; asked are all judged
questions of ``--data`` about these, ``--queries`` of a set at most. Each passage is encoded
once, and added through ``Retriever.add_stream`` to an index for each factor and rule, which answers
first with its vectors as they are and then compressed. Bytes are those of all files of vectors,
codebook and spans included, for each vector before pooling; the catalog with its texts is not
counted.
Results go to ``benchmarks/results/pooling.json`` after every factor; other sets' stay, and those of
other factors.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from rich.console import Console

from lfm2_colbert_rag import Passage, Retriever, load_encoder, pooler
from lfm2_colbert_rag.evaluation import Dataset, evaluate
from lfm2_colbert_rag.retriever.ingest.pooling import FIRST_RULE, RULE, PoolingRule
from lfm2_colbert_rag.types import TokenVectors

from .encode.machine import describe
from .quality.sets import tasks
from .remembering import RememberingAll
from .search.corpus import questions_about
from .search.vectors import VectorSet, load_vectors

RESULT = Path(__file__).parent / "results" / "pooling.json"
MEASURE = "nDCG@10"
NBITS = 2
LIKE = 0.05  # coordinates of one text's vectors, encoded twice: int8 depends on the batch
PRESENT = "present"
RULES = {PRESENT: RULE, "first": FIRST_RULE}

Row = dict[str, Any]


class Given(RememberingAll):
    """Vectors that were encoded before, as an encoder; each text is a window of its own.

    Spans were not recorded, and are made up: as even as the characters of the text allow.
    """

    def __init__(self, encoder: Any, vectors: VectorSet, texts: Sequence[str]) -> None:
        super().__init__(encoder)
        ends = vectors.offsets.tolist()
        for text, start, end in zip(texts, ends, ends[1:], strict=False):
            borders = np.linspace(0, len(text), end - start, dtype=np.int32)
            self.documents[text] = TokenVectors(
                vectors.vectors[start:end].astype(np.float32),
                vectors.token_ids[start:end],
                np.stack((np.append(0, borders[:-1]), borders), axis=1).astype(np.int32),
            )

    def token_spans(self, texts: Sequence[str]) -> list[Any]:
        """Return the spans of the vectors, which are no more than there is room for."""
        return [self.documents[text].spans[: self.document_room] for text in texts]


def given_dataset(
    evaluation: Path, folder: Path, texts: Sequence[str], encoder: Given, most: int
) -> Dataset:
    """Return the judged questions about passages whose vectors are given.

    Raises:
        SystemExit: the vectors are of another model than the encoder.
    """
    asked: list[str] = json.loads((folder / "corpus.json").read_text("utf-8"))["questions"][:1]
    stored = load_vectors(folder).queries[0].astype(np.float32)
    encoded = encoder.encode_query(asked)[0].vectors
    if encoded.shape != stored.shape or np.abs(encoded - stored).max() > LIKE:
        raise SystemExit(f"{folder} holds vectors of another model; encode its passages again.")
    about = questions_about(evaluation, texts, most)
    corpus = [Passage(str(place), text, {}) for place, text in enumerate(texts)]
    queries = {str(number): question for number, (question, _) in enumerate(about)}
    qrels = {
        str(number): {str(place): 1 for place in places} for number, (_, places) in enumerate(about)
    }
    return Dataset(corpus, queries, qrels, name=f"{len(texts):,} passages")


def measure(encoder: RememberingAll, dataset: Dataset, factor: int, rule: PoolingRule) -> Row:
    """Index the passages with one factor, ask every question exactly, and again in few bits."""
    assert dataset.corpus is not None
    folder = Path(tempfile.mkdtemp()) / "pooled.index"
    try:
        options: Row = {"pool_factor": factor, "nbits": NBITS, "lexical": False}
        with (
            mock.patch.object(pooler, "RULE", rule),
            Retriever.open(folder, model=encoder, index="exact", **options) as retriever,
        ):
            retriever.add_stream(dataset.corpus, progress=False)
            exact, vectors = gain(retriever, dataset), retriever.stats(measure=False).vectors
        with Retriever.open(folder, model=encoder, index="compressed") as retriever:
            stats = retriever.optimize(progress=False)
            packed = gain(retriever, dataset)
    finally:
        shutil.rmtree(folder.parent)
    originals = encoder.vectors
    return {
        "vectors": vectors,
        "share": round(vectors / originals, 4),
        "distance": stats.pool_distance,
        "ndcg@10, exact": exact,
        f"ndcg@10, {NBITS} bits": packed if stats.index == "compressed" else None,
        "bytes_per_original_vector": round(stats.bytes_per_vector * stats.vectors / originals, 2),
    }


def gain(retriever: Retriever, dataset: Dataset) -> float:
    """Return the mean nDCG@10."""
    return round(evaluate(dataset, retriever, [MEASURE], worst=0, progress=False).mean(MEASURE), 4)


def record(
    name: str,
    encoder: RememberingAll,
    dataset: Dataset,
    factors: Sequence[int],
    rules: Sequence[str],
) -> None:
    """Measure every factor by every rule, print it, and keep it."""
    asked = {"queries": len(dataset.qrels), "passages": dataset.passages}
    for factor, rule in itertools.product(factors, rules):
        if factor == 1 and rule != rules[0]:
            continue  # nothing is pooled, by whatever rule
        key = str(factor) if rule == PRESENT else f"{factor}, {rule} rule"
        row = measure(encoder, dataset, factor, RULES[rule])
        Console().print(name, key, row)
        keep(name, asked, {key: row})


def keep(name: str, asked: Row, measured: Row) -> None:
    """Put rows among the results; those of the set's other factors stay if as much was asked."""
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    sets = known.get("sets", {})
    before = sets.get(name, {})
    others = before["factors"] if before.items() >= asked.items() else {}
    sets[name] = asked | {"factors": others | measured}
    report = {"machine": describe(), "sets": sets}
    RESULT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--only", nargs="*", default=["xquad/en", "piaf_fr", "policyqa_test_en"])
    parser.add_argument("--model", default="nano", help="anything load_encoder takes")
    parser.add_argument("--queries", type=int, default=1500, help="asked of a set at most")
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rules", nargs="+", choices=RULES, default=[PRESENT])
    parser.add_argument("--vectors", type=Path, help="folder of vectors encoded before")
    parser.add_argument("--texts", type=Path, help="their passages, a JSON list")
    parser.add_argument("--passages", type=int, default=10_000, help="how many of them")
    args = parser.parse_args()
    encoder = load_encoder(args.model)
    for task in (one for one in tasks() if one.name in args.only):
        language = task.name.partition("/")[2]
        pair = (language, language) if language else task.languages[0]
        dataset = task.dataset(args.data, pair).sample(args.queries)
        record(task.name, RememberingAll(encoder), dataset, args.factors, args.rules)
    if args.vectors is not None:
        texts = json.loads(args.texts.read_text(encoding="utf-8"))[: args.passages]
        given = Given(encoder, load_vectors(args.vectors).first(args.passages), texts)
        dataset = given_dataset(args.data, args.vectors, texts, given, args.queries)
        record(f"{args.passages} passages", given, dataset, args.factors, args.rules)


if __name__ == "__main__":
    main()
