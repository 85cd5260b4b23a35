"""Render the result of the benchmark: Markdown tables and a plot of recall against latency.

::

    python -m benchmarks.search.report

reads ``benchmarks/results/search.json``, prints the tables, and draws
``benchmarks/plots/search.png`` where matplotlib is installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
RESULT, PLOT = HERE / "results" / "search.json", HERE / "plots" / "search.png"
SCALE, SCALE_PLOT = HERE / "results" / "search_scale.json", HERE / "plots" / "search_scale.png"
_HEAD = (
    "engine", "setting", "p50 ms", "p95 ms", "recall@10", "nDCG@10", "exact: nDCG@10", "queries/s",
    "MB",
)  # fmt: skip

Run = dict[str, Any]


def runs_of(report: Run, size: int, threads: int) -> list[Run]:
    """Return the runs of one size and number of threads that have figures."""
    runs = [run for key, run in report["runs"].items() if key.endswith(f"/{size}/{threads}")]
    return [run for run in runs if "settings" in run]


def searches(run: Run) -> Iterator[Run]:
    """Yield the settings of a run that were measured."""
    return (setting for setting in run["settings"] if "p50_ms" in setting)


def markdown(report: Run) -> str:
    """Render a table a size and number of threads, and one of the builds."""
    parts = []
    for size, threads in sorted({_key(run) for run in report["runs"].values()}):
        runs = runs_of(report, size, threads)
        if runs:
            parts.append(f"### {size:,} passages, {threads} thread{'s' * (threads > 1)}")
            parts.append(_table(_HEAD, [_row(run, one) for run in runs for one in searches(run)]))
            parts.append(_builds(runs))
    failures = [run for run in report["runs"].values() if "error" in run]
    parts += [f"{run['label']}, {run['size']:,} passages: {run['error']}" for run in failures]
    return "\n\n".join(parts) + "\n"


def _key(run: Run) -> tuple[int, int]:
    return run["size"], run["threads"]


def _row(run: Run, setting: Run) -> Sequence[str]:
    return (
        run["label"],
        setting["setting"],
        f"{setting['p50_ms']:.1f}",
        f"{setting['p95_ms']:.1f}",
        f"{setting['recall']:.3f}",
        f"{setting['ndcg']:.3f}",
        f"{setting['exact_ndcg']:.3f}",
        f"{setting['queries_per_second']:.1f}",
        f"{setting['peak_memory_mb']:.0f}",
    )


def _builds(runs: Sequence[Run]) -> str:
    head = ("engine", "build s", "peak MB", "bytes a vector on disk")
    rows = [
        (
            run["label"],
            f"{run['build']['build_seconds']:.1f}",
            f"{run['build']['build_peak_memory_mb']:.0f}",
            f"{run['bytes_per_vector']:.1f}",
        )
        for run in runs
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw(report: Run, path: Path = PLOT) -> None:
    """Draw recall against latency, one panel a size and number of threads."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    keys = sorted({_key(run) for run in report["runs"].values()}, key=lambda key: (key[0], -key[1]))
    keys = [key for key in keys if runs_of(report, *key)]
    labels = list(dict.fromkeys(run["label"] for run in report["runs"].values()))
    rows = -(-len(keys) // 2)
    figure, panels = plt.subplots(rows, 2, figsize=(12.8, 4.6 * rows), squeeze=False)
    for panel, (size, threads) in zip(panels.flat, keys, strict=False):
        for run in runs_of(report, size, threads):
            points = sorted((one["p50_ms"], one["recall"]) for one in searches(run))
            panel.plot(
                *zip(*points, strict=True),
                marker="o",
                linewidth=2.4 if run["name"].startswith("ours") else 1.2,
                color=f"C{labels.index(run['label'])}",
                label=run["label"],
            )
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.xaxis.set_minor_formatter("")
        panel.set_xlabel("milliseconds a query (p50)")
        panel.set_ylabel("recall@10 against exact MaxSim")
        panel.set_title(f"{size:,} passages, {threads} thread{'s' * (threads > 1)}")
        panel.grid(alpha=0.3, which="both")
        panel.legend(fontsize=8, loc="lower right")
    for panel in panels.flat[len(keys) :]:
        panel.set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def draw_scale(report: Run, path: Path = SCALE_PLOT) -> None:
    """Draw latency against the size of the index, one line a rung."""
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=(6.4, 4.4))
    points = report["points"]
    for number, rung in enumerate(one["rung"] for one in points[-1]["settings"]):
        shown = [(p["passages"], p["settings"][number]) for p in points]
        panel.plot(
            [size for size, _ in shown],
            [one["p50_ms"] for _, one in shown],
            marker="o",
            label=f"rung {rung}, recall {shown[-1][1]['recall']:.2f} at the end",
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel("passages (100 vectors each)")
    panel.set_ylabel("milliseconds a query (p50)")
    panel.grid(alpha=0.3, which="both")
    panel.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the tables and draw the plots."""
    report = json.loads(RESULT.read_text(encoding="utf-8"))
    print(markdown(report))  # noqa: T201
    try:
        draw(report)
        if SCALE.exists():
            draw_scale(json.loads(SCALE.read_text(encoding="utf-8")))
    except ModuleNotFoundError as error:
        print(f"No plot: {error}. Install matplotlib.")  # noqa: T201


if __name__ == "__main__":
    main()
