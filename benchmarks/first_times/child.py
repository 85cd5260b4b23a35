"""The child of this benchmark: does one job with the library of one checkout."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WORDS, ASKED = 120, 8
BATCH = 20_000
ADDED, QUESTIONS = 20, 3  # passages added one by one, and questions of a kind after each
WHERES: dict[str, Any] = {
    "indexed": {"lang": "en"},
    "indexed, the other half": {"lang": {"$ne": "en"}},
    "indexed, a range": {"year": {"$gte": 2012}},
    "not indexed": {"half": "a"},
    "not indexed, a list": {"half": {"$in": ["a", "c"]}},
    "both": {"year": {"$gte": 2012}, "half": "a"},
}
Times = dict[str, dict[str, float]]


def passages(path: Path) -> list[str]:
    """Return the texts of a file, cut."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        words = json.loads(line)["text"].split()
        starts = range(0, len(words) - WORDS + 1, WORDS)
        found += [" ".join(words[start : start + WORDS]) for start in starts]
    return found


def build(job: dict[str, Any]) -> dict[str, Any]:
    """Make the indexes that are not there yet."""
    import numpy as np

    from lfm2_colbert_rag import Retriever

    texts, folder = passages(Path(job["texts"])), Path(job["folder"])
    for size in job["sizes"]:
        target = folder / f"{job['model']}-{size}"
        if not target.exists():
            with made(target) as path, Retriever.open(path, model=job["model"]) as retriever:
                retriever.add(texts[:size], ids=[str(n) for n in range(size)], progress=False)
    target = folder / f"filtered-{job['filtered']}"
    if target.exists():
        return {}
    chance = np.random.default_rng(0)
    with made(target) as path, Retriever.open(path, model="hash", lexical=False) as retriever:
        for start in range(0, job["filtered"], BATCH):
            numbers = range(start, min(start + BATCH, job["filtered"]))
            retriever.add_vectors(
                list(chance.standard_normal((len(numbers), 1, 32), np.float32)),
                [f"{number} {texts[number % len(texts)]}" for number in numbers],
                ids=[str(number) for number in numbers],
                metadata=list(map(told, numbers)),
                progress=False,
            )
        for field in ("lang", "year"):
            retriever.create_filter_index(field)
    return {}


class made:  # noqa: N801 - used as a function
    """Gives a path, which is given its name once all went well."""

    def __init__(self, target: Path) -> None:
        self._target, self._beside = target, target.with_name(f"{target.name}.tmp")

    def __enter__(self) -> Path:
        shutil.rmtree(self._beside, ignore_errors=True)
        return self._beside

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._beside.replace(self._target)


def told(number: int) -> dict[str, Any]:
    """Return the metadata of a passage."""
    return {
        "lang": ["en", "de"][number % 2], "half": ["a", "b"][number % 2],
        "year": 2000 + number % 25, "source": f"folder/file-{number // 100}.txt",
        "page": number % 100,
    }  # fmt: skip


def timed(call: Callable[..., object], *given: Any, **options: Any) -> tuple[float, float]:
    """Call, and return milliseconds by the clock, and of the processors."""
    began = time.perf_counter(), time.process_time()
    call(*given, **options)
    return 1e3 * (time.perf_counter() - began[0]), 1e3 * (time.process_time() - began[1])


def filters(index: Path) -> Times:
    """Time each filter in one process."""
    from lfm2_colbert_rag import Retriever

    found: Times = {}
    with Retriever.open(index) as retriever:
        for name, where in WHERES.items():
            found[f"{name}: first"] = as_figures([timed(retriever.count, where)])
            more = [timed(retriever.count, where) for _ in range(5)]
            found[f"{name}: later"] = as_figures(more)
        for number in range(3):
            vector = [[[float(number + n) for n in range(32)]]]
            retriever.add_vectors(vector, ["new"], ids=["new"], metadata=[told(number)])
            retriever.delete([str(number)])
            for name, where in WHERES.items():
                known = found.get(f"{name}: after a commit")
                now = as_figures([timed(retriever.count, where)])
                found[f"{name}: after a commit"] = least(known, now)
    return found


def questions(index: Path, texts: list[str]) -> Times:
    """Time questions to one collection."""
    from lfm2_colbert_rag import Retriever

    asked: Iterator[str] = (" ".join(text.split()[:ASKED]) for text in reversed(texts))
    taken: dict[str, list[tuple[float, float]]] = {}
    with Retriever.open(index) as retriever:

        def ask(name: str, mode: Any) -> None:
            text = next(asked)
            taken.setdefault(name, []).append(timed(retriever.search, text, mode=mode))

        ask("first of all", "hybrid")
        for _ in range(5):
            ask("warming", "late")
            ask("warming", "hybrid")
        del taken["warming"]
        for number in range(ADDED):
            new, ids = [texts[-1 - number]], [f"new-{number}"]
            add = timed(retriever.add, new, ids=ids, progress=False)
            taken.setdefault("add", []).append(add)
            ask("first hybrid after an add", "hybrid")
            for _ in range(QUESTIONS):
                ask("hybrid", "hybrid")
                ask("late", "late")
    return {name: as_figures(times) for name, times in taken.items()}


def as_figures(times: list[tuple[float, float]]) -> dict[str, float]:
    """Return percentiles of clocks and processors."""
    import numpy as np

    clock, cpu = zip(*times, strict=True)
    named = {"p50_ms": (clock, 50), "p95_ms": (clock, 95), "cpu_p50_ms": (cpu, 50)}
    return {name: round(float(np.percentile(*one)), 2) for name, one in named.items()}


def least(known: dict[str, float] | None, now: dict[str, float]) -> dict[str, float]:
    """Return the less of each figure."""
    return now if known is None else {name: min(known[name], now[name]) for name in now}


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job; an index is copied first, since passages are added to it."""
    sys.path.insert(0, job["checkout"])
    if job["do"] == "build":
        return build(job)
    with tempfile.TemporaryDirectory(dir=job["folder"]) as folder:
        index = Path(folder, "copy.index")
        shutil.copytree(job["index"], index)
        if job["do"] == "filters":
            return {"times": filters(index)}
        return {"times": questions(index, passages(Path(job["texts"])))}


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1] / "harness"))
    from inside import serve

    serve(measure, ("lfm2-colbert-rag", "numpy"))
