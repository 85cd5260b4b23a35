"""Encoders that give what no encoder should, and vectors that no caller should pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lfm2_colbert_rag import TokenVectors
from lfm2_colbert_rag.testing import HashEncoder

Array = np.ndarray


@dataclass(frozen=True)
class Oddity:
    """Something odd about encoded texts.

    Attributes:
        change: gives the odd vectors, or something else, for sound ones.
        harmless: whether it says the same as the sound ones, so that the answers must be the same
            unless it is refused.
        refused: whether it must be refused.
    """

    change: Callable[[TokenVectors], Any]
    harmless: bool = False
    refused: bool = False


def _vectors(change: Callable[[Array], Any], **marks: bool) -> Oddity:
    return Oddity(lambda one: _replace(one, vectors=change(one.vectors)), **marks)


def _at_one_place(value: float) -> Callable[[Array], Array]:
    def change(vectors: Array) -> Array:
        vectors = vectors.copy()
        vectors[-1, 3] = value
        return vectors

    return change


def _ids(change: Callable[[Array], Any], **marks: bool) -> Oddity:
    return Oddity(lambda one: _replace(one, token_ids=change(one.token_ids)), **marks)


def _spans(change: Callable[[Array], Any], **marks: bool) -> Oddity:
    return Oddity(lambda one: _replace(one, spans=change(one.spans)), **marks)


def _replace(one: TokenVectors, **parts: Any) -> TokenVectors:
    return TokenVectors(**{**vars(one), **parts})


def _locked(vectors: Array) -> Array:
    vectors = vectors.copy()
    vectors.flags.writeable = False
    return vectors


def _many(one: TokenVectors) -> TokenVectors:
    """Return 10,000 rows."""
    times = -(-10_000 // max(1, len(one)))
    return TokenVectors(
        np.tile(one.vectors, (times, 1))[:10_000],
        np.tile(one.token_ids, times)[:10_000],
        np.tile(one.spans, (times, 1))[:10_000],
    )


def _empty(one: TokenVectors) -> TokenVectors:
    return TokenVectors(one.vectors[:0], one.token_ids[:0], one.spans[:0])


ODDITIES = {
    "nan": _vectors(_at_one_place(float("nan")), refused=True),
    "all nan": _vectors(lambda v: np.full_like(v, np.nan), refused=True),
    "inf": _vectors(_at_one_place(float("inf")), refused=True),
    "minus inf": _vectors(_at_one_place(float("-inf")), refused=True),
    "3e38": _vectors(_at_one_place(3e38)),
    "all 3e38": _vectors(lambda v: np.full_like(v, 3e38)),
    "1e-40": _vectors(lambda v: np.full_like(v, 1e-40)),
    "all zeros": _vectors(np.zeros_like),
    "wide": _vectors(lambda v: np.hstack((v, v)), refused=True),
    "narrow": _vectors(lambda v: v[:, :-1], refused=True),
    "no width": _vectors(lambda v: v[:, :0], refused=True),
    "flat": _vectors(lambda v: v.reshape(-1), refused=True),
    "deep": _vectors(lambda v: v[None], refused=True),
    "single": _vectors(lambda v: np.float32(1), refused=True),
    "no rows": Oddity(_empty),
    "fewer vectors": _vectors(lambda v: v[:-1]),
    "float16": _vectors(lambda v: v.astype(np.float16)),
    "float64": _vectors(lambda v: v.astype(np.float64), harmless=True),
    "long double": _vectors(lambda v: v.astype(np.longdouble), harmless=True),
    "int": _vectors(lambda v: (v * 10).astype(np.int64)),
    "bool": _vectors(lambda v: v > 0),
    "complex": _vectors(lambda v: v.astype(np.complex64)),
    "objects": _vectors(lambda v: v.astype(object)),
    "text": _vectors(lambda v: v.astype("U5"), refused=True),
    "list": _vectors(lambda v: v.tolist()),
    "ragged": _vectors(lambda v: [[1.0], [1.0, 2.0]], refused=True),
    "none": _vectors(lambda v: None, refused=True),
    "big-endian": _vectors(lambda v: v.astype(">f4"), harmless=True),
    "column-wise": _vectors(np.asfortranarray, harmless=True),
    "with gaps": _vectors(lambda v: np.repeat(v, 2, axis=0)[::2], harmless=True),
    "backwards": _vectors(lambda v: v[::-1].copy()[::-1], harmless=True),
    "locked": _vectors(_locked, harmless=True),
    "masked": _vectors(lambda v: np.ma.masked_array(v, mask=v > 2), harmless=True),
    "many": Oddity(_many),
    "negative ids": _ids(lambda ids: np.full_like(ids, -5)),
    "huge ids": _ids(lambda ids: np.full_like(ids, 2**31 - 1)),
    "wide ids": _ids(lambda ids: ids.astype(np.int64) + 2**40),
    "float ids": _ids(lambda ids: ids.astype(np.float32)),
    "fewer ids": _ids(lambda ids: ids[:-1]),
    "no ids": _ids(lambda ids: None),
    "spans beyond": _spans(lambda spans: spans + 1000),
    "spans before": _spans(lambda spans: spans - 1000),
    "spans reversed": _spans(lambda spans: spans[:, ::-1] + 1),
    "spans flat": _spans(lambda spans: spans.reshape(-1)),
    "spans of three": _spans(lambda spans: np.hstack((spans, spans[:, :1]))),
    "fewer spans": _spans(lambda spans: spans[:-1]),
    "float spans": _spans(lambda spans: spans.astype(np.float32) + 0.5),
    "huge spans": _spans(lambda spans: np.full_like(spans, 2**31 - 1)),
    "no spans": _spans(lambda spans: None),
    "not encoded": Oddity(lambda one: one.vectors, refused=True),
    "nothing": Oddity(lambda one: None, refused=True),
}
# What is odd about all results together; these must be refused, but for what gives the same.
RESULTS: dict[str, Callable[[list[Any]], Any]] = {
    "no results": lambda results: [],
    "one more": lambda results: [*results, results[-1]],
    "one less": lambda results: results[:-1],
    "an iterator": iter,
    "null": lambda results: None,
    "a number": lambda results: 7,
}
SAME_RESULTS = {"an iterator"}


class OddEncoder(HashEncoder):
    """Gives odd vectors for queries or for documents, once it is told to."""

    def __init__(self, side: str, oddity: str, length: int) -> None:
        super().__init__(document_length=length)
        self._side = side
        self._oddity = oddity
        self.odd = False

    def encode_query(self, texts: Sequence[str]) -> Any:
        """Encode queries, oddly if that is the side."""
        return self._changed("query", super().encode_query(texts))

    def encode_document(self, texts: Sequence[str], *, progress: Any = None) -> Any:
        """Encode passages, oddly if that is the side."""
        return self._changed("document", super().encode_document(texts, progress=progress))

    def _changed(self, side: str, results: list[TokenVectors]) -> Any:
        if not self.odd or side != self._side:
            return results
        if self._oddity in RESULTS:
            return RESULTS[self._oddity](results)
        return [ODDITIES[self._oddity].change(one) for one in results]
