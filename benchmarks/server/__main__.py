"""What a server adds to a search, how many it answers, and what it does under too many.

::

    python -m benchmarks.server --data DIR --scratch DIR [--model nano] [--passages 10000]
        [--only overhead clients ingest overload soak rerank tools]

``--data`` holds the judged sets; their passages are indexed, their questions asked, no question
twice, so that none is found in a cache. Clients are in a process of their own, on the same cores.
``overhead``: one client in turn with a search in this process. ``clients``: sixteen, beside
sixteen threads in this process. ``ingest``: searches at a steady pace while passages stream in.
``overload``: three times what was answered, whether or not it is answered. ``soak``: as many
requests as ``--requests`` says. ``rerank``: texts of the index, unknown ones, and some again.
``tools``: an agent's search over MCP in turn with one of our own API. Writes
``benchmarks/results/server.json``.
"""

from __future__ import annotations

import os
import shutil
from itertools import islice
from pathlib import Path

from lfm2_colbert_rag import Retriever

from ..harness import Results, command, say
from ..harness.corpora import read_lines
from .bench import Bench
from .parts import PARTS
from .serving import serving

LONGEST = 300  # characters of a passage


def passages(data: Path, most: int) -> list[str]:
    """Return passages of the judged sets, as short as paragraphs of manuals."""
    rows = (row for file in sorted(data.glob("*/corpus.jsonl")) for row in read_lines(file))
    found = (row["text"][:LONGEST] for row in rows if row.get("text"))
    return list(islice(dict.fromkeys(found), most))


def questions(data: Path) -> list[str]:
    """Return questions of the judged sets, in all their languages."""
    rows = (row for file in sorted(data.glob("*/queries.jsonl")) for row in read_lines(file))
    found = (row.get("text") or row.get("en") for row in rows)
    more = (
        row[code]
        for row in read_lines(data / "xquad" / "queries.jsonl")
        for code in ("de", "es", "ar", "zh", "ru", "tr")
    )
    return list(dict.fromkeys(filter(None, [*found, *more])))


def build(folder: Path, texts: list[str], model: str) -> None:
    """Make the index, unless it is there with as many passages."""
    if folder.exists():
        with Retriever.open(folder) as retriever:
            if len(retriever) == len(texts):
                return
        shutil.rmtree(folder)
    with Retriever.open(folder, model=model) as retriever:
        retriever.add(texts, ids=[f"p{place}" for place in range(len(texts))], progress=True)
        retriever.optimize()


def main() -> None:
    """Measure the parts, and write the result after each."""
    parser = command(__doc__, "server", "data", "scratch", passages=10_000, only=None, model="nano")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    args = parser.parse_args()
    os.environ["LFM2_COLBERT_KERNELS"] = "wait"  # as the server does before it is ready
    args.scratch.mkdir(parents=True, exist_ok=True)
    texts, asked = passages(args.data, args.passages), questions(args.data)
    folder = args.scratch / f"{Path(args.model).name}.index"
    build(folder, texts, args.model)
    results = Results(args.out, passages=len(texts), model=args.model)
    for name, measure in PARTS.items():
        if args.only is not None and name not in args.only:
            continue
        copy = folder
        if name == "ingest":
            copy = args.scratch / "ingest.index"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder, copy)
        with serving(args.scratch, copy) as served, Retriever.open(copy, read_only=True) as own:
            bench = Bench(served, own, copy.stem, texts, asked, args.seconds, args.requests)
            figures = measure(bench)
        results.put(f"{Path(args.model).name}, {name}", figures)
        say(name, figures)


if __name__ == "__main__":
    main()
