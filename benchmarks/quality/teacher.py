"""What the bundled model's teacher gives on the same sets, queries and passages.

The teacher makes one vector a text, and was never meant for late interaction: what is measured here
is MaxSim over the tokens of its last layer, prefix tokens included, centred, projected to 128
dimensions by PCA that is fitted on training texts, at unit length. Nothing is trained::

    python -m benchmarks.quality.teacher --teacher DIR --texts texts.jsonl --data DIR

``--teacher`` is a Hugging Face folder of multilingual-e5-small, ``--texts`` a file of
:mod:`recipes.nano.texts`. Writes ``benchmarks/results/teacher.json``, a task at a time, and goes on
where it was stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from tokenizers import Tokenizer

from lfm2_colbert_rag.evaluation import Dataset
from recipes.nano.teacher import MOST, Teacher

from .sets import Task, tasks

RESULT = Path(__file__).parents[1] / "results" / "teacher.json"
DIM, FITTED, K = 128, 3000, 10
DISCOUNTS = 1 / np.log2(np.arange(2, K + 2))

Matrix = npt.NDArray[np.float32]


class Projected:
    """The teacher's token vectors, in 128 dimensions.

    Args:
        folder: of the teacher.
        texts: a file of training texts, of which some thousand fit the projection.
    """

    def __init__(self, folder: Path, texts: Path) -> None:
        self._teacher = Teacher(folder)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        with texts.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in itertools.islice(lines, FITTED)]
        kinds = ["query" if row["is_query"] else "document" for row in rows]
        states = np.concatenate(self._states([row["text"] for row in rows], kinds))
        self._mean = states.mean(0)
        _, directions = np.linalg.eigh(np.cov(states - self._mean, rowvar=False))
        self._directions = directions[:, ::-1][:, :DIM].astype(np.float32)

    def _states(self, texts: Sequence[str], kinds: Sequence[str]) -> list[Matrix]:
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ids = [np.array(one.ids[:MOST]) for one in encodings]
        return [one.astype(np.float32) for one in self._teacher.states(ids, kinds)]

    def encode(self, texts: Sequence[str], kind: str) -> list[Matrix]:
        """Return ``(n, 128)`` float32 unit vectors of each text."""
        found = []
        for states in self._states(texts, [kind] * len(texts)):
            vectors = (states - self._mean) @ self._directions
            found.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
        return found


def measure(queries: list[Matrix], passages: list[Matrix], data: Dataset) -> list[float]:
    """Return the mean nDCG@10 and recall@10 of exhaustive MaxSim."""
    places = {passage.id: place for place, passage in enumerate(data.corpus)}
    flat = np.concatenate(passages)
    starts = np.cumsum([0, *map(len, passages)])[:-1]
    gains, recalls = [], []
    for name, query in zip(data.queries, queries, strict=True):
        grades = {
            places[p]: g for p, g in data.qrels.get(name, {}).items() if g > 0 and p in places
        }
        if not grades:
            continue
        scores = np.maximum.reduceat(query @ flat.T, starts, axis=1).sum(axis=0)
        best = [grades.get(int(place), 0) for place in np.argsort(-scores, kind="stable")[:K]]
        ideal = sorted(grades.values(), reverse=True)[:K]
        gains.append(best @ DISCOUNTS[: len(best)] / (ideal @ DISCOUNTS[: len(ideal)]))
        recalls.append(sum(grade > 0 for grade in best) / len(grades))
    return [round(float(np.mean(gains)), 4), round(float(np.mean(recalls)), 4)]


def run(task: Task, teacher: Projected, data: Path, most: int) -> dict[str, list[float]]:
    """Return the figures of every language pair of a task."""
    found, passages = {}, None
    for (asked, held), one in zip(task.languages, task.read(data, most), strict=True):
        if passages is None:
            passages = teacher.encode([passage.text for passage in one.corpus], "document")
        queries = teacher.encode(list(one.queries.values()), "query")
        found[f"{asked}→{held}"] = measure(queries, passages, one)
    return found


def main() -> None:
    """Measure every task that has no figures yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=300, help="most queries of a pair")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    result: dict[str, Any] = {
        "name": "multilingual-e5-small, 4-bit weights computed in bfloat16",
        "how": "MaxSim over all tokens of its last layer, centred, PCA to 128 dimensions, unit "
        "length; no training; the same queries as nano",
        "queries": args.queries, "measures": ["nDCG@10", "R@10"], "sets": {},
    }  # fmt: skip
    if RESULT.exists():
        kept = json.loads(RESULT.read_text(encoding="utf-8"))
        same = all(kept.get(key) == result[key] for key in ("name", "how", "queries"))
        result["sets"] = kept["sets"] if same else {}
    teacher = Projected(args.teacher, args.texts)
    for task in tasks():
        if task.name not in result["sets"]:
            result["sets"][task.name] = run(task, teacher, args.data, args.queries)
            RESULT.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8")
            Console().log(task.name, result["sets"][task.name])


if __name__ == "__main__":
    main()
