"""Draw the benchmark's figures; needs matplotlib."""

from __future__ import annotations

from typing import Any

from ..harness import Results
from ..harness.pictures import picture
from .conditions import Entry, last_run, measured

_COLOURS = {"ours": "#0b6e4f", "pylate": "#8d99ae", "sentence-transformers": "#c9a66b"}
_NAMES = {
    "ours": "lfm2-colbert-rag",
    "pylate": "PyLate 1.6.0",
    "sentence-transformers": "sentence-transformers 6.2",
}
# Figure, title, which way is better.
_PANELS = (
    ("query_p50_ms", "Query, p50 (tick: p95), ms", "less"),
    ("document_tokens_per_second", "Documents, tokens/s", "more"),
    ("peak_memory_mb", "Peak memory, MB", "less"),
    ("environment_mb", "Environment on disk, MB", "less"),
    ("start_seconds", "Start to first query, s", "less"),
)
_LOG_FROM = 12  # largest over smallest, from which on an axis is logarithmic


def draw(results: Results, name: str) -> None:
    """Draw one panel a figure, one bar a contender.

    Args:
        results: what was measured.
        name: see :func:`benchmarks.harness.pictures.picture`.
    """
    rows = list(measured(results).values())[::-1]
    panels = [panel for panel in _PANELS if any(one.get(panel[0]) for one in rows)]
    size = 3.1 * len(panels) + 2.4, 0.42 * len(rows) + 2.1
    with picture(name, 1, len(panels), size=size, sharey=True) as (figure, axes):
        for axis, (key, title, better) in zip(axes[0], panels, strict=True):
            _panel(axis, rows, key, f"{title}\n({better} is better)")
        axes[0, 0].set_yticks(range(len(rows)), [_label(one) for one in rows], fontsize=9)
        settings, machine = (last_run(results)[name] for name in ("settings", "machine"))
        where = machine.get("accelerator") or machine["cpu"]
        figure.suptitle(
            f"Encoding with {settings['model']}\n{where}, {settings['threads']} threads",
            fontsize=11,
        )


def _label(one: Entry) -> str:
    return f"{_NAMES[one['library']]} · {one['label'].partition(' · ')[2]}"


def _panel(axis: Any, rows: list[Entry], key: str, title: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = [one.get(key) or 0.0 for one in rows]
    there = [value for value in values if value]
    axis.barh(range(len(rows)), values, height=0.68, color=[_COLOURS[o["library"]] for o in rows])
    logarithmic = max(there) / min(there) >= _LOG_FROM
    ends = list(values)
    if key == "query_p50_ms":
        ends = [one["query_p95_ms"] for one in rows]
        axis.hlines(range(len(rows)), values, ends, color="#333333", linewidth=1)
        axis.plot(ends, range(len(rows)), "|", color="#333333", markersize=7)
    if logarithmic:
        axis.set_xscale("log")
        axis.set_xlim(min(there) / 2.2, max(ends) * 3.2)
        axis.xaxis.set_major_locator(LogLocator(10, (1.0, 3.0), numticks=6))
        axis.xaxis.set_minor_formatter(NullFormatter())
        title += "\nlogarithmic axis"
    else:
        axis.set_xlim(0, max(ends) * 1.25)
        axis.locator_params(axis="x", nbins=4)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    for place, (value, end) in enumerate(zip(values, ends, strict=True)):
        text = _figure(value) if value else "not measured"
        axis.annotate(
            text, (end, place), (5, 0), textcoords="offset points", va="center", fontsize=8
        )
    axis.set_title(title, fontsize=9)
    axis.tick_params(axis="x", labelsize=8)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _figure(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"
