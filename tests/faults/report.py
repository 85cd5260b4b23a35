"""What became of many cases, as tables for people."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .outcomes import FAULTS, NAMED, RIGHT

_COLUMNS = (RIGHT, NAMED, *FAULTS)


def table(results: Iterable[dict[str, Any]]) -> str:
    """Return one line a family, kind and way: how many cases came to what."""
    rows: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    for result in results:
        family, kind, *rest = result["case"].split(":")
        way = rest[1] if family == "damage" else rest[0]
        worst = _worst(result["outcomes"])
        rows[family, kind, way][worst] += 1
        total[worst] += 1
    lines = [("family", "kind", "way", *_COLUMNS)]
    for key, counts in sorted(rows.items()):
        lines.append((*key, *(str(counts[name] or "") for name in _COLUMNS)))
    lines.append(("all", "", "", *(str(total[name] or "") for name in _COLUMNS)))
    return _aligned(lines)


def roots(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Group faults by their root, the commonest first; a case counts once a root."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for result in results:
        faults = [one for one in result["outcomes"] if one["outcome"] in FAULTS]
        for one in {(fault["outcome"], fault["root"]): fault for fault in faults}.values():
            # Wrong answers have no frame; what was damaged says more than who noticed.
            wrong = one["outcome"].startswith("WRONG")
            root = f"{result['case'].split(':')[2]}: {one['root']}" if wrong else one["root"]
            group = found.setdefault(
                (one["outcome"], root),
                {"outcome": one["outcome"], "root": root, "cases": 0, "examples": []},
            )
            group["cases"] += 1
            if len(group["examples"]) < 5:
                group["examples"].append({"case": result["case"], **one})
    return sorted(found.values(), key=lambda group: -group["cases"])


def _worst(outcomes: Sequence[dict[str, Any]]) -> str:
    """Return the gravest of the outcomes."""
    order = ("CRASH", "HANG", "FLOOD", "OUTSIDE", "LAUNDERED", "WRONG", "RAW")
    order += ("WRONG-BUT-VERIFY-NAMES-IT", "MISNAMED", NAMED)
    found = {one["outcome"] for one in outcomes}
    return next((name for name in order if name in found), RIGHT)


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main(path: str) -> None:
    """Print the roots of the failures that were written to a file."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    for group in roots(map(json.loads, lines)):
        example = group["examples"][0]
        sys.stdout.write(
            f"{group['cases']:5}  {group['outcome']:26}  {group['root']}\n"
            f"       {example['case']}: {example['what'][:160]}\n"
        )


if __name__ == "__main__":
    main(sys.argv[1])
