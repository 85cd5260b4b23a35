"""Small collections: exact search beside its peers, in turns.

::

    python -m benchmarks.search.small --scratch DIR --evaluation DIR

Every contender holds the same vectors, and is asked with the same vectors, or through
``Retriever.search`` with the same questions in words, which are encoded within the time that is
measured. All of a size are open at once and asked in turns, no question twice; ``ratio`` is the
median over the rounds of what a contender takes beside our index alone. fast-plaid runs beside
torch 2.11 only, which pip has with CUDA alone, 5 GB; ``--only ours lancedb pylate sentence`` does
without. Writes ``benchmarks/results/search_small.json`` and prints its table.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.testing import HashEncoder

from ..harness import Busy, Results, command, in_turn, say
from ..harness.environments import Interpreter, interpreters
from ..harness.standing import StandingChild
from .contenders import Contender
from .corpus import build_corpus, questions_about, tiny_corpus
from .quality import exact_best
from .small_contenders import OURS, PEERS, TORCHES
from .small_report import Figures, markdown, put_together
from .vectors import encode_corpus, load_vectors

Rounds = dict[str, list[Figures]]

_CHILD = Path(__file__).with_name("small_peers.py")
_OWN_ONLY = 100  # a size at which peers are not asked
_MOST_ASKED = 300  # of a set


def vector_set(args: argparse.Namespace) -> Path:
    """Return the folder of the vectors, which are made if they are not there."""
    folder: Path = args.vectors or args.scratch / "small-vectors"
    if not (folder / "corpus.json").exists():
        if args.tiny:
            encode_corpus(tiny_corpus(), HashEncoder(), folder)
        else:
            corpus = build_corpus(args.evaluation, [], max(args.sizes))
            about = questions_about(args.evaluation, corpus.passages, _MOST_ASKED)
            questions, relevant = map(list, zip(*about, strict=True))
            encode_corpus(
                replace(corpus, questions=questions, relevant=relevant),
                load_encoder("nano"),
                folder,
            )
    return folder


def pythons(args: argparse.Namespace, wanted: list[Contender]) -> dict[str, Interpreter | str]:
    """Return the interpreter of each environment that is needed."""
    names = {one.environment for one in wanted}
    found: dict[str, Interpreter | str] = {}
    for torch, environments in TORCHES.values():
        needed = [one for one in environments if one.name in names]
        found |= interpreters(needed, args.scratch / "envs", torch, args.python)
    return found


def measure(
    args: argparse.Namespace,
    size: int,
    wanted: list[Contender],
    found: dict[str, Interpreter | str],
) -> dict[str, Figures]:
    """Ask all contenders of one size in turns; the figures by the contender's name."""
    vectors = load_vectors(args.vectors)
    truth = exact_best(vectors.first(size), vectors.queries)
    children: dict[str, StandingChild] = {}
    told: dict[str, Figures] = {}
    rounds: Rounds = {}
    try:
        for one in wanted:
            told[one.name] = {"label": one.label, "size": size, "threads": args.threads}
            python = found[one.environment]
            if isinstance(python, str):
                told[one.name]["error"] = f"No environment: {python}"
                continue
            child = children[one.name] = _start(args, size, one, python)
            told[one.name] |= child.opened
            say(f"{one.name}/{size}", child.opened)
        ready = [one for one in children if "error" not in told[one]]
        for number, name in in_turn(ready, args.rounds):
            first = number * args.queries
            busy = Busy.now()
            turn = children[name].ask(first=first, last=first + args.queries)
            if "error" in turn:
                told[name] |= turn
                continue
            turn["foreign_cores"] = busy.foreign(turn["cpu_seconds"])
            rounds.setdefault(name, []).append(turn)
    finally:
        for child in children.values():
            child.close()
    base = rounds.get(OURS[0].name, [])
    return {
        name: told[name] | (put_together(rounds[name], base, truth) if name in rounds else {})
        for name in told
    }


def _start(
    args: argparse.Namespace, size: int, one: Contender, python: Interpreter
) -> StandingChild:
    model = "hash" if args.tiny else "nano"
    vectors = str(args.vectors.resolve())
    base = args.scratch / "indexes" / f"small-{one.name}-{size}"
    job = {
        "engine": one.engine, "vectors": vectors, "size": size, "index": str(base),
        "threads": args.threads, "options": one.settings[0].options,
        "build": one.build if one.build else {},
    }  # fmt: skip
    if one.engine not in ("ours", "fast-plaid", "lancedb"):
        job["build"] = {"vectors": vectors, "model": model}
    return StandingChild(python.python, _CHILD, job, base, threads=args.threads, timeout=args.limit)


def main() -> None:
    """Run the benchmark."""
    parser = command(__doc__, "search_small", "scratch", vectors=None, only=None, queries=20,
                     rounds=3, threads=2, again=False, tiny=False, python=[])  # fmt: skip
    parser.add_argument("--evaluation", type=Path, help="of a new vector set: judged sets")
    parser.add_argument("--sizes", type=int, nargs="+", default=[_OWN_ONLY, 400, 1_500])
    parser.add_argument("--limit", type=float, default=300, help="seconds for one answer")
    args = parser.parse_args()
    args.scratch = args.scratch.resolve()
    args.vectors = vector_set(args)
    results = Results(args.out, queries=args.queries, rounds=args.rounds)
    wanted = [one for one in (*OURS, *PEERS) if one.name.startswith(tuple(args.only or ("",)))]
    found = pythons(args, wanted)
    for size in args.sizes:
        asked = [one for one in wanted if one in OURS or size > _OWN_ONLY]
        for name, figures in measure(args, size, asked, found).items():
            results.put(f"{name}/{size}", figures)
            say(name, size, figures)
    print(markdown(results.cases))  # noqa: T201


if __name__ == "__main__":
    main()
