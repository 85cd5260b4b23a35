"""Segments and codebooks of an index folder: opened and compared, whatever their kind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from .._support.forking import renew_in_child
from ..errors import REMEDY, IndexCorruptError
from ..index.arrays import find_altered
from ..index.compressed.codebook import Codebook, CodebookInfo, open_codebook
from ..index.compressed.segment import open_compressed_segment
from ..index.segment import COMPRESSED, Segment, SegmentInfo, open_exact_segment
from .layout import CODEBOOKS, SEGMENTS, require_folders


class SegmentOpener:
    """Opens the segments of one index; each codebook is opened once.

    Args:
        folder: the index.
        dim: width of its vectors.
        room: the folder within it that the segments lie in.
    """

    def __init__(self, folder: Path, dim: int, room: str = SEGMENTS) -> None:
        self._folder = folder
        self._room = room
        self._dim = dim
        self._known: dict[str, Codebook] = {}
        self._compared: dict[str, str] = {}
        self._opening = threading.Lock()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._opening = threading.Lock()

    def codebook(self, info: CodebookInfo) -> Codebook:
        """Open a codebook.

        Raises:
            IndexCorruptError: a file is missing or truncated.
        """
        with self._opening:
            if info.name not in self._known:
                require_folders(self._folder, CODEBOOKS, info.name)
                self._known[info.name] = open_codebook(self._folder / CODEBOOKS, info, self._dim)
            return self._known[info.name]

    def segment(self, info: SegmentInfo, codebooks: Sequence[CodebookInfo]) -> Segment:
        """Open a segment.

        Raises:
            IndexCorruptError: a file, or its codebook, is missing or truncated.
        """
        root = self._folder / self._room
        require_folders(self._folder, self._room, info.name)
        if info.kind != COMPRESSED:
            return open_exact_segment(root, info, self._dim)
        for codebook in codebooks:
            if codebook.name == info.codebook:
                return open_compressed_segment(root, info, self.codebook(codebook))
        raise IndexCorruptError(
            f"{root / info.name} needs codebook {info.codebook}, which the catalog does not name. "
            f"{REMEDY}"
        )

    def find_altered(self, info: SegmentInfo) -> dict[str, str]:
        """Compare a segment's files with their checksums: one sentence for each that is altered.

        Raises:
            StoredIndexError: the system refuses to open a file now.
        """
        return find_altered(self._folder / self._room / info.name, info.files)

    def require_whole(self, info: SegmentInfo) -> None:
        """Compare a segment's files with their checksums, once while it is open.

        Raises:
            IndexCorruptError: a file is missing or altered.
            StoredIndexError: the system refuses to open a file now.
        """
        if info.name not in self._compared:
            self._compared[info.name] = " ".join(self.find_altered(info).values())
        if self._compared[info.name]:
            raise IndexCorruptError(self._compared[info.name])

    def keep_only(self, codebooks: Sequence[CodebookInfo]) -> None:
        """Let go of codebooks that are no longer in use."""
        names = {info.name for info in codebooks}
        with self._opening:
            self._known = {name: book for name, book in self._known.items() if name in names}


def verify_files(folder: Path, info: SegmentInfo | CodebookInfo) -> list[str]:
    """Compare the files of a segment or a codebook with their checksums."""
    kind = SEGMENTS if isinstance(info, SegmentInfo) else CODEBOOKS
    return list(find_altered(require_folders(folder, kind, info.name), info.files).values())
