"""Runs a peer: builds its index where there is none, then searches, each in a fresh process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..encode.machine import Busy, load_average
from .contenders import Contender, Setting
from .environments import EnvironmentFailedError, interpreter
from .peers import TOP

Result = dict[str, Any]

_CHILD = Path(__file__).with_name("peers.py")
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS",
            "LANCE_CPU_THREADS", "TOKIO_WORKER_THREADS")  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A contender on a corpus.

    Attributes:
        contender: the contender.
        python: that has its library.
        vectors: folder of the vector set.
        size: number of passages.
        scratch: for indexes and results.
        threads: that it may use.
        limit_s: seconds that one process may take.
        queries: number of queries; None for all.
        seconds: after which no further query is begun in one setting.
    """

    contender: Contender
    python: Path
    vectors: Path
    size: int
    scratch: Path
    threads: int
    limit_s: float
    queries: int | None = None
    seconds: float = 60

    @property
    def index(self) -> Path:
        """The index's folder; what its build took lies beside it in ``.json``."""
        return self.scratch / "indexes" / f"{self.contender.name}-{self.size}"


def run_peer(
    contender: Contender,
    vectors_dir: Path,
    size: int,
    scratch: Path,
    threads: int,
    limit_s: float = 1800,
    queries: int | None = None,
    seconds: float = 60,
) -> Result:
    """Measure a peer; whatever fails is said under ``error`` and not raised.

    Args:
        contender: one of ``PEERS``.
        vectors_dir: folder of the vector set.
        size: number of passages.
        scratch: where environments, indexes and logs are kept. An index that is there is not built
            again, nor is one that could not be built: delete its ``.json`` for another attempt.
        threads: that the library may use; the index is built with those of the first call.
        limit_s: seconds for the build, and for each setting.
        queries: number of queries; None for all that the passages answer.
        seconds: after which no further query is begun in one setting, so that ``ids`` may be fewer.

    Returns:
        ``build``, with ``build_seconds``, ``build_peak_memory_mb``, ``disk_bytes``, ``vectors``;
        ``settings``: for each what it is, and ``seconds`` and ``ids`` of each query,
        ``queries_per_second``, ``same_in_bulk``, ``open_seconds``, ``peak_memory_mb``.
    """
    scratch = scratch.resolve()
    result: Result = {"name": contender.name, "label": contender.label, "size": size}
    result["threads"] = threads
    try:
        found = interpreter(contender, scratch)
    except EnvironmentFailedError as error:
        return result | {"error": f"No environment: {error}"}
    result["environment_mb"] = found.size_mb
    run = Run(
        contender, found.python, vectors_dir, size, scratch, threads, limit_s, queries, seconds
    )
    result["build"] = _build(run)
    if "error" in result["build"]:
        return result | {"error": f"No index: {result['build']['error']}"}
    result["settings"] = [_search(run, setting) for setting in contender.settings]
    return result


def _build(run: Run) -> Result:
    record = run.index.with_suffix(".json")
    if record.exists():
        return json.loads(record.read_text(encoding="utf-8"))
    run.index.parent.mkdir(parents=True, exist_ok=True)
    result = _child(run, "build", ["--build", json.dumps(run.contender.build)])
    if "error" in result:
        shutil.rmtree(run.index, ignore_errors=True)
    record.write_text(json.dumps(result), encoding="utf-8")
    return result


def _search(run: Run, setting: Setting) -> Result:
    """Search with one setting in a process of its own, so that its memory is known."""
    arguments = ["--settings", json.dumps([setting.options]), "--seconds", str(run.seconds)]
    arguments += ["--queries", str(run.queries)] if run.queries else []
    result = _child(run, "search", arguments)
    measured = result.pop("searches", [{}])[0]
    return {"setting": setting.name, "options": setting.options} | measured | result


def _child(run: Run, task: str, arguments: Sequence[str]) -> Result:
    """Run one process to its end and return what it measured, or why it did not."""
    name = f"{run.index.name}.{task}"
    out = run.index.parent / f"{name}.result.json"
    out.unlink(missing_ok=True)
    command = [str(run.python), "-I", str(_CHILD), run.contender.engine, "--task", task]
    command += ["--vectors", str(run.vectors.resolve()), "--size", str(run.size)]
    command += ["--index", str(run.index), "--threads", str(run.threads), "--out", str(out)]
    load, busy, own = load_average(), Busy.now(), _children_seconds()
    with (run.index.parent / f"{name}.log").open("w+", encoding="utf-8", errors="replace") as log:
        try:
            done = subprocess.run(
                [*command, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=run.limit_s,
                env=_variables(run.threads),
                cwd=run.scratch,
            )
        except subprocess.TimeoutExpired:
            return {"error": f"Stopped after {run.limit_s:.0f} seconds."}
        log.seek(0)
        said = log.read().strip().splitlines()
    if not out.exists():
        return {"error": _ending(done.returncode, said)}
    foreign = Busy.now().foreign(busy, _children_seconds() - own)
    measured = json.loads(out.read_text(encoding="utf-8"))
    return measured | {"load_average_before": load, "foreign_cores": foreign}


def _ending(status: int, said: Sequence[str]) -> str:
    """Say how a process ended that left no result."""
    if status < 0:
        return f"Ended by {signal.Signals(-status).name}."
    return f"Exit status {status}: {said[-1] if said else 'no message'}"[:400]


def _variables(threads: int) -> dict[str, str]:
    """Return the environment variables of a child: as few as possible, and the same for all."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | dict.fromkeys(_THREADS, str(threads))


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def summary(setting: Result, exact: Sequence[Sequence[int]]) -> dict[str, float]:
    """Return the figures of a setting that a table has.

    Args:
        setting: one of the ``settings`` that :func:`run_peer` returns.
        exact: the places of the best passages, best first, for each query.
    """
    p50, p95 = np.percentile(setting["seconds"], (50, 95)) * 1e3
    return {
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "recall": recall(setting["ids"], exact),
        "queries_per_second": setting["queries_per_second"],
        "peak_memory_mb": setting["peak_memory_mb"],
    }


def recall(found: Sequence[Sequence[int]], exact: Sequence[Sequence[int]]) -> float:
    """Return how many of the exact best passages were found, of as many as each list has."""
    pairs = list(zip(found, exact, strict=False))
    hits = sum(len(set(ids[:TOP]) & set(best[:TOP])) for ids, best in pairs)
    return hits / max(1, sum(len(best[:TOP]) for _, best in pairs))


def exact_best(
    vectors: npt.NDArray[np.float16],
    lengths: npt.NDArray[np.int64],
    queries: Sequence[npt.NDArray[np.float32]],
    block: int = 256,
) -> list[list[int]]:
    """Return the places of the best passages for each query, by MaxSim in float32.

    Args:
        vectors: of all passages, end to end; may be mapped.
        lengths: of the passages.
        queries: ``(query vectors, dim)`` each.
        block: passages that are scored at a time.
    """
    stacked = np.concatenate(queries)
    starts = np.concatenate(([0], np.cumsum([len(query) for query in queries])))[:-1]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    scores = np.empty((len(queries), len(lengths)), dtype=np.float32)
    for first in range(0, len(lengths), block):
        last = min(first + block, len(lengths))
        part = vectors[offsets[first] : offsets[last]].astype(np.float32)
        best = np.maximum.reduceat(part @ stacked.T, offsets[first:last] - offsets[first], axis=0)
        scores[:, first:last] = np.add.reduceat(best, starts, axis=1).T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    return order.tolist()
