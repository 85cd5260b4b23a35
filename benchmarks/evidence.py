"""Is the evidence what the score rests on?

The words of a passage that answered a question best are taken out of the passage, and it is
scored again; then as many other words of about the same length, chosen at random::

    python benchmarks/evidence.py --data DIR [--model FOLDER]

over XQuAD, questions of five languages and their passages in the same language and in English.
Writes ``benchmarks/results/evidence.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.retriever.search.evidence import word_span
from lfm2_colbert_rag.types import Hit

RESULT = Path(__file__).parent / "results" / "evidence.json"
LANGUAGES = ("en", "es", "de", "zh", "ar")
WORDS = 5  # taken out of each passage
DRAWS = 4  # random choices that are averaged

Span: TypeAlias = tuple[int, int]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a JSON-lines file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def best_words(hit: Hit) -> list[Span]:
    """Return the words of the passage that answered best, each once."""
    return list(dict.fromkeys(match.passage_span for match in hit.evidence))[:WORDS]


def random_words(
    words: Sequence[Span], taken: Sequence[Span], generator: np.random.Generator
) -> list[Span]:
    """Choose as many other words, each of about the length of one that was taken."""
    left = [one for one in words if all(one[1] <= a or b <= one[0] for a, b in taken)]
    chosen: list[Span] = []
    for start, end in taken:
        if not left:
            break
        near = sorted(left, key=lambda one: abs((one[1] - one[0]) - (end - start)))[:20]
        chosen.append(near[int(generator.integers(len(near)))])
        left.remove(chosen[-1])
    return chosen


def without(text: str, spans: Sequence[Span]) -> str:
    """Return a text without some of its words."""
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + text[end:]
    return text


def compare(
    retriever: Retriever, question: str, text: str, generator: np.random.Generator
) -> tuple[float, float]:
    """Return what share of its score a passage loses with its evidence, and with other words."""
    whole = retriever.rerank(question, [text])[0]
    taken = best_words(whole)
    tokens = retriever.encoder.token_spans([text])[0].tolist()
    words = sorted({word_span(text, *token) for token in tokens})
    words = [(start, end) for start, end in words if any(map(str.isalnum, text[start:end]))]
    others = [without(text, random_words(words, taken, generator)) for _ in range(DRAWS)]
    scores = {
        hit.id: hit.score for hit in retriever.rerank(question, [without(text, taken), *others])
    }
    losses = [1 - scores[str(place)] / whole.score for place in range(1 + DRAWS)]
    return losses[0], float(np.mean(losses[1:]))


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--step", type=int, default=20, help="use every so manieth question")
    options = parser.parse_args()
    corpus = {row["id"]: row for row in read_lines(options.data / "xquad" / "corpus.jsonl")}
    own = {row["query"]: row["doc"] for row in read_lines(options.data / "xquad" / "qrels.jsonl")}
    queries = read_lines(options.data / "xquad" / "queries.jsonl")[:: options.step]
    generator = np.random.default_rng(0)
    table = Table("questions → passages", "evidence, loss", "other words, loss", "more lost")
    result: dict[str, Any] = {"words": WORDS, "questions": len(queries), "pairs": {}}
    with Retriever.from_texts(["unused"], model=options.model) as retriever:
        result["model"] = retriever.model
        for asked, stored in [(a, a) for a in LANGUAGES] + [(a, "en") for a in LANGUAGES[1:]]:
            losses = np.array(
                [
                    compare(retriever, row[asked], corpus[own[row["id"]]][stored], generator)
                    for row in queries
                ]
            )
            row = {
                "evidence_loss": float(losses[:, 0].mean()),
                "other_loss": float(losses[:, 1].mean()),
                "evidence_loses_more": float((losses[:, 0] > losses[:, 1]).mean()),
            }
            result["pairs"][f"{asked} → {stored}"] = row
            table.add_row(f"{asked} → {stored}", *(f"{value:.1%}" for value in row.values()))
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    Console().print(table)


if __name__ == "__main__":
    main()
