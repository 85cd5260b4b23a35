"""What the lexical index costs an ``add``, in CPU time a passage, against another checkout.

::

    python -m benchmarks.adding_words --texts FILE --checkout OTHER .   # each with its own .venv

``FILE`` has one JSON object with a ``text`` a line; texts are cut into passages of 60 words. Each
checkout is measured in processes of its own, in turns, and the least of its times counts: of the
analysis and of the catalog's commits, less what the same commits take in an index without terms.
``statements`` of SQL are counted by :mod:`benchmarks.walks`. Writes
``benchmarks/results/adding_words.json``, a case a checkout, named by its commit.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WORDS = 60
# Passages in an add, and passages that are added so in all, to those that are there before.
BATCHES = {1: 300, 100: 2000, 1000: 3000}
FIRST = 1000


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


def create(path: Path, lexical: bool) -> Any:
    """Make a catalog, in the way of this checkout or in that of older ones."""
    catalogs = module("storage.catalog", "catalog")
    try:
        settings = module("storage.settings").IndexSettings("none", 1, {}).to_json()
        return catalogs.Catalog.create(path, settings, lexical=lexical, durable=False)
    except TypeError:
        state = module("lexical.tables").LexicalState().to_dict()
        return catalogs.Catalog.create(path, {"lexical": state if lexical else None}, durable=False)


def spent(texts: list[str], batch: int, total: int, lexical: bool) -> float:
    """Return the CPU seconds of analysis and commits for one passage."""
    commits = module("storage.commits", "commits")
    lists = module("index.lexical.inversion", "index.lexical.postings", "lexical.postings")
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        catalog = create(Path(folder) / "catalog.sqlite", lexical)
        bounds = [0, *range(FIRST, FIRST + total + 1, batch)]
        for generation, start in enumerate(bounds[:-1], 1):
            rows = range(start, bounds[generation])
            made = [module("types").Passage(str(row), texts[row], {}) for row in rows]
            stored = [commits.StoredPassage(one + 1, made[one - start], 1, WORDS) for one in rows]
            began = time.process_time()
            postings = lists.in_parts([one.text for one in made]) if lexical else []
            catalog.commit(commits.Commit(generation, stored, postings=postings))
            seconds += time.process_time() - began if start >= FIRST else 0.0
        catalog.close()
    return seconds / total


def measure(checkout: str, texts: str) -> dict[str, float]:
    """Return the microseconds of a passage, by how many are added at once."""
    sys.path.insert(0, checkout)
    cut = passages(Path(texts))
    return {
        str(batch): 1e6 * (spent(cut, batch, n, True) - spent(cut, batch, n, False))
        for batch, n in BATCHES.items()
    }


def main() -> None:
    """Measure each checkout in turns, with a Python of its own, and show all side by side."""
    from .harness import Results, command
    from .harness.children import run_child
    from .harness.machine import commit

    parser = command(__doc__, "adding_words", rounds=3)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--checkout", type=Path, nargs="+", default=[Path()])
    args = parser.parse_args()
    results, least = Results(args.out), {}
    for _ in range(args.rounds):
        for checkout in map(Path.resolve, args.checkout):
            own = checkout / ".venv" / "bin" / "python"
            python = own if own.exists() else Path(sys.executable)
            job = {"checkout": str(checkout), "texts": str(args.texts.resolve())}
            with tempfile.TemporaryDirectory() as scratch:
                base = Path(scratch, "words")
                found = run_child(python, Path(__file__), job, base, threads=1, timeout=900)
            if "error" in found:
                sys.exit(f"{checkout}: {found['error']}")
            name, times = commit(checkout) or checkout.name, found["cpu_us"]
            best = least.setdefault(name, times)
            least[name] = {batch: min(times[batch], best[batch]) for batch in times}
            results.put(name, {"words": WORDS, "cpu_us": least[name]})
    print(json.dumps(least, indent=1))  # noqa: T201 - what it is for


if __name__ == "__main__" and __package__:
    main()
elif __name__ == "__main__":  # as a child: what is measured decides what can be imported
    sys.path.append(str(Path(__file__).parent / "harness"))
    from inside import serve

    serve(lambda job: {"cpu_us": measure(job["checkout"], job["texts"])}, ("lfm2-colbert-rag",))
