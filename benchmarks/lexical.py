"""Measure the lexical leg against bm25s, as it comes and at its best, on every set.

::

    pip install bm25s PyStemmer
    python benchmarks/lexical.py --data DIR

"At its best" is the best of some hundred settings *for each set*, chosen on the very queries
that are measured: token pattern (words of two letters, of one, single characters), stop words and
stemmer of the set's language, values of k1 and b, three methods. The lexical leg has one setting
for everything. Writes ``benchmarks/results/lexical.json`` set by set; what it has of bm25s already
is not measured again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

os.environ["DISABLE_TQDM"] = "1"

import bm25s
import Stemmer
from retrieval_sets import NAMES, RetrievalSet, mean_ndcg, read_set

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.lexical.postings import Postings

RESULT = Path(__file__).parent / "results" / "lexical.json"
STEMMERS = {
    "ar": "arabic", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "fr": "french", "hi": "hindi", "ro": "romanian", "ru": "russian", "tr": "turkish",
}  # fmt: skip
STOP_WORDS = {
    "de": ["german"], "en": ["english", "english_plus"], "es": ["spanish"], "fr": ["french"],
    "ru": ["russian"], "tr": ["turkish"], "zh": ["chinese"],
}  # fmt: skip
PATTERNS = {"default": r"(?u)\b\w\w+\b", "one": r"(?u)\b\w+\b", "characters": r"(?u)\w"}
DEFAULT = ("default", "english", None)
GRID = tuple(
    itertools.product(
        ("lucene", "bm25l", "bm25+"), (0.9, 1.2, 1.5, 2.0), (0.4, 0.6, 0.75, 0.9, 1.0)
    )
)
Tokens = tuple[str, str | None, str | None]


class Peer:
    """bm25s on one set."""

    def __init__(self, data: RetrievalSet) -> None:
        self._data = data
        self._known: dict[Tokens, tuple[Any, Any]] = {}

    def measure(
        self, tokens: Tokens, method: str = "lucene", k1: float = 1.5, b: float = 0.75
    ) -> float:
        """Return nDCG@10 under one setting."""
        if tokens not in self._known:
            pattern, stop_words, stemmer = tokens
            options: dict[str, Any] = {
                "token_pattern": PATTERNS[pattern],
                "stopwords": stop_words,
                "stemmer": Stemmer.Stemmer(stemmer) if stemmer else None,
                "show_progress": False,
            }
            self._known[tokens] = (
                bm25s.tokenize(self._data.passages, **options),
                bm25s.tokenize(self._data.queries, return_ids=False, **options),
            )
        passages, queries = self._known[tokens]
        index = bm25s.BM25(method=method, k1=k1, b=b)
        index.index(passages, show_progress=False)
        found, scores = index.retrieve(queries, k=10, show_progress=False)
        runs = [
            [int(place) for place, score in zip(*one, strict=True) if score > 0]
            for one in zip(found, scores, strict=True)
        ]
        return mean_ndcg(runs, self._data)

    def best(self) -> tuple[float, list[Any]]:
        """Return the best nDCG@10 and its setting: the two best ways of cutting, on the grid."""
        language = self._data.language
        patterns = list(PATTERNS) if language in ("ja", "th", "zh") else ["default", "one"]
        stop_words = [None, *STOP_WORDS.get(language, [])]
        stemmers = [None, *([STEMMERS[language]] if language in STEMMERS else [])]
        ways = sorted(
            itertools.product(patterns, stop_words, stemmers), key=self.measure, reverse=True
        )
        return max(
            ((self.measure(way, *one), [*way, *one]) for way in ways[:2] for one in GRID),
            key=lambda found: found[0],
        )


def measure_ours(data: RetrievalSet) -> dict[str, Any]:
    """Measure the lexical leg; the stand-in for a model adds nothing to it."""
    begun = time.perf_counter()
    Postings.of(data.passages)
    analysed = time.perf_counter() - begun
    ids = [str(place) for place in range(len(data.passages))]
    with Retriever.from_texts(data.passages, ids=ids, model="hash", progress=False) as retriever:
        begun = time.perf_counter()
        hits = retriever.search_many(data.queries, 10, mode="lexical")
        seconds = time.perf_counter() - begun
        size = retriever.stats(measure=False).lexical_bytes
    runs = [[int(hit.id) for hit in one] for one in hits]
    return {
        "ndcg@10": round(mean_ndcg(runs, data), 4),
        "ms_per_query": round(1000 * seconds / len(data.queries), 2),
        "ms_per_passage_analysed": round(1000 * analysed / len(data.passages), 3),
        "bytes_per_passage": round((size or 0) / len(data.passages)),
        "bytes_of_text_per_passage": round(
            sum(len(text.encode()) for text in data.passages) / len(data.passages)
        ),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--only", nargs="*", default=NAMES, help="names of sets")
    parser.add_argument("--again", action="store_true", help="measure bm25s again, too")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    results = json.loads(args.out.read_text("utf-8")) if args.out.exists() else {}
    for name in args.only:
        data = read_set(args.data, name)
        entry = results.setdefault(name, {})
        entry |= {"passages": len(data.passages), "queries": len(data.queries)}
        if args.again or "bm25s" not in entry:
            peer = Peer(data)
            score, setting = peer.best()
            entry["bm25s"] = {
                "default": round(peer.measure(DEFAULT), 4),
                "best": round(score, 4),
                "best_setting": setting,
            }
        entry["ours"] = measure_ours(data)
        args.out.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", "utf-8")
    table = Table("set", "bm25s default", "bm25s best", "lexical leg", title="nDCG@10")
    for name, entry in results.items():
        values = (entry["bm25s"]["default"], entry["bm25s"]["best"], entry["ours"]["ndcg@10"])
        table.add_row(name, *(f"{value:.4f}" for value in values))
    Console().print(table)


if __name__ == "__main__":
    main()
