"""Segments and codebooks of an index folder, opened and checked, whatever their kind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from ..errors import IndexCorruptError
from ..index import ExactIndex, Index, LiveSegment
from ..index.arrays import verify_arrays
from ..index.compressed import CompressedIndex
from ..index.compressed.codebook import Codebook, CodebookInfo, open_codebook
from ..index.compressed.segment import CompressedSegment, open_compressed_segment
from ..index.segment import COMPRESSED, Segment, SegmentInfo, open_exact_segment
from ..index.settings import SearchSettings
from .layout import CODEBOOKS, SEGMENTS


class SegmentOpener:
    """Opens the segments of one index; each codebook is opened once.

    Args:
        folder: the index.
        dim: width of its vectors.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self._folder = folder
        self._dim = dim
        self._known: dict[str, Codebook] = {}
        self._opening = threading.Lock()

    def codebook(self, info: CodebookInfo) -> Codebook:
        """Open a codebook.

        Raises:
            IndexCorruptError: a file is missing or truncated.
        """
        with self._opening:
            if info.name not in self._known:
                self._known[info.name] = open_codebook(self._folder / CODEBOOKS, info, self._dim)
            return self._known[info.name]

    def segment(self, info: SegmentInfo, codebooks: Sequence[CodebookInfo]) -> Segment:
        """Open a segment.

        Raises:
            IndexCorruptError: a file, or its codebook, is missing or truncated.
        """
        root = self._folder / SEGMENTS
        if info.kind != COMPRESSED:
            return open_exact_segment(root, info)
        for codebook in codebooks:
            if codebook.name == info.codebook:
                return open_compressed_segment(root, info, self.codebook(codebook))
        raise IndexCorruptError(
            f"{root / info.name} needs codebook {info.codebook}, which the catalog does not name. "
            "Restore the index from a backup, or build it again from the texts."
        )

    def keep_only(self, codebooks: Sequence[CodebookInfo]) -> None:
        """Let go of codebooks that are no longer in use."""
        names = {info.name for info in codebooks}
        with self._opening:
            self._known = {name: book for name, book in self._known.items() if name in names}


def make_index(segments: Sequence[LiveSegment], settings: SearchSettings | None = None) -> Index:
    """Return the right way to search these segments: exact until one of them is compressed."""
    if not any(isinstance(live.segment, CompressedSegment) for live in segments):
        return ExactIndex(segments)
    return CompressedIndex(segments) if settings is None else CompressedIndex(segments, settings)


def verify_files(folder: Path, info: SegmentInfo | CodebookInfo) -> list[str]:
    """Compare the files of a segment or a codebook with their checksums."""
    root = folder / (SEGMENTS if isinstance(info, SegmentInfo) else CODEBOOKS)
    return verify_arrays(root / info.name, info.files)
