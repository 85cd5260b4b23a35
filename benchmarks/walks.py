"""How far a call walks through the package: modules, changes of module, calls and SQL statements.

::

    python -m benchmarks.walks --checkout OTHER .    # side by side; each with its own .venv, if any

Writes ``benchmarks/results/walks.json``, a case a checkout, named by its commit. How it counts:
``sys.setprofile`` reports every call of Python code in the calling thread; those whose code lies in
the folder of the package count: functions, methods, comprehensions, every time a generator goes on.
Modules are the files of that code; a change of module is a call whose file is not that of the
counted call before it, so returns count for nothing, nor does what numpy, SQLite or numba do in
between. Statements are what SQLite reports to ``set_trace_callback`` of any connection:
transactions, pragmas and statements of triggers count. The index holds 40 passages of 12 words with
the hash model; a call like it was made before, so that nothing is imported, opened or compiled
while it is counted; its ``where``, the query of "hybrid" and the words to add are new. Searches
want three hits, queries have six of 600 different words.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

FIGURES = ("modules", "changes", "calls", "statements")
_WORDS = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in "dfgklmnrst"]


def passages(number: int, words: int, seed: int) -> list[str]:
    """Make texts."""
    chance = random.Random(seed)
    return [" ".join(chance.choices(_WORDS, k=words)) for _ in range(number)]


class Counter:
    """Counts what happens in the folder of a package while a call runs."""

    def __init__(self, package: Path) -> None:
        self._package = str(package)
        self._files: list[str] = []
        self.statements: list[str] = []

    def count(self, call: Callable[[], object]) -> dict[str, int]:
        """Run a call and say how far it walked."""
        self._files.clear()
        self.statements.clear()
        sys.setprofile(self._see)
        try:
            call()
        finally:
            sys.setprofile(None)
        changes = sum(a != b for a, b in pairwise(self._files))
        figures = len(set(self._files)), changes, len(self._files), len(self.statements)
        return dict(zip(FIGURES, figures, strict=True))

    def _see(self, frame: Any, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(self._package):
            self._files.append(frame.f_code.co_filename)


def walk(checkout: Path) -> dict[str, dict[str, int]]:
    """Count every walk in the package of a checkout; in a process that has not imported it yet."""
    counter = Counter(checkout / "lfm2_colbert_rag")
    connect = sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(counter.statements.append)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]
    sys.path.insert(0, str(checkout))
    from lfm2_colbert_rag import Retriever

    texts, found = passages(40, 12, seed=1), {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Retriever.open(Path(folder) / "walks.index", model="hash") as retriever,
    ):
        told = [{"year": 2000 + number, "language": "en"} for number in range(40)]
        retriever.add(texts, metadata=told, progress=False)
        wheres = [{"year": {"$gte": year}, "language": "en"} for year in (2010, 2020)]
        queries = [" ".join(texts[one].split()[:6]) for one in (7, 9)]

        def add(number: int, words: int, turn: int) -> object:
            return retriever.add(passages(number, words, 90 * turn + words), progress=False)

        calls: dict[str, Callable[[int], object]] = {
            "late": lambda turn: retriever.search(queries[0], 3),
            "late, where": lambda turn: retriever.search(queries[0], 3, where=wheres[turn]),
            "hybrid": lambda turn: retriever.search(queries[turn], 3, mode="hybrid"),
            "add, 6 words": lambda turn: add(1, 6, turn + 1),
            "stats": lambda turn: retriever.stats(),
            "add, 60 words": lambda turn: add(1, 60, turn + 1),
            "add, 100 × 60 words": lambda turn: add(100, 60, turn + 100),
        }
        for name, call in calls.items():
            call(0)
            found[name] = counter.count(partial(call, 1))
    return found


def table(cases: dict[str, dict[str, Any]]) -> str:
    """Render the walks as Markdown, checkouts side by side."""
    head = ["modules / changes / calls / SQL", *cases]
    rows = [
        [name, *(" / ".join(f"{case['walks'][name][one]:,}" for one in FIGURES)
                 for case in cases.values())]
        for name in next(iter(cases.values()))["walks"]
    ]  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def main() -> None:
    """Count in each checkout, with a Python of its own, and show all side by side."""
    from .harness import Results, command
    from .harness.children import run_child
    from .harness.machine import commit

    parser = command(__doc__, "walks")
    parser.add_argument("--checkout", type=Path, nargs="+", default=[Path()])
    args = parser.parse_args()
    results = Results(args.out)
    for checkout in map(Path.resolve, args.checkout):
        own = checkout / ".venv" / "bin" / "python"
        python = own if own.exists() else Path(sys.executable)
        job = {"checkout": str(checkout)}
        with tempfile.TemporaryDirectory() as scratch:
            base = Path(scratch, "walks")
            counted = run_child(python, Path(__file__), job, base, threads=1, timeout=600)
        if "error" in counted:
            sys.exit(f"{checkout}: {counted['error']}")
        results.put(commit(checkout) or checkout.name, {"walks": counted["walks"]})
    print(table(results.cases))  # noqa: T201 - what it is for


if __name__ == "__main__" and __package__:
    main()
elif __name__ == "__main__":  # as a child: what is measured decides what can be imported
    sys.path.append(str(Path(__file__).parent / "harness"))
    from inside import serve

    serve(lambda job: {"walks": walk(Path(job["checkout"]))}, ("lfm2-colbert-rag", "numpy"))
