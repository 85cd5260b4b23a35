"""Asks an index again and again, and says which answers it got; or writes to it, and undoes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lfm2_colbert_rag import Retriever

QUESTIONS = ["w1 w2 w3", "w4 w5 w39", "w11 w12 w13 w14", "w20"]

READ = {"written": {"$exists": False}}
"""What all passages match but the writer's."""


def say(line: str) -> None:
    """Tell whoever started this."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def answers(retriever: Retriever) -> list[list[tuple[str, float]]]:
    """Ask everything by meaning."""
    return [
        [(hit.id, hit.score) for hit in hits]
        for hits in retriever.search_many(QUESTIONS, 5, mode="late", where=READ)
    ]


def read(folder: Path, stop: Path, least: int) -> None:
    """Ask until there is a file, and at least so many questions; print each answer once."""
    seen: dict[str, int] = {}
    with Retriever.open(folder, read_only=True) as retriever:
        answers(retriever)
        say("ready")
        asked = 0
        while asked < least or not stop.exists():
            found = json.dumps(answers(retriever))
            seen[found] = seen.get(found, 0) + 1
            asked += len(QUESTIONS)
    say(json.dumps({"asked": asked, "seen": [json.loads(one) for one in seen]}))


def write(folder: Path, stop: Path) -> None:
    """Add, replace and delete passages that no question finds, until there is a file."""
    number = 0
    with Retriever.open(folder, lock_timeout=60) as retriever:
        say("ready")
        while not stop.exists():
            number += 1
            retriever.add(
                [f"other words {number}"] * 2,
                ids=["x1", f"y{number % 5}"],
                metadata=[{"written": True}] * 2,
            )
            retriever.delete([f"y{(number + 3) % 5}"])
    say(json.dumps({"asked": number, "seen": []}))


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        write(Path(sys.argv[2]), Path(sys.argv[3]))
