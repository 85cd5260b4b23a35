"""Migrates an index again and again, or back; killed by whoever started it."""

from __future__ import annotations

import sys
import time

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.encoder.protocol import Progress
from lfm2_colbert_rag.retriever.maintenance import building
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenVectors


class Slow(HashEncoder):
    """Takes its time, as models do."""

    def encode_document(
        self, texts: list[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """Encode texts, a little later."""
        time.sleep(0.003 * len(texts))
        return super().encode_document(texts, progress=progress)


def main(folder: str) -> None:
    """Migrate to the other model, forget the first, and so on."""
    building.SECONDS, building._TEXTS, building.LAST = 0.0, GROUP, 2
    with Retriever.open(folder) as retriever:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        while True:
            if not retriever.migration().can_roll_back:
                retriever.migrate(Slow(salt=0 if retriever.model == "hash:1" else 1))
            retriever.add([f"w1 w2 added {time.time()}"], ids=["added"], metadata=[{"added": True}])
            retriever.rollback()
            retriever.rollback()
            retriever.forget_previous()


GROUP = 8
"""Passages in one group."""

if __name__ == "__main__":
    main(sys.argv[1])
