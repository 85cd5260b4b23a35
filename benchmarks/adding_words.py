"""What the lexical index costs an ``add``: SQL statements and CPU time, against another checkout.

::

    python -m benchmarks.adding_words --texts FILE --old CHECKOUT [--old-python PYTHON]

``FILE`` has one JSON object with a ``text`` a line; it is cut into passages of 60 words. Each
checkout is measured in a process of its own, in turns. CPU time is that of the analysis and of the
catalog's commit, less what the commit takes in an index without words; statements are those of a
whole ``Retriever.add`` with the ``hash`` model. Writes ``benchmarks/results/adding_words.json``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parent / "results" / "adding_words.json"
WORDS = 60
# Passages in an add, and passages that are added so in all.
BATCHES = {1: 300, 100: 2000, 1000: 3000}
FIRST = 1000  # passages that are there before


def passages(path: Path) -> list[str]:
    """Return the texts of a file, cut."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        words = json.loads(line)["text"].split()
        starts = range(0, len(words) - WORDS + 1, WORDS)
        found += [" ".join(words[start : start + WORDS]) for start in starts]
    return found


def module(*names: str) -> Any:
    """Return the first module of the package that this checkout has."""
    for name in names:
        try:
            return importlib.import_module(f"lfm2_colbert_rag.{name}")
        except ModuleNotFoundError:
            continue
    raise SystemExit(f"this checkout has none of {names}")


def spent(texts: list[str], batch: int, total: int, lexical: bool) -> float:
    """Return the CPU seconds of analysis and commits for one passage."""
    catalogs, commits = module("storage.catalog", "catalog"), module("storage.commits", "commits")
    lists = module("index.lexical.postings", "lexical.postings")
    types = module("types")
    state = module("storage.posting_sql", "lexical.tables").LexicalState().to_dict()
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.sqlite"
        settings = {"lexical": state if lexical else None}
        catalog = catalogs.Catalog.create(path, settings, durable=False)
        for generation, (start, end) in enumerate(_slices(batch, total), 1):
            stored = [
                commits.StoredPassage(row + 1, types.Passage(str(row), texts[row], {}), 1, WORDS)
                for row in range(start, end)
            ]
            began = time.process_time()
            postings = lists.in_parts(texts[start:end]) if lexical else []
            catalog.commit(commits.Commit(generation, stored, postings=postings))
            seconds += time.process_time() - began if start >= FIRST else 0.0
        catalog.close()
    return seconds / total


def _slices(batch: int, total: int) -> Iterator[tuple[int, int]]:
    yield 0, FIRST
    for start in range(FIRST, FIRST + total, batch):
        yield start, start + batch


def statements(texts: list[str], batch: int) -> int:
    """Count the SQL statements of one add to an index of some passages."""
    seen: list[str] = []
    connect = sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(seen.append)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]
    from lfm2_colbert_rag import Retriever

    with (
        tempfile.TemporaryDirectory() as folder,
        Retriever.open(Path(folder) / "index", model="hash") as retriever,
    ):
        retriever.add(texts[:500])
        seen.clear()
        retriever.add(texts[500 : 500 + batch])
        number = len(seen)
    sqlite3.connect = connect
    return number


def measure(texts: list[str]) -> dict[str, dict[str, float]]:
    """Measure the checkout that is on the path."""
    return {
        str(batch): {
            "cpu_us": 1e6 * (spent(texts, batch, n, True) - spent(texts, batch, n, False)),
            "statements": statements(texts, batch),
        }
        for batch, n in BATCHES.items()
    }


def _cpu(measured: dict[str, float]) -> float:
    return measured["cpu_us"]


def main() -> None:
    """Measure both checkouts in turns, and write the least of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--old", type=Path)
    parser.add_argument("--old-python", default=sys.executable)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    if args.old is None:
        sys.stdout.write(json.dumps(measure(passages(args.texts))))
        return
    here = Path(__file__).parents[1]
    sides = {"old": (args.old, args.old_python), "new": (here, sys.executable)}
    runs: dict[str, list[Any]] = {name: [] for name in sides}
    for _ in range(args.turns):
        for name, (checkout, python) in sides.items():
            command = [python, __file__, "--texts", str(args.texts.resolve())]
            environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
            done = subprocess.run(command, env=environment, check=True, capture_output=True)
            runs[name].append(json.loads(done.stdout))
    result: dict[str, Any] = {"machine": platform.processor() or platform.machine(), "words": WORDS}
    for batch in map(str, BATCHES):
        best = {name: min((one[batch] for one in runs[name]), key=_cpu) for name in runs}
        result[batch] = {**best, "ratio": best["old"]["cpu_us"] / best["new"]["cpu_us"]}
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
