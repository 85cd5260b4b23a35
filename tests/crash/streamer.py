"""Adds a stream, and says after each batch how far it is; made to be killed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from lfm2_colbert_rag import Retriever

PASSAGES, BATCH, WORDS = 2000, 100, 12


def passages() -> Iterator[dict[str, Any]]:
    """Yield the same passages each time."""
    for number in range(PASSAGES):
        words = (f"w{number * place % 9973}" for place in range(1, WORDS))
        yield {"id": f"p{number}", "text": f"zebra {' '.join(words)}", "metadata": {"n": number}}


def main(folder: str) -> None:
    """Add the stream; what is due on the way becomes due early."""
    with Retriever.open(folder, model="hash", storage="compressed") as retriever:
        retriever.add_stream(passages(), batch=BATCH, progress=say)


def say(finished: int) -> None:
    """Tell whoever reads that it goes on."""
    sys.stdout.write(f"{finished}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
