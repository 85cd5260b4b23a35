"""Write the tables and the picture of ``docs/many-languages.md`` from the committed results alone.

::

    python -m benchmarks.mixed.tables              # write
    python -m benchmarks.mixed.tables --check      # exit code 1 if the page says something else
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from typing import Any

from ..harness.command import RESULTS
from ..harness.machine import ROOT
from ..harness.pictures import picture
from ..quality.card import BLOCK
from ..quality.figures import best_bold, table
from .corpus import ENGLISH, SPREAD
from .measured import WAYS

PAGE = ROOT / "docs" / "many-languages.md"
PAIRS = ("en → en", "es → en", "de → en", "zh → en", "ar → en")
TOWARDS = (*PAIRS, "across", "within")
BETWEEN = ("en → others", "others → others", "own", "within")
CASE = re.compile(r"(?P<model>.+), (?P<kind>.+), (?P<size>\d+) passages, seed (?P<seed>\d+)")

Figures = dict[tuple[str, str, int], list[dict[str, Any]]]


def read() -> Figures:
    """Return the cases by model, kind and size, one a seed."""
    results = json.loads((RESULTS / "mixed.json").read_text(encoding="utf-8"))
    found: defaultdict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
    for name, case in results["cases"].items():
        match = CASE.fullmatch(name)
        if match is not None:
            found[match["model"], match["kind"], int(match["size"])].append(case)
    return dict(found)


def mean(cases: list[dict[str, Any]], way: str, *path: str) -> float | None:
    """Return the mean over seeds of a figure."""
    values = []
    for case in cases:
        value: Any = case["ways"][way]
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            values.append(value)
    return sum(values) / len(values) if values else None


def quality(figures: Figures, kind: str, columns: tuple[str, ...]) -> str:
    """nDCG@10 of every way, the best of a column bold; a table for all models and sizes."""
    rows = []
    for (model, of_kind, size), cases in sorted(figures.items()):
        if of_kind == kind:
            values = [[mean(cases, way, "nDCG@10", one) for one in columns] for way in WAYS]
            bold = list(
                zip(*(best_bold(column) for column in zip(*values, strict=True)), strict=True)
            )
            seeds = f"{size:,} passages, {len(cases)} seed{'s' * (len(cases) > 1)}"
            rows += [[model, seeds, way, *shown] for way, shown in zip(WAYS, bold, strict=True)]
    return table(["model", "drawn", "search", *columns], rows)


def bias(figures: Figures) -> str:
    """The share of the first ten in the question's language, and the median ranks."""
    rows = []
    for (model, kind, size), cases in sorted(figures.items()):
        for pair in PAIRS[1:] if kind == ENGLISH else ():
            asked = pair.split()[0]
            row = [model, f"{size:,}", pair]
            for way in ("late, as it is", "late", "hybrid"):
                share = mean(cases, way, "own language in the first ten", asked)
                row.append("–" if share is None else f"{share:.0%}")
            for way in ("late, as it is", "late"):
                ranks = [case["ways"][way]["median rank"].get(asked) for case in cases]
                row.append(", ".join(f"{one[0]:g} / {one[1]:g}" for one in ranks if one))
            rows.append(row)
    head = ["model", "passages", "question → answer", "own language: late, as it is", "late",
            "hybrid", "median ranks among English / all: late, as it is", "late"]  # fmt: skip
    return table(head, rows)


def draw(figures: Figures) -> None:
    """Draw what language does to a question, before and after."""
    cases = figures["nano", ENGLISH, 6000]
    shown = {"late, as it is": "#9aa5b1", "late": "#3f51b5", "hybrid": "#00897b"}
    with picture("many_languages", size=(8, 3.4)) as (_, panels):
        panel = panels[0, 0]
        for place, (way, color) in enumerate(shown.items()):
            values = [mean(cases, way, "nDCG@10", one) or 0 for one in TOWARDS]
            where = [number + (place - 1) * 0.27 for number in range(len(TOWARDS))]
            bars = panel.bar(where, values, 0.25, label=way, color=color)
            panel.bar_label(bars, fmt=lambda value: f"{value:.2f}".lstrip("0"), fontsize=6)
        panel.set_xticks(range(len(TOWARDS)), TOWARDS, fontsize=8)
        panel.set_ylabel("nDCG@10")
        panel.set_ylim(0, 1.08)
        panel.legend(fontsize=8, ncols=3, loc="upper center")


def fill(page: str, figures: Figures) -> str:
    """Return the page with every block written anew."""
    blocks = {
        "towards": quality(figures, ENGLISH, TOWARDS),
        "between": quality(figures, SPREAD, BETWEEN),
        "bias": bias(figures),
    }
    return BLOCK.sub(lambda match: f"{match[1]}{blocks[match[2]]}\n{match[3]}", page)


def main() -> None:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    figures, text = read(), PAGE.read_text(encoding="utf-8")
    filled = fill(text, figures)
    if args.check:
        raise SystemExit(None if filled == text else f"{PAGE}: not what the results give.")
    PAGE.write_text(filled, encoding="utf-8")
    draw(figures)


if __name__ == "__main__":
    main()
