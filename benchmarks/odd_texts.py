"""What a megabyte of one thing costs: adding it, asking with it, and how long others wait.

::

    python -m benchmarks.odd_texts [--model nano] [--only dots marks]

Another thread looks at the clock all the time: the longest gap between two looks is how long a
server would not have answered anybody. Beside it stands that of plain Python, which gives way every
five milliseconds: so much of it is the machine's. Kernels are made ready before. Writes
``benchmarks/results/odd_texts.json``, a case a kind.
"""

from __future__ import annotations

import random
import resource
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from lfm2_colbert_rag import Retriever, warm

from .harness import Clock, Results, command, say

SIZE = 1_000_000
WORDS = ("the", "index", "keeps", "some", "bits", "of", "every", "token", "vector", "and", "scale")


def kinds() -> dict[str, Callable[[int], str]]:
    """Return what makes a text of so many characters of each kind."""
    chance = random.Random(7)

    def words(size: int) -> str:
        return " ".join(chance.choices(WORDS, k=size // 4))

    def distinct(size: int) -> str:
        return " ".join(f"{chance.getrandbits(40):x}" for _ in range(size // 10))

    return {
        "dots": lambda size: "." * size,
        "dashes": lambda size: "-" * size,
        "a.a.": lambda size: "a." * (size // 2),
        "1.1.": lambda size: "1." * (size // 2),
        "one word": lambda size: "w" * size,
        "marks": lambda size: "e" + "\u0301" * size,
        "emoji": lambda size: "\U0001f469\u200d" * (size // 2),
        "words": words,
        "distinct words": distinct,
    }


class Watch:
    """Looks at the clock in a thread of its own while something else is done.

    Attributes:
        longest_gap: the longest time between two looks, in seconds.
    """

    def __init__(self) -> None:
        self.longest_gap = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        last = time.perf_counter()
        while not self._stop.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            self.longest_gap = max(self.longest_gap, now - last)
            last = now


def measure(work: Callable[[], Any]) -> dict[str, float]:
    """Return seconds, and the longest gap in milliseconds."""
    with Watch() as watch, Clock() as clock:
        work()
    return {"seconds": clock.seconds, "gap_ms": 1000 * watch.longest_gap}


def loop(times: int = 300_000) -> None:
    """Keep the interpreter busy for some seconds."""
    for _ in range(times):
        sum(range(1000))


def ask(retriever: Retriever, text: str, mode: Any) -> None:
    """Ask, and find out what matched."""
    for hit in retriever.search(text, mode=mode):
        _ = hit.evidence


def steps_of(retriever: Retriever, text: str) -> dict[str, Callable[[], Any]]:
    """Return what is done with a text, by name."""
    one = np.ones((1, retriever.encoder.dim), np.float32)
    return {
        # What is done with its words, once vectors are there; then with the model's work.
        "words": lambda: retriever.add_vectors([one], [text], ids=["odd"]),
        "delete": lambda: retriever.delete(["odd"]),
        "add": lambda: retriever.add([text], ids=["odd"]),
        "late": lambda: ask(retriever, text, "late"),
        "lexical": lambda: ask(retriever, text, "lexical"),
        "hybrid": lambda: ask(retriever, text, "hybrid"),
        "explain": lambda: str(retriever.explain(text, "odd")),
        "delete again": lambda: retriever.delete(["odd"]),
    }


def main() -> None:
    """Measure each kind and write what it took."""
    parser = command(__doc__, "odd_texts", model="hash", only=None)
    parser.add_argument("--size", type=int, default=SIZE, help="characters of a text")
    args = parser.parse_args()
    results = Results(args.out, model=args.model, size=args.size)
    warm(args.model)
    results.put("plain Python", measure(loop))
    with Retriever.from_texts(
        ["a first text"], ids=["first"], model=args.model, storage="exact"
    ) as retriever:
        for work in steps_of(retriever, "a text to warm up with").values():
            work()
        for name, make in kinds().items():
            if args.only and not name.startswith(tuple(args.only)):
                continue
            steps = steps_of(retriever, make(args.size))
            figures: dict[str, Any] = {step: measure(work) for step, work in steps.items()}
            figures["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            results.put(f"{name}, {args.model}", figures)
            told = ", ".join(
                f"{step} {figures[step]['seconds']:.2f} s / {figures[step]['gap_ms']:.0f} ms"
                for step in steps
            )
            say(f"{name}: {told}")


if __name__ == "__main__":
    sys.exit(main())
