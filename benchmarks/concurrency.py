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

import multiprocessing as mp
import shutil
import time
from itertools import islice
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever

from .harness import Busy, Results, command, percentiles, say
from .harness.corpora import read_lines
from .readers_and_writer import TWINS, WARM_UP, passage, read, write

READERS = 4
ALONE_SECONDS = 30.0

Figures = dict[str, Any]


def run(folder: Path, texts: list[str], seconds: float, *, writing: bool) -> Figures:
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
    foreign = busy.foreign(sum(one["cpu"] for one in [*outcomes, told] if one))
    times = [t for one in outcomes for t in one["times"]]
    errors = [error for one in outcomes for error in one["errors"]]
    return {
        "seconds": seconds, "foreign_cores": foreign,
        "searches": len(times), "twins_read": sum(one["twins"] for one in outcomes),
        **percentiles(times, (50, 95, 99)), "errors": len(errors), "examples": errors[:5],
        **({"writer": {**told, "errors": len(told["errors"]), "examples": told["errors"][:5]}}
           if writing else {}),
    }  # fmt: skip


def build(folder: Path, texts: list[str]) -> None:
    """Make the index, its twins first."""
    shutil.rmtree(folder, ignore_errors=True)
    with Retriever.open(folder, model="nano", storage="compressed") as retriever:
        names = [f"twin{number}{side}" for side in "ab" for number in range(TWINS)]
        names += [f"text{place}" for place in range(len(names), len(texts))]
        told = [{"version": 0}] * len(texts)
        retriever.add([passage(text, 0) for text in texts], ids=names, metadata=told)


def main() -> None:
    """Run both phases, verify the index, and write the result."""
    parser = command(__doc__, "concurrency", "scratch", passages=3_000)
    parser.add_argument("--texts", type=Path, required=True, help="JSON lines with a text each")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--name", default="idle machine", help="of the run, in the result")
    args = parser.parse_args()
    texts = [row["text"] for row in islice(read_lines(args.texts), args.passages)]
    folder = args.scratch / "concurrency.index"
    build(folder, texts)
    alone = run(folder, texts, ALONE_SECONDS, writing=False)
    both = run(folder, texts, 60 * args.minutes, writing=True)
    with Retriever.open(folder) as retriever:
        figures = {
            "passages": len(texts), "readers": READERS, "alone": alone, "with a writer": both,
            "problems": retriever.verify(progress=False), "live passages": len(retriever),
        }  # fmt: skip
    Results(args.out).put(args.name, figures)
    say(figures)


if __name__ == "__main__":
    main()
