"""The side of the tests: asks a nursery to play cases, and says what went wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .matrix import JSON_ENVIRONMENT, ONE_ENVIRONMENT
from .outcomes import FAULTS

ROOT = Path(__file__).parents[2]
# One thread each: a forked process would wait for ever for those that it has lost.
_SINGLE = dict.fromkeys(
    ("LFM2_COLBERT_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
_SHOWN = 12


class Client:
    """Speaks with a nursery of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **_SINGLE, "TOKENIZERS_PARALLELISM": "false"},
        )

    def play(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Play cases, and return for each its name and its outcomes."""
        results = []
        for name in names:
            self._process.stdin.write(f"{name}\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            assert line, f"the nursery died at {name}; its own words are above"
            results.append(json.loads(line))
        _write_failures(results)
        return results

    def close(self) -> None:
        """Let it go."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def require_no_faults(results: Sequence[dict[str, Any]]) -> None:
    """Fail with one line a faulty case, and how to play it again."""
    faulty = [(result, faults) for result in results if (faults := faults_of(result))]
    lines = []
    for result, faults in faulty[:_SHOWN]:
        first = faults[0]
        lines.append(
            f"{first['outcome']} in {first['step']}: {first['what'][:200]}"
            + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else "")
            + f"\n    {ONE_ENVIRONMENT}='{result['case']}' pytest tests/faults"
        )
    more = f"\nand {len(faulty) - _SHOWN} more" if len(faulty) > _SHOWN else ""
    assert not faulty, f"{len(faulty)} of {len(results)} cases:\n" + "\n".join(lines) + more


def faults_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outcomes that the library must not have, the gravest first."""
    faults = [one for one in result["outcomes"] if one["outcome"] in FAULTS]
    return sorted(faults, key=lambda one: one["outcome"] not in ("CRASH", "HANG"))


def _write_failures(results: Sequence[dict[str, Any]]) -> None:
    path = os.environ.get(JSON_ENVIRONMENT)
    if path:
        lines = [
            json.dumps({**result, "outcomes": faults}) + "\n"
            for result in results
            if (faults := faults_of(result))
        ]
        with Path(path).open("a", encoding="utf-8") as file:
            file.write("".join(lines))
