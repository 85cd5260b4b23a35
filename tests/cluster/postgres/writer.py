"""Adds a stream, and says after each batch how many were added; made to be killed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from lfm2_colbert_rag import Retriever

PASSAGES, BATCH = 600, 20


def passages(number: int) -> Iterator[dict[str, Any]]:
    """Yield the same passages each time."""
    for place in range(number):
        words = (f"w{(place + 1) * step % 9973}" for step in range(1, 9))
        yield {"id": f"p{place}", "text": " ".join(words), "metadata": {"n": place}}


def main(address: str) -> None:
    """Add the stream."""
    with Retriever.open(address, model="hash") as retriever:
        for start in range(0, PASSAGES, BATCH):
            part = list(passages(start + BATCH))[start:]
            retriever.add(
                [one["text"] for one in part],
                ids=[one["id"] for one in part],
                metadata=[one["metadata"] for one in part],
            )
            sys.stdout.write(f"{len(part)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
