"""Render the result of the benchmark: a Markdown table and a plot.

::

    python -m benchmarks.encode.report

reads ``benchmarks/results/encode.json``, prints the table, and draws
``benchmarks/plots/encode.png`` where matplotlib is installed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
Report = dict[str, Any]

_HERE = Path(__file__).resolve().parents[1]
_PEER_FLOAT32, _PEER_BFLOAT16 = "pylate-float32", "pylate-bfloat16"


def measured(report: Report) -> dict[str, Entry]:
    """Return the contenders that have figures."""
    return {name: one for name, one in report["contenders"].items() if "error" not in one}


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


def markdown(report: Report) -> str:
    """Render the tables and what one must know to read them."""
    entries = measured(report)
    parts = [_figures(report), _ratios(entries), _failures(report), _conditions(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _figures(report: Report) -> str:
    entries = measured(report)
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


def _failures(report: Report) -> str:
    failed = [one for one in report["contenders"].values() if "error" in one]
    if not failed:
        return ""
    return "Could not be measured:\n\n" + "\n".join(
        f"- {one['label']}: `{one['error']}`" for one in failed
    )


def _conditions(report: Report) -> str:
    settings, machine = report["settings"], report["machine"]
    lengths = settings["document_lengths"]
    flags = ", ".join(flag for flag, there in machine["flags"].items() if there) or "none"
    sentences = [
        f"Model: {settings['model']}. {_where(report)}, {settings['threads']} threads; "
        f"{machine['cpu']} ({machine['cores']} cores, of the vector extensions asked for: "
        f"{flags}).",
        f"Medians of {settings['rounds']} rounds, every contender in a fresh process, in turns; "
        f"{settings['queries']} different queries of 32 positions one at a time; "
        f"{settings['documents']} documents of {lengths['shortest']}–{lengths['longest']} tokens "
        f"(median {lengths['median']}) in one call. {_batches(report)}",
        "Peak memory is the process's high-water mark, mapped files included; the environment is "
        "all of site-packages but pip; the start is that of a second process, caches warm.",
    ]
    notes = {one["environment_note"] for one in report["contenders"].values()} - {""}
    sentences += sorted(notes)
    quiet = report["quiet"]
    if not quiet["is_quiet"]:
        sentences.insert(
            0,
            f"**Not quiet:** other programs kept {quiet['foreign_cores_median']} cores busy "
            f"(median; at most {quiet['foreign_cores_most']}), so these figures are noise.",
        )
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _where(report: Report) -> str:
    return report["machine"].get("accelerator") or report["settings"]["device"].upper()


def _batches(report: Report) -> str:
    """Say which batch sizes the peers' figures are from."""
    said = []
    for one in measured(report).values():
        tried = list(one["document_seconds_by_batch"])
        if len(tried) > 1:
            said.append(f"{one['batch']} for {one['label']} (of {', '.join(tried)})")
    return f"Documents in the best batch size: {'; '.join(said)}." if said else ""


def _short(value: float) -> str:
    """Write a figure with about three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def plot(report: Report, file: Path) -> None:
    """Draw the figures as bars, a panel each."""
    import matplotlib as mpl

    mpl.use("Agg")
    from .plot import draw

    figure = draw(report, measured(report))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150, facecolor="white")


def main(arguments: Sequence[str] | None = None) -> None:
    """Render a result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--result", type=Path, default=_HERE / "results" / "encode.json")
    parser.add_argument("--png", type=Path, help="default: plots/NAME OF THE RESULT.png")
    parser.add_argument("--table", type=Path, help="write the tables here, too")
    args = parser.parse_args(arguments)
    report = json.loads(args.result.read_text(encoding="utf-8"))
    text = markdown(report)
    print(text)  # noqa: T201 - what this script is for
    if args.table:
        args.table.write_text(text, encoding="utf-8")
    try:
        plot(report, args.png or _HERE / "plots" / f"{args.result.stem}.png")
    except ModuleNotFoundError as error:
        print(f"No plot: {error}. It needs `pip install matplotlib`.")  # noqa: T201


if __name__ == "__main__":
    main()
