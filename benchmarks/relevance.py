"""Does one relevance threshold mean the same for all lengths and languages of questions?

For each question: the relevance of its own passage, and of the best passage of all other articles
(what the index would answer if the article were not there). Over XQuAD, any question language
against any passage language, and four monolingual collections, each split into thirds by the
number of query vectors::

    python benchmarks/relevance.py --data DIR [--model FOLDER]

Compared are the mean cosine (score / query vectors) and the shipped calibration. One threshold is
set so that 10 % of the wrong answers of all groups pass; the spread of that share between groups,
and the accuracy with one threshold, say how equal it is. The constants of the calibration are
fitted on the four collections only. Writes ``benchmarks/results/relevance.json``.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag.encoder import Encoder, load_encoder
from lfm2_colbert_rag.index.maxsim import score_block
from lfm2_colbert_rag.retriever.search.relevance import WINDOWS, Background, relevance
from lfm2_colbert_rag.types import TokenVectors

RESULT = Path(__file__).parent / "results" / "relevance.json"
LANGUAGES = ("en", "es", "de", "zh", "ar")
MONOLINGUAL = ("piaf_fr", "jsquad_ja", "arcd_ar", "cmrc2018_zh")
PASSAGES = 240  # of each collection, as many as XQuAD has
PASSING = 0.1

Row = dict[str, Any]
Values = npt.NDArray[np.float64]


class Group:
    """Right and wrong answers of one collection, and how long its questions are."""

    def __init__(self, name: str, same_language: bool) -> None:
        self.name, self.same_language = name, same_language
        self.lengths: list[int] = []
        self.right: dict[str, list[float]] = {"mean cosine": [], "calibrated": []}
        self.wrong: dict[str, list[float]] = {"mean cosine": [], "calibrated": []}

    def add(self, length: int, right: dict[str, float], wrong: dict[str, float]) -> None:
        """Take what one question gave."""
        self.lengths.append(length)
        for way in self.right:
            self.right[way].append(right[way])
            self.wrong[way].append(wrong[way])

    def thirds(self, way: str) -> Iterator[tuple[Values, Values]]:
        """Yield right and wrong answers of short, middling and long questions."""
        places = np.digitize(self.lengths, np.quantile(self.lengths, [1 / 3, 2 / 3]))
        for third in range(3):
            chosen = places == third
            yield np.array(self.right[way])[chosen], np.array(self.wrong[way])[chosen]


def read_lines(path: Path) -> list[Row]:
    """Read a JSON-lines file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def measure(
    group: Group,
    passages: list[TokenVectors],
    articles: list[str],
    questions: list[tuple[TokenVectors, int]],
) -> float:
    """Fill a group; return the milliseconds that the background costs a question."""
    vectors = np.concatenate([one.vectors for one in passages])
    lengths = np.array([len(one) for one in passages], dtype=np.int64)
    sample = np.random.default_rng(0).permutation(len(passages))[:WINDOWS]
    background = Background(np.concatenate([passages[i].vectors for i in sample]), lengths[sample])
    titles, took = np.array(articles), 0.0
    for query, own in questions:
        scores = score_block(query.vectors, vectors, lengths)
        began = time.perf_counter()
        chance = background.chance(query.vectors)
        took += time.perf_counter() - began
        best = float(scores[titles != titles[own]].max())
        values = [
            {
                "mean cosine": relevance(score, len(query)),
                "calibrated": relevance(score, len(query), chance),
            }
            for score in (float(scores[own]), best)
        ]
        group.add(len(query), values[0], values[1])
    return 1e3 * took / len(questions)


def groups(encoder: Encoder, data: Path, step: int) -> Iterator[tuple[Group, float]]:
    """Yield every collection, measured."""
    corpus, queries, own = collection(data / "xquad", step)
    titles = [row["title"] for row in corpus]
    encoded = {
        language: (
            encoder.encode_document([row[language] for row in corpus]),
            encoder.encode_query([row[language] for row in queries]),
        )
        for language in LANGUAGES
    }
    for asked in LANGUAGES:
        for stored in LANGUAGES:
            group = Group(f"{asked} → {stored}", asked == stored)
            questions = list(zip(encoded[asked][1], own, strict=True))
            yield group, measure(group, encoded[stored][0], titles, questions)
    for name in MONOLINGUAL:
        corpus, queries, own = collection(data / name, step)
        kept = [(query, place) for query, place in zip(queries, own, strict=True) if place >= 0]
        passages = encoder.encode_document([row["text"].replace(" [SEP] ", "\n") for row in corpus])
        vectors = encoder.encode_query([query["text"] for query, _ in kept])
        group = Group(name, True)
        questions = list(zip(vectors, (place for _, place in kept), strict=True))
        titles = [str(row.get("title") or row["id"]) for row in corpus]
        yield group, measure(group, passages, titles, questions)


