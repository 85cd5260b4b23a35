"""What the processes of :mod:`benchmarks.concurrency` do: some read and check, one writes."""

from __future__ import annotations

import random
import time
from multiprocessing.synchronize import Barrier, Event
from typing import Any

from lfm2_colbert_rag import Retriever

from .harness import Clock

K, TWINS = 10, 200
REST = 0.05
WARM_UP = 600.0


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
            try:
                with Clock() as clock:
                    hits = retriever.search(" ".join(words[start : start + 6]) or "what", K)
                times.append(clock.seconds)
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
