"""How should a question be asked that is longer than a model reads at once?

Real questions stand within polite sentences and others that have nothing to do with them (of
articles that are not indexed, or of the article that answers), in some 120 or 400 tokens::

    python -m benchmarks.long_questions --data DIR [--model FOLDER]

Each is cut into windows in several ways, and what the windows score is merged in several ways; the
question alone, and as much of the long one as the model reads at once, are the bounds. Figures are
mean nDCG@10, and the shares of questions whose own passage, and whose best passage of all other
articles, have a relevance of 0.5 or more. Writes ``benchmarks/results/long_questions.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag.encoder import Encoder, load_encoder
from lfm2_colbert_rag.encoder.protocol import query_room
from lfm2_colbert_rag.retriever.ingest.windows import find_windows
from lfm2_colbert_rag.retriever.search.late import allowance
from lfm2_colbert_rag.retriever.search.questions import LEAST_TOKENS
from lfm2_colbert_rag.retriever.search.relevance import scaled

from .harness import Clock, Results, command, say
from .merging import BEST, MERGED, Collection, Scores, Values
from .quality.sets import FAMILY, MONOLINGUAL, Task
from .talk import SHAPES, Talk

SETS = ("xquad/en", "piaf_fr", "xquad/zh", "de → en")
DISCOUNTS = 1 / np.log2(np.arange(2, 12))
BARE, CUT = "the question alone", "as much as the model reads"


def cuts(encoder: Encoder, collection: Collection, text: str) -> dict[str, Scores]:
    """Cut a long question in several ways, and score what its windows find."""
    room = query_room(encoder)
    found = {}
    for name, least in {"windows": None, "sentences": LEAST_TOKENS}.items():
        (spans,) = find_windows(encoder, [text], 0, room=room, least=least)
        found[name] = collection.ask([text[slice(*span)] for span in spans])
    found["sentences and windows"] = Scores.joined(list(found.values()))
    return found


def ndcg(scores: Values, own: list[int]) -> float:
    """Return nDCG@10 of one relevant passage."""
    best = np.argsort(-scores, kind="stable")[:10].tolist()
    return float(sum(DISCOUNTS[place] for place, one in enumerate(best) if one in own))


def measure(encoder: Encoder, talk: Talk) -> dict[str, dict[str, float]]:
    """Return the figures of each way for one set: nDCG@10 by shape, and of wrong answers."""
    collection, found = Collection(encoder, talk), dict[str, dict[str, list[float]]]()
    titles = np.array(talk.titles)

    def put(way: str, shape: str, one: Values, own: list[int], windows: int = 0) -> None:
        figures = found.setdefault(way, {})
        figures.setdefault(shape, []).append(ndcg(one, own))
        if windows:
            for side, best in (
                ("right", one[own].max()),
                ("wrong", one[titles != titles[own[0]]].max()),
            ):
                passes = scaled(best - allowance(windows)) >= 0.5
                figures.setdefault(f"{side} passing", []).append(passes)

    for asked in talk.asked:
        right = collection.ask([asked.text]).deviations[0]
        for shape in SHAPES:
            text = talk.long(asked, shape)
            put(BARE, shape, right, asked.own, 1)
            put(CUT, shape, collection.ask([text]).scores[0], asked.own)
            for cut, scores in cuts(encoder, collection, text).items():
                for merged, merge in MERGED.items():
                    windows = len(scores.scores) * (merged == BEST)
                    put(f"{cut}, {merged}", shape, merge(scores), asked.own, windows)
    return {
        way: {name: round(float(np.mean(values)), 4) for name, values in figures.items()}
        for way, figures in found.items()
    }


def talks(
    encoder: Encoder, data: Path, passages: int, questions: int
) -> Iterator[tuple[str, Talk]]:
    """Yield the sets, with long questions."""
    for name in SETS:
        asked, _, searched = name.partition(" → ")
        if searched:
            dataset, language = (
                Task(f"{FAMILY}/{searched}", ()).dataset(data, (asked, searched)),
                asked,
            )
            talked = Task(f"{FAMILY}/{asked}", ()).dataset(data, (asked, asked))
        else:
            language = name.partition("/")[2] or MONOLINGUAL[name].language
            dataset = talked = Task(name, ()).dataset(data, (language, language))
        yield name, Talk(dataset, talked, encoder, language, passages=passages, questions=questions)


def main() -> None:
    """Measure, print, and write the results."""
    parser = command(__doc__, "long_questions", "data", model="nano", passages=100, queries=8)
    args = parser.parse_args()
    encoder = load_encoder(args.model)
    results = Results(args.out, model=encoder.name, passages=args.passages, queries=args.queries)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for name, talk in talks(encoder, args.data, args.passages, args.queries):
        with Clock() as clock:
            figures[name] = measure(encoder, talk)
        results.put(name, figures[name])
        say(name, f"{clock.seconds:.0f} s")
    columns = (*SHAPES, "right passing", "wrong passing")
    table = Table("way", *columns)
    for way in next(iter(figures.values())):
        means = [[one[way][c] for one in figures.values() if c in one[way]] for c in columns]
        table.add_row(way, *(f"{np.mean(one):.3f}" if one else "–" for one in means))
    Console().print(table)


if __name__ == "__main__":
    main()
