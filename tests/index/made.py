"""Compressed segments for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lfm2_colbert_rag.index import LiveSegment, SearchSettings
from lfm2_colbert_rag.index.compressed import CompressedIndex
from lfm2_colbert_rag.index.compressed.segment import CompressedSegment
from lfm2_colbert_rag.index.compressed.ways import Kernels
from lfm2_colbert_rag.types import TokenVectors, Window

from ..contract.kinds import THOROUGH, codebook_for, write

TOKENS = 60


def corpus(count: int, dim: int, seed: int = 0, tokens: int = TOKENS) -> list[tuple[int, list]]:
    """Make rows of one or two windows; vectors of a token lie around a direction of its own."""
    chance = np.random.default_rng(seed)
    directions = np.random.default_rng(99).standard_normal((tokens, dim))
    return [
        (row, [window(chance, directions) for _ in range(1 + row % 7 // 6)])
        for row in range(1, count + 1)
    ]


def window(chance: np.random.Generator, directions: np.ndarray) -> Window:
    """Make one window of some tokens."""
    length = int(chance.integers(3, 12))
    ids = chance.integers(0, len(directions), length).astype(np.int32)
    vectors = directions[ids] + 0.4 * chance.standard_normal((length, directions.shape[1]))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    spans = np.stack((np.arange(length) * 5, np.arange(length) * 5 + 4), axis=1)
    encoded = TokenVectors(vectors.astype(np.float32), ids, spans.astype(np.int32))
    return Window((0, 5 * length), encoded)


def questions(number: int, dim: int, length: int = 5) -> list[np.ndarray]:
    """Make queries from the same directions."""
    chance = np.random.default_rng(1234)
    directions = np.random.default_rng(99).standard_normal((TOKENS, dim))
    made = []
    for _ in range(number):
        vectors = directions[chance.integers(0, TOKENS, length)]
        vectors = vectors + 0.3 * chance.standard_normal(vectors.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        made.append(vectors.astype(np.float32))
    return made


def segment(folder: Path, group, nbits: int, dim: int) -> CompressedSegment:
    """Write a segment with a codebook of its own."""
    made = write(folder, group, codebook_for([group], nbits, dim), dim)
    assert isinstance(made, CompressedSegment)
    return made


def voting_index(
    *segments: CompressedSegment,
    settings: SearchSettings = THOROUGH,
    kernels: Kernels | None = None,
) -> CompressedIndex:
    """Make an index that always asks the lists first."""
    return CompressedIndex(
        [LiveSegment(one) for one in segments], settings, scan_vectors=0, kernels=kernels
    )
