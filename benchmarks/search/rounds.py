"""Runs a contender: builds its index where there is none, then searches, each in a process."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..harness import percentiles
from ..harness.children import run_child
from .contenders import Contender, Setting
from .quality import Places, ndcg, overlap
from .vectors import VectorSet

Result = dict[str, Any]

_CHILD = Path(__file__).with_name("peers.py")


@dataclass(frozen=True)
class Run:
    """A contender on a corpus.

    Attributes:
        contender: the contender.
        python: that has its library.
        vectors: folder of the vector set.
        size: number of passages.
        scratch: for indexes and results. An index that is there is not built again, nor is one
            that could not be built: delete its ``.json`` for another attempt.
        threads: that it may use; the index is built with those of the first run.
        limit_s: seconds that one process may take.
        queries: number of queries.
        seconds: after which no further query is begun in one setting.
    """

    contender: Contender
    python: Path
    vectors: Path
    size: int
    scratch: Path
    threads: int
    limit_s: float
    queries: int
    seconds: float

    @property
    def index(self) -> Path:
        """The index's folder; what its build took lies beside it in ``.json``."""
        return self.scratch / "indexes" / f"{self.contender.name}-{self.size}"

    def child(self, task: str, **job: Any) -> Result:
        """Let a process do something."""
        job |= {
            "task": task, "engine": self.contender.engine, "vectors": str(self.vectors.resolve()),
            "size": self.size, "index": str(self.index), "threads": self.threads,
        }  # fmt: skip
        base = self.index.with_name(f"{self.index.name}.{task}")
        return run_child(self.python, _CHILD, job, base, threads=self.threads, timeout=self.limit_s)


def measure(run: Run, vectors: VectorSet, exact: list[Places]) -> Result:
    """Build and search; whatever fails is said under ``error`` and not raised.

    Args:
        run: who, and how.
        vectors: the passages of the run.
        exact: their best passages for each query.

    Returns:
        What was built, as ``build``, and for each of ``settings`` its figures.
    """
    relevant = vectors.relevant[: run.queries]
    result: Result = {"build": _build(run), "exact_ndcg": ndcg(exact[: run.queries], relevant)}
    if "error" in result["build"]:
        return {"error": f"No index: {result['build']['error']}"}
    result["bytes_per_vector"] = result["build"]["disk_bytes"] / result["build"]["vectors"]
    settings = run.contender.settings
    result["settings"] = [_search(run, setting, vectors, exact) for setting in settings]
    return result


def _build(run: Run) -> Result:
    record = run.index.with_suffix(".json")
    if record.exists():
        return json.loads(record.read_text(encoding="utf-8"))
    result = run.child("build", build=run.contender.build)
    if "error" in result:
        shutil.rmtree(run.index, ignore_errors=True)
    record.write_text(json.dumps(result), encoding="utf-8")
    return result


def _search(run: Run, setting: Setting, vectors: VectorSet, exact: list[Places]) -> Result:
    told: Result = {"setting": setting.name, "options": setting.options}
    found = run.child("search", options=setting.options, queries=run.queries, seconds=run.seconds)
    if "error" in found:
        return told | found
    seconds, ids = found.pop("seconds"), found.pop("ids")
    asked = len(ids)
    return {
        **told,
        **found,
        **percentiles(seconds),
        "recall": overlap(ids, exact[:asked]),
        "ndcg": ndcg(ids, vectors.relevant[:asked]),
        "exact_ndcg": ndcg(exact[:asked], vectors.relevant[:asked]),
        "measured": asked,
    }
