"""What comes of the rounds of a small collection, and its table."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..harness import percentiles
from .quality import Places, overlap

Figures = dict[str, Any]

_HEAD = ("passages", "engine", "p50 ms", "p95 ms", "beside ours", "CPU ms", "resident MB",
         "recall@10")  # fmt: skip
_IN_WORDS = "Retriever.search"


def put_together(turns: list[Figures], base: list[Figures], truth: list[Places]) -> Figures:
    """Put the rounds of one contender together."""
    seconds = [second for turn in turns for second in turn["seconds"]]
    ids = [found for turn in turns for found in turn["ids"]]
    medians, ours = ([float(np.median(turn["seconds"])) for turn in of] for of in (turns, base))
    return {
        **percentiles(seconds),
        "cpu_ms": 1e3 * sum(turn["cpu_seconds"] for turn in turns) / len(seconds),
        "ratio": float(np.median(np.divide(medians, ours))) if len(ours) == len(medians) else None,
        "recall": overlap(ids, truth[: len(ids)]),
        "resident_mb": max(turn["resident_mb"] for turn in turns),
        "own_memory_mb": max(turn["own_memory_mb"] for turn in turns),
        "foreign_cores": max(turn["foreign_cores"] for turn in turns),
        "measured": len(ids),
    }


def markdown(cases: dict[str, Figures]) -> str:
    """Render the table, smallest collection first.

    What is asked in words has no recall here: words and the query adapter of an index of many
    languages change the ranking on purpose.
    """
    lines = [_HEAD, ["---"] * len(_HEAD)]
    for one in sorted(cases.values(), key=lambda one: one["size"]):
        if "error" in one:
            lines.append((f"{one['size']:,}", one["label"], one["error"], *[""] * 5))
            continue
        ratio = "" if one["ratio"] is None else f"{one['ratio']:.1f} ×"
        recall = "–" if _IN_WORDS in one["label"] else f"{one['recall']:.3f}"
        lines.append(
            (
                f"{one['size']:,}", one["label"], f"{one['p50_ms']:.1f}", f"{one['p95_ms']:.1f}",
                ratio, f"{one['cpu_ms']:.1f}", f"{one['resident_mb']:,.0f}", recall,
            )
        )  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
