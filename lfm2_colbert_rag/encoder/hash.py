"""An encoder that needs no weights: every word has a vector of its own."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice

import numpy as np
import numpy.typing as npt

from ..types import TokenMatrix, TokenVectors
from .config import NORMAL_FORM
from .normal_form import normal_form
from .protocol import Fingerprint, Progress

_WORD = re.compile(r"\w+|[^\w\s]")
_SHORT = 32  # characters of a word that is worth remembering


class HashEncoder:
    """Gives every distinct word (case-folded) its own fixed pseudo-random unit vector.

    Equal words match with cosine 1, different words with a cosine near 0, so the passage that
    shares the most words with the query wins: retrieval one can reason about in a test. The vectors
    are the same on every machine and in every process.

    Args:
        dim: width of the vectors.
        document_length: words of a passage that are kept.
        query_length: words of a query that are kept.

    Example:
        >>> encoder = HashEncoder()
        >>> encoder.encode_query(["Hello world"])[0].vectors.shape
        (2, 32)
    """

    def __init__(self, dim: int = 32, document_length: int = 512, query_length: int = 512) -> None:
        self._dim = dim
        self._document_length = document_length
        self._query_length = query_length
        self._longest = max(document_length, query_length)

    @property
    def name(self) -> str:
        """The name that :func:`~lfm2_colbert_rag.encoder.load_encoder` knows it by."""
        return "hash"

    @property
    def dim(self) -> int:
        """Width of a token vector."""
        return self._dim

    @property
    def document_room(self) -> int:
        """Words of a passage that are kept."""
        return self._document_length

    @property
    def query_room(self) -> int:
        """Words of a query that are kept."""
        return self._query_length

    @property
    def fingerprint(self) -> Fingerprint:
        """Everything that decides the vectors."""
        return {
            "kind": "hash",
            "dim": self._dim,
            "document_length": self._document_length,
            "normal_form": NORMAL_FORM,
        }

    def encode_query(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Encode queries word by word."""
        return [_first(self._encode(text), self._query_length) for text in texts]

    def encode_document(
        self, texts: Sequence[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """Encode passages word by word."""
        encoded = []
        for text in texts:
            encoded.append(_first(self._encode(text), self._document_length))
            if progress is not None:
                progress(1)
        return encoded

    def token_spans(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return the character spans of all words of each text."""
        normal = [normal_form(text) for text in texts]
        return [one.as_given(_spans(_WORD.finditer(one.text))) for one in normal]

    def _encode(self, text: str) -> TokenVectors:
        normal = normal_form(text)
        words = list(islice(_WORD.finditer(normal.text), self._longest))
        hashes = [_word_hash(word.group()) for word in words]
        vectors = np.array([_unit_vector(h, self._dim) for h in hashes], dtype=np.float32)
        return TokenVectors(
            vectors.reshape(-1, self._dim),
            np.array([h % 50_000 for h in hashes], dtype=np.int32),
            normal.as_given(_spans(words)),
        )


def _first(encoded: TokenVectors, length: int) -> TokenVectors:
    if len(encoded) <= length:
        return encoded
    return TokenVectors(
        encoded.vectors[:length], encoded.token_ids[:length], encoded.spans[:length]
    )


def _spans(words: Iterable[re.Match[str]]) -> npt.NDArray[np.int32]:
    edges = array("i")
    for word in words:
        edges.extend(word.span())
    return np.array(edges, dtype=np.int32).reshape(-1, 2)


def _word_hash(word: str) -> int:
    return _short_hash(word) if len(word) <= _SHORT else _hash(word)


def _hash(word: str) -> int:
    folded = word.casefold().encode()
    return int.from_bytes(hashlib.blake2b(folded, digest_size=8).digest(), "little")


_short_hash = lru_cache(maxsize=1 << 16)(_hash)


@lru_cache(maxsize=65_536)
def _unit_vector(seed: int, dim: int) -> TokenMatrix:
    vector = np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
    vector /= np.linalg.norm(vector)
    vector.flags.writeable = False
    return vector
