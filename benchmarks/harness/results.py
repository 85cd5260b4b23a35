"""The result file of a benchmark, which is written after every case."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from .machine import commit, describe, versions

Figures = dict[str, Any]
_SAME = ("machine", "versions", "commit", "settings")


def say(*parts: object) -> None:
    """Print a line of progress, with the time."""
    Console(stderr=True, log_path=False).log(*parts, highlight=False)


class Results:
    """Cases that were measured, and the runs that measured them.

    Args:
        path: is read where it is there.
        settings: of this run, as far as they are the same for all its cases.

    Attributes:
        cases: figures by case, with the number of their run.
        run: when, on what, with which versions and settings the cases that come are measured.
    """

    def __init__(self, path: Path, **settings: Any) -> None:
        self._path = path
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.remark: str | None = known.get("remark")
        self.runs: dict[str, Figures] = known.get("runs", {})
        self.cases: dict[str, Figures] = known.get("cases", {})
        self.run: Figures = {
            "measured": None, "machine": describe(), "versions": versions(), "commit": commit(),
            "settings": settings,
        }  # fmt: skip
        self._number = self._run_number()

    def run_of(self, case: str) -> Figures:
        """Return the run that measured a case."""
        return self.runs[self.cases[case]["run"]]

    def put(self, case: str, figures: Figures) -> None:
        """Keep the figures of a case in place of former ones, and write the file."""
        self.run["measured"] = datetime.now(UTC).isoformat(timespec="seconds")
        self.runs[self._number] = self.run
        self.cases[case] = {"run": self._number, **figures}
        used = {one["run"] for one in self.cases.values()}
        self.runs = {number: run for number, run in self.runs.items() if number in used}
        self.write()

    def write(self) -> None:
        """Replace the file in one step, so that a run that is stopped leaves a whole one."""
        values = {"remark": self.remark} if self.remark else {}
        text = json.dumps(
            {**values, "runs": self.runs, "cases": self.cases}, indent=1, ensure_ascii=False
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(self._path)

    def _run_number(self) -> str:
        """Return the number of the run that this one continues, or a new one."""
        for number, run in self.runs.items():
            if all(run.get(name) == self.run[name] for name in _SAME):
                return number
        return str(1 + max(map(int, self.runs), default=0))
