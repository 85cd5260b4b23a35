"""Results that are written after every step, so that a run that was stopped goes on."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.encode.machine import describe
from lfm2_colbert_rag.evaluation.results import ModeResult

PACKAGES = ("lfm2-colbert-rag", "ir-measures", "bm25s", "numpy")


class Record:
    """A JSON file.

    Args:
        path: is read where it is there.
        empty: what it holds otherwise.
    """

    def __init__(self, path: Path, empty: dict[str, Any]) -> None:
        self._path = path
        self.values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else empty

    def write(self, measured: dict[str, Any]) -> None:
        """Write all, and on ``measured``, a part of it, when and on what it was measured."""
        measured["measured"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        measured["machine"] = describe()
        measured["versions"] = {name: _version(name) for name in PACKAGES}
        text = json.dumps(self.values, indent=1, ensure_ascii=False)
        self._path.write_text(text + "\n", encoding="utf-8")


def show_means(result: ModeResult) -> dict[str, list[float]]:
    """Return mean, lower and upper bound of each measure."""
    return {
        name: [round(value, 4) for value in (mean.mean, mean.low, mean.high)]
        for name, mean in result.means.items()
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except ModuleNotFoundError:
        return None
