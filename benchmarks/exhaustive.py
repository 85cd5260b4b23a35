"""Exhaustive MaxSim over a collection with a field a language, for what needs no index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from lfm2_colbert_rag.encoder import Encoder
from lfm2_colbert_rag.index.maxsim import score_block
from lfm2_colbert_rag.types import TokenVectors

TRAINED = ("en", "ar", "de", "es", "zh")
DEPTH = 10

Row = dict[str, Any]


def read_lines(path: Path) -> list[Row]:
    """Read a JSON-lines file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Collection:
    """Passages, queries and the relevant passages of each query.

    Args:
        folder: holds ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.jsonl``.
        most_queries: evenly spaced queries to use; all when 0.
    """

    def __init__(self, folder: Path, most_queries: int) -> None:
        self.name = folder.name
        self.passages = read_lines(folder / "corpus.jsonl")
        queries = read_lines(folder / "queries.jsonl")
        step = max(1, -(-len(queries) // most_queries)) if most_queries else 1
        self.queries = queries[::step]
        place = {row["id"]: number for number, row in enumerate(self.passages)}
        self.relevant: dict[str, set[int]] = {}
        for row in read_lines(folder / "qrels.jsonl"):
            if row.get("score", 1) > 0:
                self.relevant.setdefault(row["query"], set()).add(place[row["doc"]])

    def texts(self, rows: Sequence[Row], field: str) -> list[str]:
        """Return one field of passages or queries; a title joined by ``[SEP]`` gets its line."""
        return [row[field].replace(" [SEP] ", "\n") for row in rows]


class Passages:
    """Encoded passages, laid end to end."""

    def __init__(self, encoded: Sequence[TokenVectors]) -> None:
        self.vectors = np.concatenate([text.vectors for text in encoded])
        self.lengths = np.array([len(text) for text in encoded])

    def best(self, query: TokenVectors) -> list[int]:
        """Return the places of the best passages of a query, best first."""
        scores = score_block(query.vectors, self.vectors, self.lengths)
        return [int(place) for place in np.argsort(-scores, kind="stable")[:DEPTH]]


def measure(collection: Collection, runs: Sequence[Sequence[int]]) -> dict[str, float]:
    """Return the means of nDCG and recall over the queries."""
    gains = 1 / np.log2(np.arange(2, DEPTH + 2))
    ndcg, recall = [], []
    for query, run in zip(collection.queries, runs, strict=True):
        relevant = collection.relevant[query["id"]]
        hits = np.array([place in relevant for place in run], dtype=float)
        ndcg.append((hits * gains[: len(hits)]).sum() / gains[: len(relevant)].sum())
        recall.append(hits.sum() / min(len(relevant), DEPTH))
    return {
        "ndcg@10": round(float(np.mean(ndcg)), 4),
        "recall@10": round(float(np.mean(recall)), 4),
    }


def evaluate(
    encoder: Encoder, collection: Collection, pairs: Sequence[tuple[str, str]], console: Console
) -> dict[str, dict[str, float]]:
    """Measure (query field, passage field) pairs of a collection."""
    results: dict[str, dict[str, float]] = {}
    encoded: dict[str, Passages] = {}
    queries: dict[str, list[TokenVectors]] = {}
    for query_field, passage_field in pairs:
        if passage_field not in encoded:
            texts = collection.texts(collection.passages, passage_field)
            encoded[passage_field] = Passages(encoder.encode_document(texts))
        if query_field not in queries:
            texts = collection.texts(collection.queries, query_field)
            queries[query_field] = encoder.encode_query(texts)
        label = f"{query_field} → {passage_field}"
        runs = [
            encoded[passage_field].best(query)
            for query in track(
                queries[query_field], f"{collection.name} {label}", console=console, transient=True
            )
        ]
        results[label] = measure(collection, runs)
    return results
