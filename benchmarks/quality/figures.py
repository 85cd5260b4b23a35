"""The committed results that tables are made of, and how figures are written in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..harness import RESULTS, Results

Model = dict[str, Any]


class Figures:
    """The committed results of one model, of words, the teacher's, and the published ones.

    Args:
        sets: the model's cases of ``quality.json`` by set.
        teacher: ``teacher.json``.
        published: ``published.json``.
        words: the cases of ``words.json``.
        run: of the model's cases, the last one.
    """

    def __init__(
        self, sets: Model, teacher: Model, published: Model, words: Model, run: Model | None = None
    ) -> None:
        self.sets = sets
        self.run = run or {}
        self.teacher = teacher
        self.published = published
        self.words = words

    def value(self, name: str, pair: str, system: str, measure: str = "nDCG@10") -> float | None:
        """Return a mean, or None where it was not measured."""
        systems = self.sets.get(name, {}).get("pairs", {}).get(pair, {}).get("systems", {})
        return systems[system][measure][0] if system in systems else None

    def taught(self, name: str, pair: str, measure: str = "nDCG@10") -> float | None:
        """Return the teacher's figure, or None where it has none."""
        values = self.teacher["sets"].get(name, {}).get(pair)
        return None if values is None else values[self.teacher["measures"].index(measure)]

    def share(self, name: str, pair: str) -> str:
        """Return how much of the teacher's figure late interaction reaches."""
        late, taught = self.value(name, pair, "late"), self.taught(name, pair)
        return "–" if late is None or taught is None else f"{late / taught:.2f}"


def read(fingerprint: str | None = None) -> Figures:
    """Read the committed results; of the model measured last where none is named."""
    quality = Results(RESULTS / "quality.json")
    runs = [
        run
        for run in sorted(quality.runs.values(), key=lambda run: run["measured"] or "")
        if fingerprint in (None, run["settings"]["fingerprint"])
    ]
    chosen = runs[-1]["settings"]["fingerprint"]
    cases = (case.partition(", ") for case in quality.cases)
    sets = {name: quality.cases[f"{model}, {name}"] for model, _, name in cases if model == chosen}
    words = Results(RESULTS / "words.json").cases
    return Figures(sets, _json("teacher"), _json("published"), words, runs[-1])


def _json(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def show(value: float | None) -> str:
    """Write a figure with three decimals."""
    return "–" if value is None else f"{value:.3f}"


def best_bold(values: Sequence[float | None]) -> list[str]:
    """Write figures, the best of them bold."""
    best = max((value for value in values if value is not None), default=None)
    return [
        f"**{show(value)}**" if value is not None and value == best else show(value)
        for value in values
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
