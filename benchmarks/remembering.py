"""Encoders that know what they have encoded before, so that no benchmark encodes a text twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lfm2_colbert_rag.encoder.protocol import Progress
from lfm2_colbert_rag.types import TokenVectors


class Remembering:
    """An encoder that keeps the vectors of every query it has seen."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self.queries: dict[str, TokenVectors] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_query(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Encode what is new."""
        return _remembered(texts, self.queries, self._encoder.encode_query)


class RememberingAll(Remembering):
    """One that keeps those of every document as well."""

    def __init__(self, encoder: Any) -> None:
        super().__init__(encoder)
        self.documents: dict[str, TokenVectors] = {}

    @property
    def vectors(self) -> int:
        """How many vectors all documents have."""
        return sum(map(len, self.documents.values()))

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
