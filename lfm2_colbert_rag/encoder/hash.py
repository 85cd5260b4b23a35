"""An encoder that needs no weights: every word has a vector of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from ..types import TokenMatrix, TokenVectors
from .config import NORMAL_FORM
from .normal_form import normal_form
from .protocol import Fingerprint, Progress

_SHORT = 32  # characters of a word that is worth remembering
# Fast for some words; of a million it would make as many objects for the garbage collector.
_WORD, _FEW = re.compile(r"\w+|[^\w\s]"), 256
_BLANK, _LETTER, _OTHER, _UNKNOWN = range(4)
_TOGETHER = 1 << 15  # characters that are looked at in one go, so that other threads get theirs


class HashEncoder:
    """Gives every distinct word (case-folded) its own fixed pseudo-random unit vector.

    Equal words match with cosine 1, different words with a cosine near 0, so the passage that
    shares the most words with the query wins: retrieval one can reason about in a test. The vectors
    are the same on every machine and in every process.

    Args:
        dim: width of the vectors.
        document_length: words of a passage that are kept.
        query_length: words of a query that are kept.
        salt: another number makes another model of it: no word has the same vector. 0 is none.

    Example:
        >>> encoder = HashEncoder()
        >>> encoder.encode_query(["Hello world"])[0].vectors.shape
        (2, 32)
    """

    def __init__(
        self, dim: int = 32, document_length: int = 512, query_length: int = 512, salt: int = 0
    ) -> None:
        self._dim = dim
        self._salt = salt
        self._document_length = document_length
        self._query_length = query_length
        self._longest = max(document_length, query_length)

    @property
    def name(self) -> str:
        """The name that :func:`~lfm2_colbert_rag.encoder.load_encoder` knows it by."""
        return f"hash:{self._salt}" if self._salt else "hash"

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
        salted = {"salt": self._salt} if self._salt else {}
        return {
            "kind": "hash",
            "dim": self._dim,
            "document_length": self._document_length,
            "normal_form": NORMAL_FORM,
            **salted,
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
        return [one.as_given(find_words(one.text)) for one in normal]

    def _encode(self, text: str) -> TokenVectors:
        normal = normal_form(text)
        spans = find_words(normal.text)[: self._longest]
        words = _WORD.findall(normal.text, 0, int(spans[-1, 1])) if len(spans) else []
        # A word that comes again costs next to nothing.
        known = {word: number for number, word in enumerate(dict.fromkeys(words))}
        hashes = [_word_hash(word) for word in known]
        seeds = [h + self._salt for h in hashes]
        vectors = np.array([_unit_vector(h, self._dim) for h in seeds], dtype=np.float32)
        numbers = np.fromiter(map(known.__getitem__, words), np.intp, len(words))
        return TokenVectors(
            vectors.reshape(-1, self._dim)[numbers],
            np.array([h % 50_000 for h in hashes], dtype=np.int32)[numbers],
            normal.as_given(spans),
        )


def _first(encoded: TokenVectors, length: int) -> TokenVectors:
    if len(encoded) <= length:
        return encoded
    return TokenVectors(
        encoded.vectors[:length], encoded.token_ids[:length], encoded.spans[:length]
    )


def find_words(text: str) -> npt.NDArray[np.int32]:
    r"""Return where the words of a text lie, and the single characters that are no part of one.

    Returns:
        ``(n, 2)`` int32 characters ``[start, end)``: what ``\w+|[^\w\s]`` finds.

    Example:
        >>> find_words("Is it?").tolist()
        [[0, 2], [3, 5], [5, 6]]
    """
    if len(text) <= _FEW:
        found = [word.span() for word in _WORD.finditer(text)]
        return np.array(found, dtype=np.int32).reshape(-1, 2)
    kinds = np.zeros(len(text) + 2, dtype=np.int8)  # what lies around it is blank
    for place in range(0, len(text), _TOGETHER):
        part = text[place : place + _TOGETHER]
        kinds[place + 1 : place + 1 + len(part)] = _kinds(part)
    edges = [_edges(kinds[at : at + _TOGETHER + 2], at) for at in range(0, len(text), _TOGETHER)]
    spans = np.empty((sum(len(starts) for starts, _ in edges), 2), dtype=np.int32)
    for side in (0, 1):
        np.concatenate([one[side] for one in edges], out=spans[:, side])
    return spans


def _kinds(text: str) -> npt.NDArray[np.int8]:
    """Return of each character whether it is blank, of a word, or by itself."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    table = _table()
    if len(new := np.unique(codes[table[codes] == _UNKNOWN])):
        table[new] = [_kind(chr(code)) for code in new.tolist()]
    return table[codes]


@cache
def _table() -> npt.NDArray[np.int8]:
    """Return the kinds of all characters, as far as they were met."""
    return np.full(0x110000, _UNKNOWN, dtype=np.int8)


def _kind(character: str) -> int:
    if character.isalnum() or character == "_":
        return _LETTER
    return _BLANK if character.isspace() else _OTHER


def _edges(
    kinds: npt.NDArray[np.int8], place: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return where words begin and where they end, given the kinds from one before a place on."""
    word, single = kinds == _LETTER, kinds[1:-1] == _OTHER
    starts = np.flatnonzero(single | (word[1:-1] & ~word[:-2])) + place
    ends = np.flatnonzero(single | (word[1:-1] & ~word[2:])) + place + 1
    return starts.astype(np.int32), ends.astype(np.int32)


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
