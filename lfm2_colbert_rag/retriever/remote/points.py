"""Passages to points: windows encoded, and all that is found by worked out of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from ..._support.token_vectors import check_window, no_vectors
from ...cluster.centroids import centroids_of
from ...cluster.points import Key, Point, Vectors, digests, pack_tokens
from ...cluster.terms import terms_of

if TYPE_CHECKING:
    from ...index.array_types import FloatArray
    from ...index.compressed.codebook import Codebook
    from ...types import Passage, TokenMatrix, Window

_SMALLEST = np.float32(1e-12)


def revision() -> int:
    """Return a number for what is written now: microseconds, so that later writers have more."""
    return time.time_ns() // 1000


def make_points(
    passages: Sequence[Passage],
    windows: Iterable[tuple[int, Window]],
    languages: Sequence[str],
    rev: int,
    *,
    dim: int,
    codebook: Codebook | None,
    terms: float | None,
) -> Iterator[list[Point]]:
    """Yield the points of each passage, its head last: with that, the passage is whole.

    Args:
        passages: the passages.
        windows: the place of a passage and one of its windows, in order.
        languages: of the passages.
        rev: see :class:`~lfm2_colbert_rag.cluster.points.Point`.
        dim: width of the vectors.
        codebook: the centroids; None where there are none.
        terms: terms of a passage of average length; None where none are kept.

    Raises:
        InputError: vectors that cannot be stored.
    """
    done = 0
    for place, group in groupby(windows, key=itemgetter(0)):
        if place > done:
            raise no_vectors(passages[done])
        done = place + 1
        mine = [window for _, window in group]
        yield _points(passages[place], mine, languages[place], rev, dim, codebook, terms)
    if done < len(passages):
        raise no_vectors(passages[done])


def _points(
    passage: Passage,
    windows: Sequence[Window],
    language: str,
    rev: int,
    dim: int,
    codebook: Codebook | None,
    terms: float | None,
) -> list[Point]:
    for window in windows:
        check_window(window, dim, passage)
    windows = [window for window in windows if len(window.encoded)]
    if not windows:
        raise no_vectors(passage)
    encoded = [window.encoded for window in windows]
    near = [None for _ in encoded] if codebook is None else centroids_of(codebook, encoded)
    words = None if terms is None else terms_of([passage.text], terms)[0]
    points = [
        Point(
            key=Key(passage.id, number),
            rev=rev,
            windows=len(windows),
            span=window.span,
            count=len(window.encoded),
            metadata=passage.metadata,
            language=language,
            text=None if number else passage.text,
            digest="" if number else digests(passage)[1],
            tokens=pack_tokens(window.encoded),
            vectors=Vectors(
                rounded(window.encoded.vectors),
                mean_of(window.encoded.vectors),
                near[number],
                None if number else words,
            ),
        )
        for number, window in enumerate(windows)
    ]
    return [*points[1:], points[0]]


def rounded(vectors: TokenMatrix) -> TokenMatrix:
    """Return vectors as half precision keeps them, in whatever precision an engine does."""
    return np.asarray(vectors, np.float16).astype(np.float32)


def mean_of(vectors: TokenMatrix) -> FloatArray:
    """Return the direction of the mean of token vectors, ``(dim,)`` of unit length.

    Example:
        >>> mean_of(np.eye(2, dtype=np.float32)).round(2).tolist()
        [0.7099999785423279, 0.7099999785423279]
    """
    mean = np.asarray(vectors, np.float32).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), float(_SMALLEST)), np.float32)
