"""Writes for ever, and says after each commit what it committed; made to be killed."""

from __future__ import annotations

import random
import sys

from lfm2_colbert_rag import Retriever, compaction


def main(folder: str, seed: int, kind: str) -> None:
    if kind == "compressed":  # and merged, at a handful of passages
        compress_early()
    chance = random.Random(seed)
    with Retriever.open(folder, model="hash") as retriever:
        step = 0
        while True:
            step += 1
            write(retriever, chance, seed, step)
            announce("done", seed, step, [])


def compress_early() -> None:
    """Load what compresses, too, so that kills fall into the writing."""
    compaction.AUTO_VECTORS, compaction.FAN_IN, compaction.SMALLEST_TIER = 60, 3, 16
    Retriever.from_texts([f"zebra {number}" for number in range(60)], model="hash").close()


def write(retriever: Retriever, chance: random.Random, seed: int, step: int) -> None:
    """Announce one write and do it."""
    names = sorted({f"p{chance.randrange(40)}" for _ in range(chance.randint(1, 4))})
    drawn = chance.random()
    if drawn < 0.08:
        announce("optimize", seed, step, names)
        retriever.optimize(forget_after=0)
    elif drawn < 0.3:
        announce("delete", seed, step, names)
        retriever.delete(names)
    else:
        announce("add", seed, step, names)
        texts = [f"{name} run{seed} step{step} zebra" for name in names]
        retriever.add(texts, ids=names, metadata=[{"step": step}] * len(names))


def announce(what: str, seed: int, step: int, names: list[str]) -> None:
    sys.stdout.write(f"{what} {seed} {step} {','.join(names)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
