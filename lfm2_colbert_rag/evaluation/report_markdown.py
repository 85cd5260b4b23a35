"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from .comparing import METHOD
from .report_tables import Grid, differences, grids, worst_failures
from .results import Answer, Evaluation, Failure

__all__ = ["to_markdown"]

_SPECIAL = str.maketrans(
    {c: f"\\{c}" for c in "\\`*_[]|#"}
    | {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\n": " ", "\r": " "}
)


def to_markdown(evaluations: Sequence[Evaluation]) -> str:
    """Return the report of one or more evaluations.

    Args:
        evaluations: at least one.
    """
    first = evaluations[0]
    title = first.dataset if len(evaluations) == 1 else first.dataset.split(" ")[0]
    parts = [f"# {_text(title)} with {_text(first.model)}\n"]
    maps = grids(evaluations)
    parts += [_grid(grid) for grid in maps]
    parts.append(_table(evaluations))
    confidence = f"{first.confidence:.0%}"
    parts.append(
        f"Each figure is a mean over queries, with its {confidence} bootstrap interval. "
        + (
            "▲ and ▼: better or worse than the first mode, p < .05 corrected by Holm's method for "
            f"the comparisons of the dataset. {METHOD}.\n"
            if len(first.modes) > 1
            else "\n"
        )
    )
    notes = dict.fromkeys(note for one in evaluations for note in one.notes)
    parts += [f"- {_text(note)}\n" for note in notes]
    failures = worst_failures(evaluations)
    if failures:
        parts.append(f"## Worst queries by {first.measures[0]}\n")
        parts += [_failure(*failure) for failure in failures]
    return "\n".join(parts)


def _table(evaluations: Sequence[Evaluation]) -> str:
    measures = evaluations[0].measures
    rows = [
        "| dataset | mode | " + " | ".join(measures) + " | passages | queries |",
        "|---|---|" + "---|" * len(measures) + "---:|---:|",
    ]
    for one in evaluations:
        differs = differences(one)
        for mode, result in one.modes.items():
            cells = []
            for measure in measures:
                mean = result.means[measure]
                sign = differs[mode, measure].sign if (mode, measure) in differs else ""
                cells.append(f"**{mean.mean:.3f}**{sign} ({mean.low:.3f} to {mean.high:.3f})")
            rows.append(
                f"| {_text(one.dataset)} | {_text(mode)} | {' | '.join(cells)} | "
                f"{one.passages:,} | {one.queries:,} |"
            )
    return "\n".join(rows) + "\n"


def _grid(grid: Grid) -> str:
    rows = [
        f"## {grid.measure}, {_text(grid.mode)}: query language (rows) × passage language\n",
        "| | " + " | ".join(map(_text, grid.passages)) + " |",
        "|---|" + "---:|" * len(grid.passages),
    ]
    for query in grid.queries:
        cells = []
        for passage in grid.passages:
            one = grid.cells.get((query, passage))
            cells.append("" if one is None else f"{one.mean(grid.measure, grid.mode):.3f}")
        rows.append(f"| **{_text(query)}** | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _failure(evaluation: Evaluation, mode: str, failure: Failure) -> str:
    where = f"{_text(evaluation.dataset)}, {_text(mode)}"
    head = f"### {_text(failure.text)}\n\n{where}, query {_text(failure.query)}: "
    head += f"{evaluation.measures[0]} {failure.value:.3f}\n"
    lines = [_answer("should be found", answer, failure.looked) for answer in failure.expected]
    lines += [_answer("came", answer, failure.looked) for answer in failure.found]
    return "\n".join([head, *lines]) + "\n"


def _answer(what: str, answer: Answer, looked: int) -> str:
    place = f"rank {answer.rank}" if answer.rank else f"not among the first {looked:,}"
    grade = "not judged" if answer.grade is None else f"grade {answer.grade}"
    text, done, parts = answer.text, 0, []
    for start, end in sorted(one.passage for one in answer.evidence):
        if start >= done:
            parts += [_text(text[done:start]), f"**{_text(text[start:end])}**"]
            done = end
    parts.append(_text(text[done:]))
    return f"- {what}, {place}, {grade}: {_text(answer.id)}  \n  {''.join(parts)}"


def _text(text: str) -> str:
    return text.translate(_SPECIAL)
