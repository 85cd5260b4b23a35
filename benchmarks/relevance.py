"""Does one relevance threshold mean the same for all lengths and languages of questions?

For each question: the relevance of its own passage, and of the best passage of all other articles
(what the index would answer if the article were not there). Over XQuAD, any question language
against any passage language, and four monolingual collections, each split into thirds by the
number of query vectors::

    python -m benchmarks.relevance --data DIR [--model FOLDER]

Compared are the mean cosine (score / query vectors) and the shipped calibration. One threshold is
set so that 10 % of the wrong answers of all groups pass; the spread of that share between groups,
and the accuracy with one threshold, say how equal it is. The constants of the calibration are
fitted on the four collections only. Writes ``benchmarks/results/relevance.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag import Passage, TokenVectors
from lfm2_colbert_rag.encoder import Encoder, load_encoder
from lfm2_colbert_rag.evaluation import Dataset
from lfm2_colbert_rag.index.maxsim import score_block
from lfm2_colbert_rag.retriever.search.relevance import WINDOWS, BaselineSample, relevance

from .calibration import Group, fit, judge
from .harness import Clock, Results, command
from .quality.sets import FAMILY, MONOLINGUAL, Task
from .remembering import Remembering

LANGUAGES = ("en", "es", "de", "zh", "ar")
FITTED = ("piaf_fr", "jsquad_ja", "arcd_ar", "cmrc2018_zh")
PASSAGES = 240  # of each collection, as many as XQuAD has
WAYS = ("mean cosine", "calibrated")


def measure(
    group: Group,
    passages: list[TokenVectors],
    articles: list[str],
    queries: list[tuple[TokenVectors, int]],
) -> float:
    """Fill a group; return the milliseconds that the baseline costs a query."""
    vectors = np.concatenate([one.vectors for one in passages])
    lengths = np.array([len(one) for one in passages], dtype=np.int64)
    chosen = np.random.default_rng(0).permutation(len(passages))[:WINDOWS]
    sample = BaselineSample(np.concatenate([passages[i].vectors for i in chosen]), lengths[chosen])
    titles, clock = np.array(articles), Clock()
    for query, own in queries:
        scores = score_block(query.vectors, vectors, lengths)
        with clock:
            baseline = sample.baseline(query.vectors)
        right, wrong = (
            {
                "mean cosine": relevance(score, len(query)),
                "calibrated": relevance(score, len(query), baseline),
                "deviations": (score - baseline.mean) / baseline.std,
            }
            for score in (float(scores[own]), float(scores[titles != titles[own]].max()))
        )
        group.add(len(query), right, wrong)
    return 1e3 * clock.seconds / len(queries)


def groups(encoder: Encoder, data: Path, step: int) -> Iterator[tuple[Group, float]]:
    """Yield every collection, measured."""
    for asked in LANGUAGES:
        for stored in LANGUAGES:
            dataset = Task(f"{FAMILY}/{stored}", ()).dataset(data, (asked, stored))
            group = Group(f"{asked} → {stored}", asked == stored)
            yield group, measure(group, *_encoded(encoder, dataset, step))
    for name in FITTED:
        language = MONOLINGUAL[name].language
        dataset = Task(name, ()).dataset(data, (language, language))
        group = Group(name, True)
        yield group, measure(group, *_encoded(encoder, dataset, step))


def _encoded(
    encoder: Encoder, dataset: Dataset, step: int
) -> tuple[list[TokenVectors], list[str], list[tuple[TokenVectors, int]]]:
    """Return passages, their articles, and every so manieth query with the place of its passage."""
    corpus: list[Passage] = list(dataset.corpus or ())[:PASSAGES]
    place = {passage.id: number for number, passage in enumerate(corpus)}
    own = {query: place.get(list(grades)[-1], -1) for query, grades in dataset.qrels.items()}
    kept = [query for query in dataset.queries if own.get(query, -1) >= 0][::step]
    queries = encoder.encode_query([dataset.queries[query] for query in kept])
    articles = [str(passage.metadata.get("title") or passage.id) for passage in corpus]
    passages = encoder.encode_document([passage.text for passage in corpus])
    return passages, articles, list(zip(queries, (own[query] for query in kept), strict=True))


def main() -> None:
    """Measure, print, and write the results."""
    parser = command(__doc__, "relevance", "data", model="nano")
    parser.add_argument("--step", type=int, default=9, help="use every so manieth question")
    args = parser.parse_args()
    encoder = Remembering(load_encoder(args.model))
    pairs = list(groups(encoder, args.data, args.step))
    measured = [group for group, _ in pairs]
    results = Results(args.out, model=encoder.name)
    fitted = fit([group for group in measured if group.name in FITTED])
    milliseconds = float(np.median([took for _, took in pairs]))
    results.put("background", {"milliseconds": milliseconds})
    results.put("fit on four collections", fitted)
    chosen = {
        "same language": [group for group in measured if group.same_language],
        "all pairs": measured,
        "XQuAD": [group for group in measured if group.name not in FITTED],
    }
    table = Table("groups", "relevance is", "wrong passing, by group", "right passing", "accuracy")
    for label, some in chosen.items():
        figures = {way: judge(some, way) for way in WAYS}
        results.put(label, figures)
        for way, one in figures.items():
            wrong = one["wrong_passing"]
            table.add_row(
                label,
                way,
                f"{wrong['least']:.2f}–{wrong['most']:.2f} (± {wrong['deviation']:.3f})",
                f"{one['right_passing']:.2f}",
                f"{one['accuracy_one_threshold']:.3f} of {one['accuracy_own_thresholds']:.3f}",
            )
    Console().print(table, fitted, milliseconds)


if __name__ == "__main__":
    main()
