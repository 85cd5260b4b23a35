"""Adds passages to a pooling index, and dies once their distance is fitted."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.encoder.protocol import Progress
from lfm2_colbert_rag.retriever.ingest import passage_encoder, pooling
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenVectors


class Dying(HashEncoder):
    """Kills its process when it is asked for what is not in the sample."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = False

    def encode_document(
        self, texts: Sequence[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """Encode texts once."""
        if self._asked:
            os.kill(os.getpid(), signal.SIGKILL)
        self._asked = True
        return super().encode_document(texts, progress=progress)


def main(folder: str) -> None:
    """Fit to half of the texts."""
    pooling.LEAST_WINDOWS, pooling.LEAST_VECTORS, passage_encoder.WINDOWS = 4, 40, 8
    texts = [" ".join(f"w{number * place % 97}" for place in range(1, 20)) for number in range(16)]
    with Retriever.open(folder, model=Dying(), pool_factor=2) as retriever:
        retriever.add(texts, progress=False)


if __name__ == "__main__":
    main(sys.argv[1])
