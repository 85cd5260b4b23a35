"""A model whose vectors say what a word means, and in which language it stands.

A word of the tests is written ``de:key``: what is before the colon is the language, of which every
vector has a part; what is behind it means the same in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lfm2_colbert_rag import TokenVectors
from lfm2_colbert_rag.encoder.query_adapter import QueryAdapter
from lfm2_colbert_rag.testing import HashEncoder


@dataclass
class BiasedEncoder:
    """A :class:`HashEncoder` with a part of each vector that depends on the language alone.

    Attributes:
        bias: how large that part is beside that of the meaning, which is 1.
        query_adapter: the model's own.
    """

    bias: float = 1.0
    query_adapter: QueryAdapter | None = None

    name = "biased"
    dim = 32
    document_room = query_room = 512

    @property
    def fingerprint(self):
        return {"kind": "biased", "bias": self.bias}

    def token_spans(self, texts: Sequence[str]):
        return HashEncoder().token_spans(texts)

    def encode_query(self, texts: Sequence[str]) -> list[TokenVectors]:
        return [self._encode(text) for text in texts]

    def encode_document(self, texts: Sequence[str], *, progress=None) -> list[TokenVectors]:
        return [self._encode(text) for text in texts]

    def _encode(self, text: str) -> TokenVectors:
        (encoded,) = HashEncoder().encode_document([text.partition(":")[2]])
        (language,) = HashEncoder().encode_document([f"language {text.partition(':')[0]}"])
        vectors = encoded.vectors + self.bias * language.vectors[1]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return replace(encoded, vectors=vectors / lengths)


def without_languages(languages: Sequence[str], encoder: BiasedEncoder) -> np.ndarray:
    """Return the projection that takes out what tells some languages apart."""
    parts = [HashEncoder().encode_document([f"language {one}"])[0].vectors[1] for one in languages]
    spread = np.array(parts) - np.mean(parts, axis=0)
    directions = np.linalg.svd(spread, full_matrices=False)[2][: len(languages) - 1]
    return (np.eye(encoder.dim) - directions.T @ directions).astype(np.float32)
