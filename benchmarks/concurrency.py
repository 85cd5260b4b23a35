"""Four processes that read an index while a fifth one writes to it, for ten minutes.

Readers ask questions and check what they get: as many hits as wanted, in order, every text of the
version that its metadata says, and twins, which are only ever written together, of one version.
The writer replaces, adds and deletes in small commits, and optimizes now and then. First readers
are alone for a while, which says what writes cost them::

    python -m benchmarks.concurrency --texts corpus.jsonl --scratch DIR [--minutes 10]

``corpus.jsonl`` has a ``text`` a line, some thousands. Readers rest a twentieth of a second between
questions, as people do longer. Writes ``benchmarks/results/concurrency.json``, each run under its
name.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import random
import shutil
import time
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from lfm2_colbert_rag import Retriever

from .encode.machine import Busy, describe

RESULT = Path(__file__).parent / "results" / "concurrency.json"
READERS, K, TWINS = 4, 10, 200
ALONE_SECONDS = 30.0
REST = 0.05
WARM_UP = 600.0

Result = dict[str, Any]


def passage(text: str, version: int) -> str:
    """A text that says of which version it is."""
    return f"{text}\nv{version}"


def read(
    folder: str, seed: int, texts: list[str], ready: Barrier, stop: Event, results: Any
) -> None:
    """Ask until told to stop, and check every answer."""
    chance, times, errors, twins = random.Random(seed), [], [], 0
    with Retriever.open(folder) as retriever:
        retriever.search("warm up")
        ready.wait(WARM_UP)
        while not stop.is_set():
            words = chance.choice(texts).split()
            start = chance.randrange(max(1, len(words) - 6))
            began = time.perf_counter()
            try:
                hits = retriever.search(" ".join(words[start : start + 6]) or "what", K)
                times.append(time.perf_counter() - began)
                errors += check(hits)
                name = f"twin{chance.randrange(TWINS)}"
                pair = retriever.get([f"{name}a", f"{name}b"])
                twins += 1
                versions = {one.metadata["version"] for one in pair}
                if len(pair) != 2 or len(versions) != 1:
                    errors.append(f"torn: {name} has {versions}")
            except Exception as error:  # whatever it is, it must not happen
                errors.append(f"{type(error).__name__}: {error}")
            time.sleep(REST)
    results.put({"times": times, "errors": errors, "twins": twins, "cpu": time.process_time()})


def check(hits: list[Any]) -> list[str]:
    """What is wrong with an answer."""
    wrong = []
    if len(hits) != K:
        wrong.append(f"{len(hits)} hits instead of {K}")
    if [hit.score for hit in hits] != sorted((hit.score for hit in hits), reverse=True):
        wrong.append("hits are out of order")
    wrong += [
        f"torn: {hit.id} has text {hit.text[-6:]!r} and version {hit.metadata['version']}"
        for hit in hits
        if not hit.text.endswith(f"\nv{hit.metadata['version']}")
    ]
    return wrong


def write(folder: str, texts: list[str], ready: Barrier, stop: Event, results: Any) -> None:
    """Replace, add and delete until told to stop."""
    chance, commits, optimized, version, errors = random.Random(1), 0, 0, 0, []
    added: list[str] = []
    with Retriever.open(folder) as retriever:
        ready.wait(WARM_UP)
        while not stop.is_set():
            version += 1
            number = chance.randrange(TWINS)
            twins = [f"twin{number}a", f"twin{number}b"]
            fresh = [f"extra{version}.{place}" for place in range(4)]
            chosen = [texts[number], texts[number + TWINS], *chance.choices(texts, k=4)]
            try:
                retriever.add(
                    [passage(text, version) for text in chosen], ids=twins + fresh,
                    metadata=[{"version": version}] * 6, progress=False,
                )  # fmt: skip
                added += fresh
                commits += 1
                if len(added) > 400:
                    retriever.delete([added.pop(chance.randrange(len(added))) for _ in range(40)])
                    commits += 1
                if version % 100 == 0:
                    retriever.optimize(progress=False)
                    optimized += 1
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
            time.sleep(0.2)
    told = {"commits": commits, "optimized": optimized, "cpu": time.process_time()}
    results.put({**told, "errors": errors})


def run(folder: Path, texts: list[str], seconds: float, *, writing: bool) -> Result:
    """Let readers work for a while, with the writer or without."""
    context, busy = mp.get_context("spawn"), Busy.now()
    stop, results, written = context.Event(), context.Queue(), context.Queue()
    ready = context.Barrier(READERS + writing + 1)
    arguments = [(str(folder), seed, texts, ready, stop, results) for seed in range(READERS)]
    processes = [context.Process(target=read, args=one) for one in arguments]
    if writing:
        processes.append(
            context.Process(target=write, args=(str(folder), texts, ready, stop, written))
        )
    for process in processes:
        process.start()
    ready.wait(WARM_UP)
    time.sleep(seconds)
    stop.set()
    outcomes = [results.get(timeout=300) for _ in range(READERS)]
    told = written.get(timeout=300) if writing else {}
    for process in processes:
        process.join()
    foreign = Busy.now().foreign(busy, sum(one["cpu"] for one in [*outcomes, told] if one))
    times = np.array([t for one in outcomes for t in one["times"]]) * 1000
    errors = [error for one in outcomes for error in one["errors"]]
    return {
        "seconds": seconds, "foreign_cores": foreign,
        "searches": len(times), "twins_read": sum(one["twins"] for one in outcomes),
        "p50_ms": float(np.median(times)), "p95_ms": float(np.quantile(times, 0.95)),
        "p99_ms": float(np.quantile(times, 0.99)), "errors": len(errors), "examples": errors[:5],
        **({"writer": {**told, "errors": len(told["errors"]), "examples": told["errors"][:5]}}
           if writing else {}),
    }  # fmt: skip


def main() -> None:
    """Run both phases, verify the index, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--passages", type=int, default=3_000)
    parser.add_argument("--name", default="idle machine", help="of the run, in the result")
    args = parser.parse_args()
    lines = args.texts.read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines][: args.passages]
    folder = args.scratch / "concurrency.index"
    shutil.rmtree(folder, ignore_errors=True)
    with Retriever.open(folder, model="nano", index="compressed") as retriever:
        names = [f"twin{number}{side}" for side in "ab" for number in range(TWINS)]
        names += [f"text{place}" for place in range(len(names), len(texts))]
        retriever.add(
            [passage(text, 0) for text in texts], ids=names, metadata=[{"version": 0}] * len(texts)
        )
    alone = run(folder, texts, ALONE_SECONDS, writing=False)
    both = run(folder, texts, 60 * args.minutes, writing=True)
    with Retriever.open(folder) as retriever:
        problems = retriever.verify(progress=False)
        result = {
            "machine": describe(), "passages": len(texts), "readers": READERS, "alone": alone,
            "with a writer": both, "problems": problems, "live passages": len(retriever),
        }  # fmt: skip
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    known[args.name] = result
    RESULT.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    Console().print_json(json.dumps(result))


if __name__ == "__main__":
    main()
