"""Writing compressed segments: from vectors as they come, or from other segments."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..._support.disk import sync_folder
from ...types import Window
from ..array_types import FloatArray, IntArray
from ..arrays import ArrayFile, describe_arrays, map_array, narrow, write_arrays
from ..segment import COMPRESSED, SegmentInfo, count_by_row
from ..workers import even_parts, in_parallel, thread_count
from .codebook import Codebook
from .codec import CODE_BYTES, LENGTHS, STEPS, name_lengths, pack_codes, unpack_codes
from .extra_centroids import ExtraCentroids
from .noise import Noise
from .segment import CompressedSegment, invert
from .structs import Store

# Vectors held in float32 before they are compressed together: 34 MB at 128 dimensions. The vectors
# of one token are then compared with its centroids while these are in the processor's cache.
BUFFERED = 65_536
# Centroids of their own that segments bring along when they are merged; where there would be more,
# vectors are compressed again, so that there is one for each token, and codes never run out.
MAX_EXTRA = 1 << 16
UNIT = int(np.searchsorted(LENGTHS, 1.0))


class CompressedSegmentWriter:
    """Writes a compressed segment; only a block of vectors is held in memory.

    Args:
        folder: where the files go; made here.
        codebook: gives the centroids.
        durable: flush to the disk.

    Example:
        >>> writer = CompressedSegmentWriter(root / "00000001", codebook)  # doctest: +SKIP
        >>> writer.append(0, Window((0, len(text)), encoded))              # doctest: +SKIP
        >>> info = writer.finish("00000001", first_row=1)                  # doctest: +SKIP
    """

    def __init__(self, folder: Path, codebook: Codebook, *, durable: bool = True) -> None:
        folder.mkdir(parents=True)
        self._folder, self._codebook, self._durable = folder, codebook, durable
        # Eight bytes a number: as lists these would be most of what a merge of millions holds.
        self._rows, self._lengths = array("q"), array("q")
        self._windows, self._span_sizes = array("q"), array("q")
        self._waiting: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]] = []
        self._buffered = 0
        self._squared_error = 0.0
        self._noise = Noise()
        self._oov = 0
        self._unit = True
        self._extra = ExtraCentroids(codebook)
        with ExitStack() as opened:
            self._files = {
                name: opened.enter_context(ArrayFile(folder, name, np.uint8, *width))
                for name, width in (
                    ("codes", (CODE_BYTES,)),
                    ("packed", (codebook.codec.width,)),
                    ("norms", ()),
                    ("spans", ()),
                )
            }
            self._opened = opened.pop_all()

    def append(self, row: int, window: Window) -> None:
        """Add a window; see :class:`~.segment.SegmentWriter`."""
        from . import kernels

        encoded = window.encoded
        spans = np.ascontiguousarray(encoded.spans, dtype=np.int32)
        out = np.empty(11 * len(spans), np.uint8)
        size = kernels.encode_spans(spans, window.span[0], out)
        self._files["spans"].extend(out[:size])
        self._span_sizes.append(size)
        self._rows.append(row)
        self._lengths.append(len(encoded))
        self._windows.extend(window.span)
        self._waiting.append((encoded.vectors, encoded.token_ids))
        self._buffered += len(encoded)
        if self._buffered >= BUFFERED:
            self._flush()

    def can_take_over(self, segment: CompressedSegment) -> bool:
        """Tell whether a segment's windows can be written as they are."""
        extra = len(self._extra.centroids) + len(segment.extra)
        return segment.codebook.info.name == self._codebook.info.name and extra <= MAX_EXTRA

    def take_over(self, segment: CompressedSegment, positions: IntArray) -> None:
        """Append some of another segment's windows as they are, to the last bit.

        Args:
            segment: of the same codebook; its rows follow those appended before.
            positions: ``(n,)`` ascending, of the windows to be kept.
        """
        self._flush()
        moved = self._extra.adopt(segment.extra)
        for run in _runs(positions, segment.lengths):
            start, end = int(segment.offsets[run[0]]), int(segment.offsets[run[-1] + 1])
            self._copy(segment, start, end, moved)
            first, last = segment.span_offsets[run[0]], segment.span_offsets[run[-1] + 1]
            self._files["spans"].extend(segment.spans[int(first) : int(last)])
            part = slice(run[0], run[-1] + 1)
            _extend(self._span_sizes, np.diff(segment.span_offsets[run[0] : run[-1] + 2]))
            _extend(self._rows, segment.rows[part])
            _extend(self._lengths, segment.lengths[part])
            _extend(self._windows, segment.windows[part])
            self._squared_error += segment.info.mse * (end - start)
            self._noise.add(segment.info.noise, end - start)
            self._oov += round(segment.info.oov_share * (end - start))
            segment.release_pages()

    def inherit_noise(self, info: SegmentInfo) -> None:
        """Count what quantization had already done to vectors that came from another segment."""
        self._flush()
        self._noise.inherited += info.noise * info.vectors

    def counts(self, passages: int) -> tuple[list[int], list[int]]:
        """Return the windows and the vectors of each of the passages."""
        return count_by_row(self._rows, self._lengths, passages)

    def close(self) -> None:
        """Close the files, finished or not."""
        self._opened.close()

    def finish(self, name: str, first_row: int) -> SegmentInfo:
        """Write what is left, and flush everything; see :class:`~.segment.SegmentWriter`."""
        self._flush()
        with self._opened:
            if self._unit:
                self._files["norms"].truncate()
            for file in self._files.values():
                file.finish(durable=self._durable)
        lengths = np.array(self._lengths, dtype=np.uint32)
        codes = map_array(self._files["codes"].path)
        write_arrays(
            self._folder,
            {
                "lengths": narrow(lengths),
                "row_steps": narrow(np.diff(self._rows, prepend=self._rows[0])),
                "windows": narrow(np.array(self._windows).reshape(-1, 2)),
                "span_sizes": narrow(np.array(self._span_sizes)),
                **self._extra.centroids.arrays(self._codebook.codec.nbits, "extra_"),
                **self._lists(codes, lengths),
            },
            durable=self._durable,
        )
        if self._durable:
            sync_folder(self._folder)
        vectors = int(lengths.sum())
        return SegmentInfo(
            name,
            len(set(self._rows)),
            vectors,
            describe_arrays(self._folder),
            COMPRESSED,
            self._codebook.info.name,
            self._squared_error / max(1, vectors),
            self._noise.mean,
            first_row + self._rows[0],
            self._oov / max(1, vectors),
        )

    def _flush(self) -> None:
        if not self._waiting:
            return
        vectors = np.concatenate([vectors for vectors, _ in self._waiting])
        tokens = np.concatenate([tokens for _, tokens in self._waiting])
        self._waiting, self._buffered = [], 0
        if not self._codebook.info.keeps_norms:
            lengths = name_lengths(vectors)
            self._unit &= bool((np.abs(LENGTHS[lengths] - 1) < 0.005).all())
            self._files["norms"].extend(lengths)
        rotated = self._codebook.rotate(vectors)
        tokens = self._codebook.classify(rotated, tokens)
        codes, packed, squared_error = self._compress(rotated, tokens)
        self._noise.sample(rotated, self._decompress(codes, packed))
        self._files["codes"].extend(codes)
        self._files["packed"].extend(packed)
        self._squared_error += squared_error
        self._oov += int((unpack_codes(codes)[0] >= len(self._codebook)).sum())

    def _compress(
        self, rotated: FloatArray, tokens: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], float]:
        from . import kernels

        order = np.argsort(tokens, kind="stable")
        choices = self._extra.choices(rotated, tokens)
        firsts = np.searchsorted(choices.centroids.tokens, tokens[order])
        lasts = np.searchsorted(choices.centroids.tokens, tokens[order], side="right")
        given = choices.centroids.choices(choices.codes)
        codec, size = self._codebook.codec, len(order)
        codes = np.empty((size, CODE_BYTES), np.uint8)
        packed = np.empty((size, codec.width), np.uint8)
        errors = in_parallel(
            kernels.encode,
            [
                (
                    rotated[order[start:end]],
                    firsts[start:end],
                    lasts[start:end],
                    given,
                    STEPS,
                    codec.shape,
                    codes[start:end],
                    packed[start:end],
                )
                for start, end in even_parts(size, thread_count() * 4)
            ],
        )
        back = np.empty(size, np.int64)
        back[order] = np.arange(size)
        return codes[back], packed[back], float(sum(errors))

    def _decompress(
        self, codes: npt.NDArray[np.uint8], packed: npt.NDArray[np.uint8]
    ) -> Callable[[int, int], FloatArray]:
        """Return what gives back consecutive vectors of a block as they were compressed."""
        from . import kernels

        store = Store(codes, packed, np.empty(0, np.uint8))
        source = self._codebook.source(store, self._extra.centroids)

        def give(start: int, end: int) -> FloatArray:
            out = np.empty((end - start, self._codebook.codec.padded), np.float32)
            kernels.decode_many(source, start, end, out)
            return out

        return give

    def _copy(
        self, segment: CompressedSegment, start: int, end: int, moved: IntArray | None
    ) -> None:
        codes, packed, norms = (array[start:end] for array in segment.store)
        self._files["codes"].extend(codes if moved is None else _renumber(codes, moved))
        self._files["packed"].extend(packed)
        self._unit &= not len(norms)
        self._files["norms"].extend(norms if len(norms) else np.full(end - start, UNIT, np.uint8))

    def _lists(
        self, codes: npt.NDArray[np.uint8], lengths: npt.NDArray[np.uint32]
    ) -> dict[str, npt.NDArray[np.integer]]:
        """Write the lists' windows, and return the small arrays that say whose they are."""
        steps, counts, bounds = [], [], [0]
        with ArrayFile(self._folder, "listed", np.uint16) as listed:
            for found, sizes, windows in invert(codes, lengths):
                steps.append(narrow(np.diff(found, prepend=0)))
                counts.append(narrow(sizes))
                listed.extend(windows)
                bounds.append(bounds[-1] + len(found))
            listed.finish(durable=self._durable)
        return {
            "list_steps": np.concatenate(steps),
            "list_sizes": np.concatenate(counts),
            "list_bounds": np.array(bounds, np.int64),
        }


def _renumber(packed: npt.NDArray[np.uint8], moved: IntArray) -> npt.NDArray[np.uint8]:
    codes, steps = unpack_codes(packed)
    return pack_codes(moved[codes], steps)


def _extend(numbers: array[int], more: npt.NDArray[np.integer]) -> None:
    numbers.frombytes(np.ascontiguousarray(more, np.int64).tobytes())


def _runs(positions: IntArray, lengths: IntArray) -> list[IntArray]:
    """Cut ascending positions where one is missing, and where a run's vectors become many."""
    if not len(positions):
        return []
    many = np.cumsum(lengths[positions]) // (BUFFERED * 4)
    breaks = np.flatnonzero((np.diff(positions) != 1) | (np.diff(many) != 0)) + 1
    return np.split(positions, breaks)
