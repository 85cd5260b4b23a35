"""The kinds of index that the contract is held against, and passages to fill them with."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lfm2_colbert_rag.index import ExactIndex, Index, LiveSegment, SearchSettings
from lfm2_colbert_rag.index.compressed import CompressedIndex, plain
from lfm2_colbert_rag.index.compressed.clustering import train_codebook
from lfm2_colbert_rag.index.compressed.codebook import Codebook
from lfm2_colbert_rag.index.compressed.codec import Codec
from lfm2_colbert_rag.index.compressed.segment import open_compressed_segment
from lfm2_colbert_rag.index.compressed.writer import CompressedSegmentWriter
from lfm2_colbert_rag.index.exact.compiled import CompiledMaxSim
from lfm2_colbert_rag.index.exact.plain import PlainMaxSim
from lfm2_colbert_rag.index.segment import Segment, SegmentWriter, WindowWriter, open_exact_segment
from lfm2_colbert_rag.types import TokenVectors, Window

DIM = 6
THOROUGH = SearchSettings(
    nprobe=10_000, near=10_000, groups=1.0, candidates=10_000, margin=100.0, final_margin=100.0
)

Group = Sequence[tuple[int, Sequence[Window]]]


def encode(seed: int, length: int, start: int = 0, dim: int = DIM) -> Window:
    """Make a window of pseudo-random unit vectors."""
    vectors = np.random.default_rng(seed).standard_normal((length, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float16).astype(np.float32)
    spans = np.stack((np.arange(length), np.arange(length) + 1), axis=1).astype(np.int32) + start
    encoded = TokenVectors(vectors, np.arange(length, dtype=np.int32) + seed, spans)
    return Window((start, start + length), encoded)


@dataclass(frozen=True)
class Kind:
    """A way to keep segments and to search them.

    Attributes:
        make: joins live segments to an index.
        nbits: of the compressed segments, which are every ``every``-th; None for exact ones only.
        every: 1 for all of them, 2 for every second.
        tolerance: how far a vector may lie from what was stored.
        complete: whether no better passage than those found may be missed.
    """

    make: Callable[[list[LiveSegment]], Index]
    nbits: int | None = None
    every: int = 1
    tolerance: float = 0.0
    complete: bool = True

    def build(self, folder: Path, groups: Sequence[Group], dead: Iterable[int] = ()) -> Index:
        """Write one segment a group of rows and their windows, and open them as an index."""
        book = None if self.nbits is None else codebook_for(groups, self.nbits)
        gone = np.array(sorted(dead), dtype=np.int64)
        segments = []
        for number, group in enumerate(groups):
            chosen = book if number % self.every == 0 else None
            segments.append(LiveSegment(write(folder / f"s{number}", group, chosen)).without(gone))
        return self.make(segments)


def codebook_for(groups: Sequence[Group], nbits: int, dim: int = DIM) -> Codebook:
    """Make a codebook of all vectors."""
    encoded = [window.encoded for group in groups for _, windows in group for window in windows]
    return train_codebook(
        "book",
        np.concatenate([one.vectors for one in encoded]),
        np.concatenate([one.token_ids for one in encoded]),
        Codec(dim, nbits),
    )


def write(folder: Path, group: Group, codebook: Codebook | None, dim: int = DIM) -> Segment:
    """Write a segment of consecutive rows and open it; an exact one without a codebook."""
    writer: WindowWriter
    if codebook is None:
        writer = SegmentWriter(folder, dim, durable=False)
    else:
        writer = CompressedSegmentWriter(folder, codebook, durable=False)
    first = group[0][0]
    for row, windows in group:
        for window in windows:
            writer.append(row - first, window)
    info = writer.finish(folder.name, first)
    if codebook is None:
        return open_exact_segment(folder.parent, info)
    return open_compressed_segment(folder.parent, info, codebook)


def _voting(segments: list[LiveSegment]) -> Index:
    return CompressedIndex(segments, THOROUGH, scan_vectors=0)


def _voting_in_numpy(segments: list[LiveSegment]) -> Index:
    return CompressedIndex(segments, THOROUGH, scan_vectors=0, kernels=plain)


INDEXES = {
    "exact": Kind(lambda segments: ExactIndex(segments, way=CompiledMaxSim())),
    "exact-plain": Kind(lambda segments: ExactIndex(segments, way=PlainMaxSim(block_tokens=3))),
    "scanned-4": Kind(CompressedIndex, 4, tolerance=0.12),
    "scanned-2-mixed": Kind(CompressedIndex, 2, every=2, tolerance=0.5),
    "voted-4": Kind(_voting, 4, tolerance=0.12, complete=False),
    "voted-2": Kind(_voting, 2, tolerance=0.5, complete=False),
    "voted-4-numpy": Kind(_voting_in_numpy, 4, tolerance=0.12, complete=False),
    "voted-4-mixed": Kind(_voting, 4, every=2, tolerance=0.12, complete=False),
}


def _in_engine(segments: list[LiveSegment]) -> Index:
    from benchmarks.cluster.edge import EdgeClient

    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    client = EdgeClient(Path(folder.name) / "engine")
    return _remote(segments, client, folder)


def _in_client(segments: list[LiveSegment]) -> Index:
    from qdrant_client import QdrantClient

    return _remote(segments, QdrantClient(":memory:"), None)


def _remote(segments: list[LiveSegment], client: Any, kept: object) -> Index:
    from lfm2_colbert_rag.cluster.qdrant import Connection, QdrantBackend

    from .remote import RemoteIndex

    local = kept is None
    connection = Connection(lambda: client, "docs", local=local)
    index = RemoteIndex(segments, QdrantBackend(connection, "docs", "docs"), DIM)
    weakref.finalize(index, _discard, client, kept)
    return index


def _discard(client: Any, folder: Any) -> None:
    client.close()
    if folder is not None:
        folder.cleanup()


# An engine adds in another order: its scores differ in the last digits, and among equal ones too.
if find_spec("qdrant_client") and find_spec("qdrant_edge"):
    INDEXES |= {"qdrant-client": Kind(_in_client), "qdrant-engine": Kind(_in_engine)}
