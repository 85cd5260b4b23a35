"""Runs what is measured in a process of its own, with as little around it as possible."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .machine import Busy, load_average

Result = dict[str, Any]

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS",
            "LANCE_CPU_THREADS", "TOKIO_WORKER_THREADS")  # fmt: skip


def run_child(
    python: Path,
    script: Path,
    job: Result,
    base: Path,
    *,
    threads: int,
    timeout: float,
    variables: Mapping[str, str] | None = None,
) -> Result:
    """Run one process to its end and return what it measured, or why it did not as ``error``.

    Args:
        python: the interpreter.
        script: a program that calls :func:`.inside.serve`.
        job: what it is to do.
        base: path of the job's files, without a suffix: job, log and result lie there.
        threads: that libraries are told to use.
        timeout: seconds that it may take.
        variables: of the environment, besides the few that every child has.
    """
    base.parent.mkdir(parents=True, exist_ok=True)
    file, out, log_file = (
        base.with_name(f"{base.name}.{name}") for name in ("job.json", "out.json", "log")
    )
    out.unlink(missing_ok=True)
    file.write_text(json.dumps(job | {"out": str(out)}), encoding="utf-8")
    command = [str(python), "-I", str(script), str(file)]
    load, busy = load_average(), Busy.now()
    with log_file.open("w+", encoding="utf-8", errors="replace") as log:
        try:
            done = subprocess.run(
                command, stdout=log, stderr=subprocess.STDOUT, check=False, timeout=timeout,
                env=environment(threads) | dict(variables or {}), cwd=base.parent,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"error": f"Stopped after {timeout:.0f} seconds."}
        log.seek(0)
        said = log.read().strip().splitlines()
    if not out.exists():
        return {"error": _ending(done.returncode, said)}
    measured: Result = json.loads(out.read_text(encoding="utf-8"))
    return measured | {"load_average_before": load, "foreign_cores": busy.foreign()}


def environment(threads: int) -> dict[str, str]:
    """Return the variables that every child has."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | dict.fromkeys(_THREADS, str(threads))


def _ending(status: int, said: Sequence[str]) -> str:
    """Say how a process ended that left no result."""
    if status < 0:
        return f"Ended by {signal.Signals(-status).name}."
    return f"Exit status {status}: {said[-1] if said else 'no message'}"[:400]
