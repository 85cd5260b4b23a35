"""An encoder that knows what it has encoded before, so that no benchmark encodes a text twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lfm2_colbert_rag import TokenVectors
from lfm2_colbert_rag.encoder.protocol import Progress


class Remembering:
    """An encoder that keeps the vectors of every text it has seen.

    Args:
        encoder: encodes what is new.

    Attributes:
        documents: the vectors of documents, by text.
        queries: those of queries.
    """

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self.documents: dict[str, TokenVectors] = {}
        self.queries: dict[str, TokenVectors] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    @property
    def vectors(self) -> int:
        """How many vectors all documents have."""
        return sum(map(len, self.documents.values()))

    def encode_query(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Encode what is new."""
        return _remembered(texts, self.queries, self._encoder.encode_query)

    def encode_document(
        self, texts: Sequence[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """Encode what is new."""
        return _remembered(texts, self.documents, self._encoder.encode_document)


def _remembered(
    texts: Sequence[str],
    known: dict[str, TokenVectors],
    encode: Callable[[list[str]], list[TokenVectors]],
) -> list[TokenVectors]:
    new = [text for text in dict.fromkeys(texts) if text not in known]
    known.update(zip(new, encode(new) if new else [], strict=True))
    return [known[text] for text in texts]
