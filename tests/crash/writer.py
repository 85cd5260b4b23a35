"""Writes for ever, and says after each commit what it committed; made to be killed."""

from __future__ import annotations

import random
import sys

from lfm2_colbert_rag import Retriever


def main(folder: str, seed: int) -> None:
    chance = random.Random(seed)
    with Retriever.open(folder, model="hash") as retriever:
        step = 0
        while True:
            step += 1
            names = [f"p{chance.randrange(40)}" for _ in range(chance.randint(1, 4))]
            names = sorted(set(names))
            if chance.random() < 0.25:
                announce("delete", seed, step, names)
                retriever.delete(names)
            else:
                announce("add", seed, step, names)
                texts = [f"{name} run{seed} step{step} zebra" for name in names]
                retriever.add(texts, ids=names, metadata=[{"step": step}] * len(names))
            announce("done", seed, step, [])


def announce(what: str, seed: int, step: int, names: list[str]) -> None:
    sys.stdout.write(f"{what} {seed} {step} {','.join(names)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
