"""Kernels called once with a handful of vectors, so that they are compiled for what will come.

Numba compiles for the types of the arguments. These depend on the codec, and on whether arrays were
read from files, which may not be written; so the same functions are called as in earnest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .codec import CODE_BYTES, Codec
from .ways import SEARCHING, WRITING

_WINDOWS, _VECTORS, _CENTROIDS = 2, 8, 16  # vectors of a window
_MARKER = 14 << 4  # a vector without characters, as kernels.encode_spans writes it


@SEARCHING.rehearsal
def rehearse_search(codec: Codec) -> Iterator[None]:
    """Search a segment of two windows, kernel by kernel."""
    from . import kernels

    yield
    from .buffers import BufferPool
    from .nearness import near_centroids
    from .probing import find_probes, rotate_query
    from .scanning import refine_positions, score_positions
    from .voting import count_votes

    segment, pool = _segment(codec), BufferPool()
    positions = np.arange(_WINDOWS)
    query = rotate_query(kernels, segment.codebook, np.eye(1, codec.dim, dtype=np.float32))
    yield
    score_positions(kernels, segment, query, positions)
    yield
    probes = find_probes(kernels, segment.codebook, query, 1, 1.0)
    yield
    count_votes(kernels, segment, None, probes, 1, pool)
    yield
    with near_centroids(kernels, segment, probes, pool) as near:
        yield
        refine_positions(kernels, segment, near, positions)
    yield
    kernels.codes_below(segment.store.codes, _CENTROIDS)
    kernels.decode_many(segment.source, 0, 1, np.empty((1, codec.padded), np.float32))
    yield
    kernels.decode_spans(segment.spans[:_VECTORS], 0, np.empty((_VECTORS, 2), np.int32))
    yield


@WRITING.rehearsal
def rehearse_writing(codec: Codec) -> Iterator[None]:
    """Make a codebook, and a segment with it, in a folder that is removed again."""
    from . import kernels  # noqa: F401

    yield
    from ...types import TokenVectors, Window
    from .clustering import train_codebook
    from .writer import CompressedSegmentWriter

    vectors = np.eye(_VECTORS, codec.dim, dtype=np.float32)
    vectors[:, 0] += 1
    tokens = np.zeros(_VECTORS, np.int32)
    book = train_codebook("rehearsal", vectors, tokens, codec)
    yield
    with tempfile.TemporaryDirectory(prefix="lfm2-colbert-rehearsal-") as folder:
        writer = CompressedSegmentWriter(Path(folder) / "segment", book, durable=False)
        spans = np.zeros((_VECTORS, 2), np.int32)
        writer.append(0, Window((0, 1), TokenVectors(vectors, tokens, spans)))
        yield
        writer.finish("segment", 1)
    yield


def _segment(codec: Codec) -> Any:
    """Make a segment as it is opened, of two windows around a centroid."""
    from ..arrays import FileInfo
    from ..segment import COMPRESSED, SegmentInfo
    from .codebook import Centroids, Codebook, CodebookInfo
    from .segment import CompressedSegment
    from .structs import CoarseGroups

    vectors = _WINDOWS * _VECTORS
    means = np.eye(_CENTROIDS, codec.padded, dtype=np.float32)
    centroids = Centroids.rounded(means, np.arange(_CENTROIDS, dtype=np.int32), codec.nbits)
    book = Codebook(
        CodebookInfo("rehearsal", codec.nbits, _CENTROIDS, vectors, 0.0),
        codec,
        np.eye(codec.padded, dtype=np.float32),
        centroids,
        CoarseGroups(means[:1], np.array([0, _CENTROIDS])),
        means[:0],
    )
    arrays: dict[str, npt.NDArray[Any]] = {
        "codes": np.zeros((vectors, CODE_BYTES), np.uint8),
        "packed": np.zeros((vectors, codec.width), np.uint8),
        "norms": np.empty(0, np.uint8),
        "spans": np.full(vectors, _MARKER, np.uint8),
        "span_sizes": np.full(_WINDOWS, _VECTORS),
        "lengths": np.full(_WINDOWS, _VECTORS),
        "row_steps": np.array([0, 1]),
        "windows": np.array([[0, 1]] * _WINDOWS),
        "list_bounds": np.array([0, 1]),
        "list_steps": np.array([0]),
        "list_sizes": np.array([_WINDOWS]),
        "listed": np.arange(_WINDOWS, dtype=np.uint16),
        **centroids.take(np.arange(0)).arrays(codec.nbits, "extra_"),
    }
    for array in arrays.values():
        array.setflags(write=False)
    files = dict.fromkeys(arrays, FileInfo(0, "0" * 64))  # there are none
    info = SegmentInfo("rehearsal", _WINDOWS, vectors, files, COMPRESSED, "rehearsal", first_row=1)
    return CompressedSegment(info, book, arrays)
