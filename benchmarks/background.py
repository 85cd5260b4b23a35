"""Does a threshold of relevance mean the same in a large index, a small one and a reranker?

For questions about the first passages of each set: the relevance of the own passage, and of the
best passage of all other articles, by what is known of chance from 64 windows of the index, from
a few passages and the background that comes with the model, and from the background alone, as in a
reranker without an index, of which only the length and the languages of the candidates are known::

    python -m benchmarks.background --data DIR [--model FOLDER]

Figures are the shares with a relevance of 0.5 or more, and how often that agrees with the large
index. Writes ``benchmarks/results/background.json``.
"""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag.encoder import Encoder, load_encoder
from lfm2_colbert_rag.encoder.background import encode_background
from lfm2_colbert_rag.evaluation import Dataset
from lfm2_colbert_rag.retriever.search.chance import Chance, chance_of
from lfm2_colbert_rag.retriever.search.relevance import WINDOWS, WindowVectors, relevance

from .harness import Results, command, say
from .quality.sets import FAMILY, MONOLINGUAL, Task

SETS = ("en → en", "de → en", "zh → zh", "piaf_fr", "ar → ar")
FEW, MIDDLE, CANDIDATES = 8, 80, 20
LARGE = "large index"
PASSED = 0.5


def chances(encoder: Encoder, windows: list[np.ndarray]) -> dict[str, Chance]:
    """Return what is known of chance in indexes of several sizes."""

    def known(number: int, total: int) -> Chance:
        return chance_of(windows[:number], total, lambda: encode_background(encoder))

    return {
        LARGE: known(WINDOWS, 10_000),
        f"{MIDDLE} windows": known(WINDOWS, MIDDLE),
        f"{FEW} windows": known(FEW, FEW),
        "reranker": known(CANDIDATES, 0),
    }


def measure(
    encoder: Encoder, dataset: Dataset, passages: int, queries: int
) -> dict[str, dict[str, float]]:
    """Return the figures of each size for one set."""
    corpus = list(dataset.corpus or ())[:passages]
    titles = np.array([str(one.metadata.get("title") or one.id) for one in corpus])
    place = {passage.id: number for number, passage in enumerate(corpus)}
    own = {query: place.get(list(grades)[-1], -1) for query, grades in dataset.qrels.items()}
    kept = [query for query in dataset.queries if own.get(query, -1) >= 0]
    kept = kept[:: max(1, len(kept) // queries)][:queries]
    vectors = [one.vectors for one in encoder.encode_document([one.text for one in corpus])]
    sample = WindowVectors.of(vectors)
    mixed = [vectors[number] for number in np.random.default_rng(0).permutation(len(vectors))]
    passed: dict[str, list[tuple[bool, bool]]] = {}
    sizes = chances(encoder, mixed)
    encoded = encoder.encode_query([dataset.queries[query] for query in kept])
    for query, one in zip(kept, encoded, strict=True):
        scores = sample.scores(one.vectors)
        best = float(scores[own[query]]), float(scores[titles != titles[own[query]]].max())
        for size, chance in sizes.items():
            baseline = chance.baseline(one.vectors)
            right, wrong = (relevance(score, len(one), baseline) >= PASSED for score in best)
            passed.setdefault(size, []).append((right, wrong))
    large = np.array(passed[LARGE])
    return {size: _figures(np.array(found), large) for size, found in passed.items()}


def _figures(found: np.ndarray, large: np.ndarray) -> dict[str, float]:
    right, wrong = found.mean(axis=0).tolist()
    agreeing = float((found == large).mean())
    return {"right": round(right, 3), "wrong": round(wrong, 3), "agreeing": round(agreeing, 3)}


def main() -> None:
    """Measure, print, and write the results."""
    parser = command(__doc__, "background", "data", model="nano", passages=90, queries=24)
    args = parser.parse_args()
    encoder = load_encoder(args.model)
    results = Results(args.out, model=encoder.name, passages=args.passages, queries=args.queries)
    table = Table("set", "chance from", "right passing", "wrong passing", "as the large index")
    for name in SETS:
        asked, _, searched = name.partition(" → ")
        task = Task(f"{FAMILY}/{searched}" if searched else name, ())
        languages = (asked, searched) if searched else (MONOLINGUAL[name].language,) * 2
        figures = measure(encoder, task.dataset(args.data, languages), args.passages, args.queries)
        results.put(name, figures)
        say(name)
        for size, one in figures.items():
            table.add_row(name, size, *(f"{value:.2f}" for value in one.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
