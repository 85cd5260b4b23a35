"""The evaluation sets that several benchmarks measure on, and nDCG@10.

A folder holds a folder a set with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.jsonl``. XQuAD
has a field for each of its languages; ``xquad:de`` asks and answers in German, ``xquad:de>en`` asks
in German for English passages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LANGUAGES = ("en", "ar", "de", "el", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
CROSSED = ("en", "de", "es", "zh", "ar")
MONOLINGUAL = {
    "arcd_ar": "ar",
    "cmrc2018_zh": "zh",
    "cranfield": "en",
    "jsquad_ja": "ja",
    "piaf_fr": "fr",
    "policyqa_test_en": "en",
    "scifact": "en",
}
NAMES = (*MONOLINGUAL, *(f"xquad:{language}" for language in LANGUAGES))
PAIRS = tuple(f"xquad:{q}>{p}" for q in CROSSED for p in CROSSED if q != p)
DISCOUNTS = 1 / np.log2(np.arange(2, 12))


@dataclass(frozen=True)
class RetrievalSet:
    """Passages, queries, and for each query the grades of passages by their place."""

    name: str
    language: str
    passages: list[str]
    queries: list[str]
    grades: list[dict[int, int]]


def read_set(folder: Path, name: str, most: int = 1500) -> RetrievalSet:
    """Read a set, with every n-th query where it has more than ``most``; 0 takes all."""
    base, _, fields = name.partition(":")
    asked, _, held = fields.partition(">")
    passages, queries = (_lines(folder / base / f"{one}.jsonl") for one in ("corpus", "queries"))
    queries = queries[:: max(1, -(-len(queries) // most))] if most else queries
    passages = [row for row in passages if row[held or asked or "text"].strip()]  # one is empty
    place = {row["id"]: number for number, row in enumerate(passages)}
    grades: dict[str, dict[int, int]] = {}
    for row in _lines(folder / base / "qrels.jsonl"):
        if row.get("score", 1) > 0 and row["doc"] in place:
            grades.setdefault(row["query"], {})[place[row["doc"]]] = row.get("score", 1)
    return RetrievalSet(
        name,
        MONOLINGUAL.get(base, held or asked),
        [_text(row, held or asked or "text", base) for row in passages],
        [row[asked or "text"] for row in queries],
        [grades.get(row["id"], {}) for row in queries],
    )


def ndcg(run: Sequence[int], grades: dict[int, int]) -> float:
    """Return nDCG@10 of the places of passages, best first."""
    best = sorted(grades.values(), reverse=True)[:10]
    if not best:
        return 0.0
    gains = [grades.get(place, 0) for place in run[:10]]
    return float(gains @ DISCOUNTS[: len(gains)] / (best @ DISCOUNTS[: len(best)]))


def mean_ndcg(runs: Sequence[Sequence[int]], data: RetrievalSet) -> float:
    """Return the mean over the queries."""
    return float(np.mean([ndcg(run, one) for run, one in zip(runs, data.grades, strict=True)]))


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _text(row: dict[str, Any], field: str, base: str) -> str:
    text = str(row[field]).replace(" [SEP] ", "\n")
    return f"{row['title']}\n{text}" if base == "scifact" and row.get("title") else text
