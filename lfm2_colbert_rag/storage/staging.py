"""Segments in the making: written aside, window by window, until a commit names them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from .._support.system_errors import raise_named, system_errors
from ..index.compressed.codebook import Codebook
from ..index.compressed.ways import prepare_writing
from ..index.compressed.writer import CompressedSegmentWriter
from ..index.segment import SegmentInfo, SegmentWriter, WindowWriter
from ..types import Window


class StagedSegment:
    """A segment in the making, in a folder that its writer keeps locked.

    Args:
        folder: where its files are; the index is the folder two levels above.
        writer: writes them.
        codebook: name of the codebook that it is compressed with; None where it is exact.

    Raises:
        StorageFullError: the disk is full. So do the methods.
    """

    def __init__(self, folder: Path, writer: WindowWriter, codebook: str | None) -> None:
        self.folder = folder
        self.writer = writer
        self.codebook = codebook

    def append(self, passage: int, window: Window) -> None:
        """Add a window.

        Args:
            passage: which passage it belongs to, counted from 0, or its row; never less than
                the last.
            window: with at least one vector.
        """
        try:
            self.writer.append(passage, window)
        except OSError as error:
            raise_named(error, self._index)
            raise

    def finish(self, name: str, first_row: int = 0) -> SegmentInfo:
        """Write what is left, flush everything, and return what to record."""
        try:
            return self.writer.finish(name, first_row)
        except OSError as error:
            raise_named(error, self._index)
            raise

    def system_errors(self) -> AbstractContextManager[None]:
        """Turn a full disk into an error that names the index; for what uses the writer itself."""
        return system_errors(self._index)

    @property
    def _index(self) -> Path:
        return self.folder.parents[1]


def new_writer(folder: Path, dim: int, codebook: Codebook | None, durable: bool) -> WindowWriter:
    """Return a writer of a new segment; of an exact one where there is no codebook."""
    if codebook is not None:
        prepare_writing(codebook.codec)
        return CompressedSegmentWriter(folder, codebook, durable=durable)
    return SegmentWriter(folder, dim, durable=durable)
