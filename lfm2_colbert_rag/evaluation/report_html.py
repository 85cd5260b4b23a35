"""The report as one HTML file: no scripts, nothing from a network, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from .comparing import METHOD
from .report_style import STYLE
from .report_tables import Grid, differences, grids, worst_failures
from .results import Answer, Estimate, Evaluation, Failure

__all__ = ["to_html"]

# Ends of the heat map's scale, from 0 to 1, as red, green and blue.
_SCALE = ((0.0, (246, 244, 238)), (0.5, (140, 196, 201)), (1.0, (16, 78, 112)))
_DARK = 0.75  # from here up, letters on the colour are white


def to_html(evaluations: Sequence[Evaluation]) -> str:
    """Return the report of one or more evaluations.

    Args:
        evaluations: at least one.
    """
    first = evaluations[0]
    title = first.dataset if len(evaluations) == 1 else first.dataset.split(" ")[0]
    maps = grids(evaluations)
    means = _means(evaluations) + _legend(first)
    sections = [_section("All pairs" if maps else "Means", means)]
    if maps:
        sections.insert(0, _section("Query language × passage language", _maps(maps)))
    body = [
        f"<header><h1>{escape(title)}</h1>{_facts(evaluations)}</header>",
        *sections,
        _notes(evaluations),
        _failures(evaluations),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: evaluation</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _facts(evaluations: Sequence[Evaluation]) -> str:
    first = evaluations[0]
    facts = {
        "model": first.model,
        "passages": f"{first.passages:,}",
        "queries": f"{first.queries:,}",
        "hits a query": f"{first.k:,}",
        "modes": ", ".join(first.modes),
    }
    if len(evaluations) > 1:
        facts["language pairs"] = f"{len(evaluations):,}"
    seconds = sum(one.seconds for one in evaluations)
    facts["took"] = f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:,.1f} s"
    items = (f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    return f"<dl>{''.join(items)}</dl>"


def _means(evaluations: Sequence[Evaluation]) -> str:
    measures = evaluations[0].measures
    head = "".join(f'<th class="n">{escape(measure)}</th>' for measure in measures)
    rows = []
    for one in evaluations:
        differs = differences(one)
        for mode, result in one.modes.items():
            cells = [
                _mean(
                    result.means[measure],
                    differs[mode, measure].sign if (mode, measure) in differs else "",
                    f"p = {differs[mode, measure].p:.4f}" if (mode, measure) in differs else "",
                )
                for measure in measures
            ]
            seconds = f"{result.seconds:,.1f} s"
            rows.append(
                f"<tr><th>{escape(one.dataset)}</th><td>{escape(mode)}</td>{''.join(cells)}"
                f'<td class="n dim">{seconds}</td></tr>'
            )
    return (
        '<div class="scroll"><table><thead><tr><th>dataset</th><th>mode</th>'
        f'{head}<th class="n">search</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _mean(estimate: Estimate, sign: str, why: str) -> str:
    kind = {"▲": "up", "▼": "down"}.get(sign, "")
    mark = f' <span class="{kind}" title="{escape(why)}">{sign}</span>' if sign else ""
    left, width = 100 * estimate.low, 100 * max(0.004, estimate.high - estimate.low)
    return (
        f'<td class="n"><b>{estimate.mean:.3f}</b>{mark}'
        f'<span class="bar"><i style="left:{left:.1f}%;width:{width:.1f}%"></i>'
        f'<u style="left:{100 * estimate.mean:.1f}%"></u></span>'
        f"<small>{estimate.low:.3f} – {estimate.high:.3f}</small></td>"
    )


def _legend(evaluation: Evaluation) -> str:
    text = (
        f"Each figure is a mean over queries; the bar and the small figures are its "
        f"{evaluation.confidence:.0%} bootstrap interval."
    )
    if len(evaluation.modes) > 1:
        text += (
            " ▲ and ▼: better or worse than the first mode, p < .05 corrected by Holm's method "
            f"for the comparisons of the dataset. {METHOD}."
        )
    return f'<p class="dim">{escape(text)}</p>'


def _maps(maps: Sequence[Grid]) -> str:
    return (
        '<p class="dim">Rows: language of the query. Columns: language of the passages.</p>'
        f'<div class="maps">{"".join(map(_grid, maps))}</div>'
    )


def _grid(grid: Grid) -> str:
    head = "".join(f"<th>{escape(language)}</th>" for language in grid.passages)
    rows = []
    for query in grid.queries:
        cells = (_cell(grid, query, passage) for passage in grid.passages)
        rows.append(f"<tr><th>{escape(query)}</th>{''.join(cells)}</tr>")
    caption = f"{grid.measure} · {grid.mode}"
    return (
        f"<figure><figcaption><b>{escape(caption)}</b></figcaption>"
        f'<div class="scroll"><table class="map"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></figure>"
    )


def _cell(grid: Grid, query: str, passage: str) -> str:
    one = grid.cells.get((query, passage))
    if one is None:
        return '<td class="none"></td>'
    mean = one.result(grid.mode).means[grid.measure]
    ink = "#fff" if mean.mean >= _DARK else "#14212b"
    tip = f"{query} → {passage}: {mean.mean:.4f} ({mean.low:.4f} to {mean.high:.4f})"
    return (
        f'<td style="background:{_colour(mean.mean)};color:{ink}" title="{escape(tip)}">'
        f"{mean.mean:.3f}</td>"
    )


def _colour(value: float) -> str:
    value = min(1.0, max(0.0, value))
    for (low, start), (high, end) in pairwise(_SCALE):
        if value <= high:
            share = (value - low) / (high - low)
            mixed = (round(a + share * (b - a)) for a, b in zip(start, end, strict=True))
            return "#" + "".join(f"{part:02x}" for part in mixed)
    raise AssertionError(value)


def _notes(evaluations: Sequence[Evaluation]) -> str:
    notes = dict.fromkeys(note for one in evaluations for note in one.notes)
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return _section("About the data", f"<ul>{items}</ul>")


def _failures(evaluations: Sequence[Evaluation]) -> str:
    failures = worst_failures(evaluations)
    if not failures:
        return ""
    lead = (
        '<p class="dim">Shaded: words of the passage that answered words of the query, stronger '
        "where darker; underlined: the words of the query that the best expected passage "
        "answered.</p>"
    )
    content = "".join(_failure(*failure) for failure in failures)
    return _section(f"Worst queries by {evaluations[0].measures[0]}", lead + content)


def _failure(evaluation: Evaluation, mode: str, failure: Failure) -> str:
    best = failure.expected[0].evidence if failure.expected else ()
    asked = [(one.query, one.strength) for one in best]
    where = f"{evaluation.dataset} · {mode} · query {failure.query}"
    expected = "".join(_answer(answer, failure.looked) for answer in failure.expected)
    found = "".join(_answer(answer, failure.looked) for answer in failure.found)
    return (
        f'<article><h3 dir="auto">{_marked(failure.text, asked, underline=True)}</h3>'
        f'<p class="dim"><span dir="auto">{escape(where)}</span> · '
        f"{escape(evaluation.measures[0])} {failure.value:.3f}</p>"
        f'<div class="two"><div><h4>should be found</h4>{expected}</div>'
        f"<div><h4>came first</h4>{found}</div></div></article>"
    )


def _answer(answer: Answer, looked: int) -> str:
    rank = f"{answer.rank}." if answer.rank else f"not in first {looked:,}"
    good = answer.grade is not None and answer.grade > 0
    grade = "not judged" if answer.grade is None else f"grade {answer.grade}"
    relevance = "" if answer.relevance is None else f" · relevance {answer.relevance:.2f}"
    marks = [(one.passage, one.strength) for one in answer.evidence]
    return (
        f'<div class="answer{" good" if good else ""}"><p class="id"><b>{rank}</b> '
        f'<bdi>{escape(answer.id)}</bdi> <span class="dim">{grade}{relevance}</span></p>'
        f'<p dir="auto">{_marked(answer.text, marks)}</p></div>'
    )


def _marked(
    text: str, marks: Sequence[tuple[tuple[int, int], float]], *, underline: bool = False
) -> str:
    """Return a text, escaped, with words shaded by the strength of their match."""
    parts, done = [], 0
    for (start, end), strength in sorted(marks, key=lambda mark: (mark[0][0], -mark[1])):
        if start < done:
            continue
        parts.append(escape(text[done:start]))
        word = escape(text[start:end])
        if underline:
            parts.append(f"<u>{word}</u>")
        else:
            shade = 0.12 + 0.4 * max(0.0, min(1.0, strength))
            parts.append(
                f'<mark style="background:rgba(240,160,30,{shade:.2f})" '
                f'title="{strength:.2f}">{word}</mark>'
            )
        done = end
    parts.append(escape(text[done:]))
    return "".join(parts)
