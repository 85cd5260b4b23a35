"""Texts about everyday things, as a model encodes them: what answers no question in particular.

An index of a few passages cannot tell what a question scores by chance, and texts that somebody
else found are all about the question. So some texts come with the library, the same in several
languages, and each model encodes them once.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .._support.token_vectors import check_results
from ..types import TokenMatrix
from .cache import kept
from .protocol import Encoder

logger = logging.getLogger(__name__)

_FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, eq=False)
class Background:
    """The texts' vectors, language after language.

    Attributes:
        vectors: ``(n, dim)`` float32.
        bounds: ``(languages + 1,)`` int64, where the vectors of each language begin.
        texts: how many there are in all; each is about something else.
    """

    vectors: TokenMatrix
    bounds: npt.NDArray[np.int64]
    texts: int

    @property
    def languages(self) -> list[TokenMatrix]:
        """The vectors of each language that has any, in the order of its texts."""
        edges = self.bounds.tolist()
        return [self.vectors[start:end] for start, end in pairwise(edges) if start < end]


# Of a few encoders, by all that decides their vectors.
_known: dict[tuple[object, ...], Background] = {}
_MOST_KNOWN = 8


def encode_background(encoder: Encoder) -> Background:
    """Return the background of an encoder; it is encoded once, and kept beside converted models.

    Vectors that are no numbers are left out.

    Raises:
        ModelError: the encoder does not give one result a text.
    """
    fingerprint = tuple(sorted(encoder.fingerprint.items()))
    key = (type(encoder), encoder.name, fingerprint)
    found = _known.get(key)
    if found is None:
        found = _read_or_encode(encoder, fingerprint)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = found
    return found


def _read_or_encode(encoder: Encoder, fingerprint: tuple[object, ...]) -> Background:
    # Others may call two models by one fingerprint.
    if not getattr(encoder, "fingerprint_is_of_weights", False):
        return _encode(encoder)
    digest = hashlib.sha256(repr((fingerprint, _FILE.read_bytes())).encode()).hexdigest()
    return kept(
        Path("backgrounds") / digest,
        lambda: _encode(encoder),
        write=_to_bytes,
        read=lambda content: _from_bytes(content, encoder.dim),
    )


def _encode(encoder: Encoder) -> Background:
    texts = _texts()
    flat = [text for one in texts for text in one]
    logger.info("encoding %d background texts with %r, once", len(flat), encoder.name)
    encoded = check_results(encoder.encode_document(flat), len(flat), encoder)
    finite = [_finite(one.vectors, encoder.dim) for one in encoded]
    sizes = iter(map(len, finite))
    counts = [sum(next(sizes) for _ in one) for one in texts]
    bounds = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return Background(np.concatenate(finite), bounds, len(flat))


@cache
def _texts() -> list[list[str]]:
    """Return the texts of each language."""
    content: dict[str, list[str]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return list(content.values())


def _finite(vectors: npt.NDArray[np.floating], dim: int) -> TokenMatrix:
    matrix = np.asarray(vectors, dtype=np.float32)
    if matrix.shape[1:] != (dim,):
        return np.empty((0, dim), np.float32)
    return matrix[np.isfinite(matrix.astype(np.float16)).all(axis=1)]


def _to_bytes(background: Background) -> bytes:
    """Write bounds, and vectors in half precision."""
    bounds, vectors = background.bounds.astype("<i8"), background.vectors.astype("<f2")
    return bounds.tobytes() + vectors.tobytes()


def _from_bytes(content: bytes, dim: int) -> Background:
    """Read what :func:`_to_bytes` wrote.

    Raises:
        ValueError: it is something else.
    """
    edge = 8 * (len(_texts()) + 1)
    bounds = np.frombuffer(content[:edge], "<i8").astype(np.int64)
    vectors = np.frombuffer(content[edge:], "<f2").astype(np.float32).reshape(-1, dim)
    fits = len(bounds) > len(_texts()) and bounds[0] == 0 and bounds[-1] == len(vectors)
    if not fits or (np.diff(bounds) < 0).any() or not np.isfinite(vectors).all():
        raise ValueError("not a background")
    return Background(vectors, bounds, sum(map(len, _texts())))
