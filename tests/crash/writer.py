"""Writes for ever, and says after each commit what it committed; made to be killed.

It loads all that a writer needs, and then makes writers by forking, so that hundreds of them cost
little: a line ``folder seed file`` on its input makes one that speaks into the file. The answers
are its process id, and, once it is dead, its status.
"""

from __future__ import annotations

import os
import random
import sys
from dataclasses import replace

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.retriever.maintenance import compaction


def main(folder: str, seed: int) -> None:
    chance = random.Random(seed)
    with Retriever.open(folder, model="hash") as retriever:
        step = 0
        while True:
            step += 1
            write(retriever, chance, seed, step)
            announce("done", seed, step, [])


def prepare(kind: str) -> None:
    """Load what writing takes, so that kills fall into the writing."""
    if kind == "compressed":  # and merged, at a handful of passages
        compaction.DEFAULT_POLICY = replace(
            compaction.DEFAULT_POLICY, auto_vectors=60, fan_in=3, smallest_tier=16
        )
    Retriever.from_texts([f"zebra {number}" for number in range(60)], model="hash").close()


def breed() -> None:
    """Make writers until nobody asks for more."""
    for line in sys.stdin:
        folder, seed, path = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
            main(folder, int(seed))
        answer(f"made {child}")
        answer(f"ended {os.waitpid(child, 0)[1]}")


def answer(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def write(retriever: Retriever, chance: random.Random, seed: int, step: int) -> None:
    """Announce one write and do it."""
    names = sorted({f"p{chance.randrange(40)}" for _ in range(chance.randint(1, 4))})
    drawn = chance.random()
    if drawn < 0.08:
        announce("optimize", seed, step, names)
        retriever.optimize(forget_after=0)
    elif drawn < 0.16:
        announce("copy", seed, step, names)
        copy(retriever, f"{seed}-{step}")
    elif drawn < 0.3:
        announce("delete", seed, step, names)
        retriever.delete(names)
    else:
        announce("add", seed, step, names)
        texts = [f"{name} run{seed} step{step} zebra" for name in names]
        retriever.add(texts, ids=names, metadata=[{"step": step}] * len(names))


def copy(retriever: Retriever, name: str) -> None:
    """Make a backup beside the index, and restore it."""
    copies = retriever.path.with_name("copies")
    retriever.backup(copies / name)
    Retriever.restore(copies / name, copies / f"{name}-restored").close()


def announce(what: str, seed: int, step: int, names: list[str]) -> None:
    answer(f"{what} {seed} {step} {','.join(names)}")


if __name__ == "__main__":
    prepare(sys.argv[1])
    breed()
