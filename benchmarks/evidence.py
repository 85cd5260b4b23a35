"""Is the evidence what the score rests on?

The words of a passage that answered a question best are taken out of the passage, and it is
scored again; then as many other words of about the same length, chosen at random::

    python -m benchmarks.evidence --data DIR [--model FOLDER]

over XQuAD, questions of five languages and their passages in the same language and in English.
Writes ``benchmarks/results/evidence.json``, a case a pair of languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag import Hit, Retriever
from lfm2_colbert_rag.evaluation import load_family
from lfm2_colbert_rag.retriever.search.evidence import word_span

from .harness import Results, command

LANGUAGES = ("en", "es", "de", "zh", "ar")
WORDS = 5  # taken out of each passage
DRAWS = 4  # random choices that are averaged

Span: TypeAlias = tuple[int, int]


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
    args = command(__doc__, "evidence", "data", model="nano", queries=60).parse_args()
    family = load_family(args.data / "xquad").sample(args.queries)
    generator = np.random.default_rng(0)
    table = Table("questions → passages", "evidence, loss", "other words, loss", "more lost")
    with Retriever.from_texts(["unused"], model=args.model) as retriever:
        results = Results(args.out, model=retriever.model, words=WORDS, questions=args.queries)
        for asked, stored in [(a, a) for a in LANGUAGES] + [(a, "en") for a in LANGUAGES[1:]]:
            dataset = family.dataset(asked, stored)
            texts = {passage.id: passage.text for passage in dataset.corpus or ()}
            losses = np.array(
                [
                    compare(retriever, dataset.queries[query], texts[next(iter(own))], generator)
                    for query, own in dataset.qrels.items()
                ]
            )
            figures = {
                "evidence_loss": float(losses[:, 0].mean()),
                "other_loss": float(losses[:, 1].mean()),
                "evidence_loses_more": float((losses[:, 0] > losses[:, 1]).mean()),
            }
            results.put(f"{asked} → {stored}", figures)
            table.add_row(f"{asked} → {stored}", *(f"{value:.1%}" for value in figures.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
