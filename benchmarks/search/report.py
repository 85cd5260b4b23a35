"""Render the result of the benchmark: Markdown tables and a plot of recall against latency.

::

    python -m benchmarks.search.report

reads ``benchmarks/results/search.json``, prints the tables, and draws
``benchmarks/plots/search.png`` where matplotlib is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..harness import RESULTS, Results
from ..harness.pictures import finish, picture

_HEAD = (
    "engine", "setting", "p50 ms", "p95 ms", "recall@10", "nDCG@10", "exact: nDCG@10", "queries/s",
    "MB",
)  # fmt: skip

Run = dict[str, Any]
Cases = dict[str, Run]


def runs_of(cases: Cases, size: int, threads: int) -> list[Run]:
    """Return the runs of one size and number of threads that have figures."""
    runs = [run for key, run in cases.items() if key.endswith(f"/{size}/{threads}")]
    return [run for run in runs if "settings" in run]


def searches(run: Run) -> Iterator[Run]:
    """Yield the settings of a run that were measured."""
    return (setting for setting in run["settings"] if "p50_ms" in setting)


def markdown(cases: Cases) -> str:
    """Render a table a size and number of threads, and one of the builds."""
    parts = []
    for size, threads in sorted({_key(run) for run in cases.values()}):
        runs = runs_of(cases, size, threads)
        if runs:
            parts.append(f"### {size:,} passages, {threads} thread{'s' * (threads > 1)}")
            parts.append(_table(_HEAD, [_row(run, one) for run in runs for one in searches(run)]))
            parts.append(_builds(runs))
    failures = [run for run in cases.values() if "error" in run]
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


def draw(cases: Cases) -> None:
    """Draw recall against latency, one panel a size and number of threads."""
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    keys = sorted({_key(run) for run in cases.values()}, key=lambda key: (key[0], -key[1]))
    keys = [key for key in keys if runs_of(cases, *key)]
    labels = list(dict.fromkeys(run["label"] for run in cases.values()))
    rows = -(-len(keys) // 2)
    with picture("search", rows, 2, size=(12.8, 4.6 * rows)) as (_, panels):
        for panel, (size, threads) in zip(panels.flat, keys, strict=False):
            for run in runs_of(cases, size, threads):
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
            panel.set_title(f"{size:,} passages, {threads} thread{'s' * (threads > 1)}")
            finish(panel, "milliseconds a query (p50)", "recall@10 against exact MaxSim")
        for panel in panels.flat[len(keys) :]:
            panel.set_visible(False)


def draw_scale(cases: Cases) -> None:
    """Draw latency against the size of the index, one line a preset."""
    points = sorted(cases.values(), key=lambda point: point["passages"])
    with picture("search_scale", size=(6.4, 4.4)) as (_, panels):
        panel = panels[0, 0]
        for number, last in enumerate(points[-1]["settings"]):
            panel.plot(
                [point["passages"] for point in points],
                [point["settings"][number]["p50_ms"] for point in points],
                marker="o",
                label=f"preset {last['preset']}, recall {last['recall']:.2f} at the end",
            )
        panel.set_xscale("log")
        panel.set_yscale("log")
        finish(panel, "passages (100 vectors each)", "milliseconds a query (p50)")


def main() -> None:
    """Print the tables and draw the plots."""
    cases = Results(RESULTS / "search.json").cases
    print(markdown(cases))  # noqa: T201
    try:
        draw(cases)
        draw_scale(Results(RESULTS / "search_scale.json").cases)
    except ModuleNotFoundError as error:
        print(f"No plot: {error}. Install matplotlib.")  # noqa: T201


if __name__ == "__main__":
    main()
