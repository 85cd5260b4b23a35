"""Render the result of the benchmark: a Markdown table and a plot.

::

    python -m benchmarks.encode.report

reads ``benchmarks/results/encode.json``, prints the table, and draws
``benchmarks/plots/encode.png`` where matplotlib is installed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from ..harness import RESULTS, Results
from .conditions import Entry, conditions, measured
from .plot import draw

_PEER_FLOAT32, _PEER_BFLOAT16 = "pylate-float32", "pylate-bfloat16"


def best_of(entries: Iterable[Entry], library: str) -> dict[str, Entry]:
    """Return the best configurations of a library: for queries and for documents."""
    own = [one for one in entries if one["library"] == library]
    if not own:
        return {}
    return {
        "query": min(own, key=lambda one: one["query_p50_ms"]),
        "document": max(own, key=lambda one: one["document_tokens_per_second"]),
    }


def ratios(entry: Entry, query: Entry, document: Entry) -> tuple[float, float]:
    """Return how many times as fast an entry is: for queries and for documents."""
    return (
        query["query_p50_ms"] / entry["query_p50_ms"],
        entry["document_tokens_per_second"] / document["document_tokens_per_second"],
    )


def markdown(results: Results) -> str:
    """Render the tables and what one must know to read them."""
    entries = measured(results)
    parts = [_figures(entries), _ratios(entries), _failures(results), conditions(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _figures(entries: dict[str, Entry]) -> str:
    bulk = any("queries_per_second" in one for one in entries.values())
    device = any("device_peak_memory_mb" in one for one in entries.values())
    head = ["", "query p50 / p95, ms", "documents, tokens/s", "peak memory, MB",
            "environment, MB", "start to first query, s"]  # fmt: skip
    head += ["queries/s", "documents/s"] if bulk else []
    head += ["device memory, MB"] if device else []
    lines = [_row(*head), _row("---", *["---:"] * (len(head) - 1))]
    for one in entries.values():
        size = one["environment_mb"]
        cells = [
            one["label"],
            f"{_short(one['query_p50_ms'])} / {_short(one['query_p95_ms'])}",
            _short(one["document_tokens_per_second"]),
            _short(one["peak_memory_mb"]),
            _short(size) if size else "–",
            f"{one['start_seconds']:.1f}",
        ]
        if bulk:
            cells += [_short(one["queries_per_second"]), _short(one["documents_per_second"])]
        if device:
            cells += [_short(one["device_peak_memory_mb"])]
        lines.append(_row(*cells))
    return "\n".join(lines)


def _ratios(entries: dict[str, Entry]) -> str:
    columns: list[tuple[str, Entry, Entry]] = []
    for name in (_PEER_FLOAT32, _PEER_BFLOAT16):
        if name in entries:
            columns.append((entries[name]["label"], entries[name], entries[name]))
    best = best_of(entries.values(), "sentence-transformers")
    if best:
        chosen = dict.fromkeys(
            one["label"].partition(" · ")[2] for one in (best["query"], best["document"])
        )
        label = f"best of sentence-transformers ({', '.join(chosen)})"
        columns.append((label, best["query"], best["document"]))
    own = [one for one in entries.values() if one["library"] == "ours"]
    if not (columns and own):
        return ""
    lines = [
        "Times as fast, queries (p50) / documents (tokens/s):",
        "",
        _row("", *(f"than {label}" for label, _, _ in columns)),
        _row("---", *["---:"] * len(columns)),
    ]
    for one in own:
        cells = [ratios(one, query, document) for _, query, document in columns]
        lines.append(_row(one["label"], *(f"{a:.1f}× / {b:.1f}×" for a, b in cells)))
    return "\n".join(lines)


def _failures(results: Results) -> str:
    failed = [one for one in results.cases.values() if "error" in one]
    if not failed:
        return ""
    return "Could not be measured:\n\n" + "\n".join(
        f"- {one['label']}: `{one['error']}`" for one in failed
    )


def _short(value: float) -> str:
    """Write a figure with about three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main() -> None:
    """Render a result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--result", type=Path, default=RESULTS / "encode.json")
    parser.add_argument("--png", type=Path, help="default: plots/NAME OF THE RESULT.png")
    args = parser.parse_args()
    results = Results(args.result)
    print(markdown(results))  # noqa: T201 - what this script is for
    try:
        draw(results, str(args.png or args.result.stem))
    except ModuleNotFoundError as error:
        print(f"No plot: {error}. It needs `pip install matplotlib`.")  # noqa: T201


if __name__ == "__main__":
    main()
