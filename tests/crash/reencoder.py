"""Optimizes an index by encoding its texts again, and dies after so many of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.encoder.protocol import Progress
from lfm2_colbert_rag.retriever.maintenance import reencoding
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenVectors


class Dying(HashEncoder):
    """Kills its process."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def encode_document(
        self, texts: Sequence[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """Encode texts until there were too many."""
        self._left -= len(texts)
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_document(texts, progress=progress)


def main(folder: str, after: int) -> None:
    """Encode segment by segment."""
    reencoding.GROUP_VECTORS = 1
    with Retriever.open(folder, model=Dying(after)) as retriever:
        retriever.optimize(reencode=True, progress=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