def collection(folder: Path, step: int) -> tuple[list[Row], list[Row], list[int]]:
    """Return passages, every so manieth question, and the place of each question's passage."""
    corpus = read_lines(folder / "corpus.jsonl")[:PASSAGES]
    place = {row["id"]: number for number, row in enumerate(corpus)}
    own = {row["query"]: place.get(row["doc"], -1) for row in read_lines(folder / "qrels.jsonl")}
    queries = [row for row in read_lines(folder / "queries.jsonl") if own[row["id"]] >= 0][::step]
    return corpus, queries, [own[row["id"]] for row in queries]


def judge(measured: list[Group], way: str) -> Row:
    """Say how equal one threshold is over the thirds of all groups."""
    cells = [cell for group in measured for cell in group.thirds(way)]
    right, wrong = (np.concatenate(part) for part in zip(*cells, strict=True))
    threshold = float(np.quantile(wrong, 1 - PASSING))
    passing = np.array([(cell[1] >= threshold).mean() for cell in cells])
    found = np.array([(cell[0] >= threshold).mean() for cell in cells])
    grid = np.quantile(np.concatenate([right, wrong]), np.linspace(0, 1, 201))
    accuracy = np.array([[balanced(*cell, at) for at in grid] for cell in cells])
    one = int(accuracy.mean(axis=0).argmax())
    return {
        "threshold": threshold,
        "wrong_passing": {
            "least": float(passing.min()),
            "most": float(passing.max()),
            "deviation": float(passing.std()),
        },
        "right_passing": float(found.mean()),
        "accuracy_one_threshold": float(accuracy[:, one].mean()),
        "best_threshold": float(grid[one]),
        "accuracy_own_thresholds": float(accuracy.max(axis=1).mean()),
    }


def balanced(right: Values, wrong: Values, threshold: float) -> float:
    """Return the mean share of right answers that pass and wrong ones that do not."""
    return float(((right >= threshold).mean() + (wrong < threshold).mean()) / 2)


def fit(measured: list[Group]) -> dict[str, float]:
    """Fit middle and steepness of the logistic map, in spreads above chance, by Newton's method."""
    above = {
        label: np.array(
            [spreads(value) for group in measured for value in values(group)["calibrated"]]
        )
        for label, values in _SIDES.items()
    }
    x = np.concatenate([above["right"], above["wrong"]])
    y = np.concatenate([np.ones(len(above["right"])), np.zeros(len(above["wrong"]))])
    design, weights = np.stack([np.ones_like(x), x], axis=1), np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ weights))
        weights += np.linalg.solve((design.T * (p * (1 - p))) @ design, design.T @ (y - p))
    return {"middle": float(-weights[0] / weights[1]), "steepness": float(weights[1])}


_SIDES: dict[str, Callable[[Group], dict[str, list[float]]]] = {
    "right": lambda group: group.right,
    "wrong": lambda group: group.wrong,
}


def spreads(value: float) -> float:
    """Undo the logistic map that is in force."""
    from lfm2_colbert_rag.types import _MIDDLE, _STEEPNESS

    value = min(max(value, 1e-12), 1 - 1e-12)
    return _MIDDLE + math.log(value / (1 - value)) / _STEEPNESS


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--step", type=int, default=9, help="use every so manieth question")
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    pairs = list(groups(encoder, options.data, options.step))
    measured = [group for group, _ in pairs]
    result: Row = {
        "model": encoder.name,
        "machine": platform.processor() or platform.machine(),
        "background_ms": float(np.median([took for _, took in pairs])),
        "fit_on_four_collections": fit([g for g in measured if g.name in MONOLINGUAL]),
    }
    chosen = {
        "same language": [g for g in measured if g.same_language],
        "all pairs": measured,
        "XQuAD": [g for g in measured if g.name not in MONOLINGUAL],
    }
    table = Table("groups", "relevance is", "wrong passing, by group", "right passing", "accuracy")
    for label, some in chosen.items():
        result[label] = {way: judge(some, way) for way in ("mean cosine", "calibrated")}
        for way, row in result[label].items():
            wrong = row["wrong_passing"]
            table.add_row(
                label,
                way,
                f"{wrong['least']:.2f}–{wrong['most']:.2f} (± {wrong['deviation']:.3f})",
                f"{row['right_passing']:.2f}",
                f"{row['accuracy_one_threshold']:.3f} of {row['accuracy_own_thresholds']:.3f}",
            )
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    Console().print(table, result["fit_on_four_collections"], result["background_ms"])


if __name__ == "__main__":
    main()
