"""Writing compressed segments: from vectors as they come, or from other segments."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...types import Window
from ..arrays import ArrayFile, describe_arrays, narrow, sync_folder, write_arrays
from ..segment import COMPRESSED, SegmentInfo
from .codebook import Centroids, Codebook, Float, Int
from .codec import CODE_BYTES, LENGTHS, name_lengths, pack_codes, unpack_codes
from .segment import CompressedSegment, invert
from .workers import even_parts, in_parallel, thread_count

# Vectors held in float32 before they are compressed together: 34 MB at 128 dimensions. The vectors
# of one token are then compared with its centroids while these are in the processor's cache.
BUFFERED = 65_536
# Centroids of their own that segments bring along when they are merged; where there would be more,
# vectors are compressed again, so that there is one for each token, and codes never run out.
MOST_EXTRA = 1 << 16
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
        self._places, self._lengths = array("q"), array("q")
        self._windows, self._span_sizes = array("q"), array("q")
        self._waiting: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]] = []
        self._buffered = 0
        self._energy = 0.0
        self._noise = Noise()
        self._foreign = 0
        self._unit = True
        self._extra = _Extra(codebook)
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

    def append(self, place: int, window: Window) -> None:
        """Add a window; see :class:`~.segment.SegmentWriter`."""
        from . import kernels

        encoded = window.encoded
        spans = np.ascontiguousarray(encoded.spans, dtype=np.int32)
        out = np.empty(11 * len(spans), np.uint8)
        size = kernels.encode_spans(spans, window.span[0], out)
        self._files["spans"].extend(out[:size])
        self._span_sizes.append(size)
        self._places.append(place)
        self._lengths.append(len(encoded))
        self._windows.extend(window.span)
        self._waiting.append((encoded.vectors, encoded.token_ids))
        self._buffered += len(encoded)
        if self._buffered >= BUFFERED:
            self._flush()

    def can_take_over(self, segment: CompressedSegment) -> bool:
        """Tell whether a segment's windows can be written as they are."""
        extra = len(self._extra.centroids) + len(segment.extra)
        return segment.codebook.info.name == self._codebook.info.name and extra <= MOST_EXTRA

    def take_over(self, segment: CompressedSegment, positions: Int) -> None:
        """Append some of another segment's windows as they are, to the last bit.

        Args:
            segment: of the same codebook; its rows follow those appended before, and the places
                given are its row numbers.
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
            _extend(self._places, segment.rows[part])
            _extend(self._lengths, segment.lengths[part])
            _extend(self._windows, segment.windows[part])
            self._energy += segment.info.energy * (end - start)
            self._noise.add(segment.info.noise, end - start)
            self._foreign += round(segment.info.foreign * (end - start))
            segment.let_go()

    def inherit_noise(self, info: SegmentInfo) -> None:
        """Count what rounding had already done to vectors that came from another segment."""
        self._flush()
        self._noise.inherited += info.noise * info.tokens

    def counts(self, passages: int) -> tuple[list[int], list[int]]:
        """Return the windows and the vectors of each of the passages."""
        windows, tokens = [0] * passages, [0] * passages
        for place, length in zip(self._places, self._lengths, strict=True):
            windows[place] += 1
            tokens[place] += length
        return windows, tokens

    def close(self) -> None:
        """Let go of the files, finished or not."""
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
        codes = np.load(self._files["codes"].path, mmap_mode="r")
        write_arrays(
            self._folder,
            {
                "lengths": narrow(lengths),
                "row_steps": narrow(np.diff(self._places, prepend=self._places[0])),
                "windows": narrow(np.array(self._windows).reshape(-1, 2)),
                "span_sizes": narrow(np.array(self._span_sizes)),
                **self._extra.centroids.arrays(self._codebook.codec.nbits, "extra_"),
                **self._lists(codes, lengths),
            },
            durable=self._durable,
        )
        if self._durable:
            sync_folder(self._folder)
        tokens = int(lengths.sum())
        return SegmentInfo(
            name,
            len(set(self._places)),
            tokens,
            describe_arrays(self._folder),
            COMPRESSED,
            self._codebook.info.name,
            self._energy / max(1, tokens),
            self._noise.mean,
            first_row + self._places[0],
            self._foreign / max(1, tokens),
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
        rotated = self._codebook.turn(vectors)
        tokens = self._codebook.classify(rotated, tokens)
        codes, packed, energy = self._compress(rotated, tokens)
        self._noise.sample(rotated, self._decompress(codes, packed))
        self._files["codes"].extend(codes)
        self._files["packed"].extend(packed)
        self._energy += energy
        self._foreign += int((unpack_codes(codes)[0] >= len(self._codebook)).sum())

    def _compress(
        self, rotated: Float, tokens: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], float]:
        from . import kernels

        order = np.argsort(tokens, kind="stable")
        choices = self._extra.choices(rotated, tokens)
        firsts = np.searchsorted(choices.centroids.tokens, tokens[order])
        lasts = np.searchsorted(choices.centroids.tokens, tokens[order], side="right")
        codec, size = self._codebook.codec, len(order)
        codes = np.empty((size, CODE_BYTES), np.uint8)
        packed = np.empty((size, codec.width), np.uint8)
        energies = in_parallel(
            kernels.encode,
            [
                (
                    rotated[order[start:end]],
                    firsts[start:end],
                    lasts[start:end],
                    choices.centroids.values,
                    choices.centroids.scales,
                    choices.centroids.halves,
                    choices.codes,
                    self._codebook.tables,
                    (None,) * codec.width,
                    (None,) * codec.planes,
                    codes[start:end],
                    packed[start:end],
                )
                for start, end in even_parts(size, thread_count() * 4)
            ],
        )
        back = np.empty(size, np.int64)
        back[order] = np.arange(size)
        return codes[back], packed[back], float(sum(energies))

    def _decompress(
        self, codes: npt.NDArray[np.uint8], packed: npt.NDArray[np.uint8]
    ) -> Callable[[int, int], Float]:
        """Return what gives back consecutive vectors of a block as they were compressed."""
        from . import kernels

        book, codec = self._codebook.centroids, self._codebook.codec
        extra = self._extra.centroids

        def give(start: int, end: int) -> Float:
            out = np.empty((end - start, codec.padded), np.float32)
            kernels.decode_many(
                (codes, packed, np.empty(0, np.uint8)),
                book.values,
                book.scales,
                extra.values,
                extra.scales,
                self._codebook.tables,
                (None,) * codec.width,
                (None,) * codec.planes,
                start,
                end,
                out,
            )
            return out

        return give

    def _copy(self, segment: CompressedSegment, start: int, end: int, moved: Int | None) -> None:
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


class Noise:
    """What rounding does to scores, seen on a few vectors of each block.

    For stretches of about a passage's length, and vectors from elsewhere in the block as a query,
    the score is compared before and after. The variance of the difference over the pairs, divided
    by the number of query vectors, times the number of another query's, is that of its score. The
    vectors of a query err together, since those of one text lie near one another: seen one by one
    they would vary by about half of that. The variance is taken from the mean deviation: a few
    passages err far more than the others, and should not make all of them look uncertain.
    """

    # By measurement: scores of real questions, of 17 vectors, and of the passages near the top vary
    # as those of 10 to 12 consecutive vectors and any passage do, with 4 bits and with 2.
    STRETCH, QUERY, PAIRS = 96, 12, 48

    def __init__(self) -> None:
        self._sum, self._weight = 0.0, 0
        self.inherited = 0.0

    @property
    def mean(self) -> float:
        """Variance for one query vector."""
        return (self._sum + self.inherited) / self._weight if self._weight else 0.0

    def add(self, noise: float, weight: int) -> None:
        """Take over what was measured for so many vectors."""
        self._sum += noise * weight
        self._weight += weight

    def sample(self, vectors: Float, decompressed: Callable[[int, int], Float]) -> None:
        """Measure a block."""
        size = len(vectors)
        stretch = min(self.STRETCH, max(1, size // 2))
        starts = np.linspace(0, size - stretch, self.PAIRS).astype(int)
        others = np.minimum(np.roll(starts, self.PAIRS // 2), max(0, size - self.QUERY))
        found = []
        for start, other in zip(starts.tolist(), others.tolist(), strict=True):
            end = start + stretch
            query = vectors[other : other + self.QUERY].T
            before = (vectors[start:end] @ query).max(axis=0)
            found.append((decompressed(start, end) @ query).max(axis=0) - before)
        errors = np.array(found).sum(axis=1)
        deviation = float(np.abs(errors - np.median(errors)).mean())
        # of a normal distribution, whose mean deviation is so much less than its standard one
        self.add(math.pi / 2 * deviation**2 / len(found[0]), size)


class _Extra:
    """Centroids of tokens that the codebook does not know, made when they are first seen."""

    def __init__(self, codebook: Codebook) -> None:
        self._codebook = codebook
        self.centroids = codebook.centroids.take(np.empty(0, np.int64))
        self._known: _Choices | None = None

    def choices(self, rotated: Float, tokens: npt.NDArray[np.int32]) -> _Choices:
        """Return centroids for each of these tokens, making those that are missing."""
        known = self._choices()
        different = np.unique(tokens)
        new = different[~np.isin(different, known.centroids.tokens)]
        if len(new):
            self._add(rotated, tokens, new)
        return self._choices()

    def adopt(self, other: Centroids) -> Int | None:
        """Take another segment's centroids; returns its codes' new numbers, None if none."""
        if not len(other):
            return None
        moved = len(self._codebook) + len(self.centroids) + np.arange(len(other))
        self.centroids = Centroids.joined([self.centroids, other])
        self._known = None
        return np.concatenate((np.arange(len(self._codebook)), moved))

    def _add(
        self,
        rotated: Float,
        tokens: npt.NDArray[np.int32],
        new: npt.NDArray[np.int32],
    ) -> None:
        chosen = np.flatnonzero(np.isin(tokens, new))
        chosen = chosen[np.argsort(tokens[chosen], kind="stable")]
        starts = np.searchsorted(tokens[chosen], new)
        sizes = np.diff(np.append(starts, len(chosen)))
        means = np.add.reduceat(rotated[chosen], starts, axis=0) / sizes[:, None]
        nbits = self._codebook.codec.nbits
        fresh = Centroids.rounded(means.astype(np.float32), new, nbits)
        self.centroids = Centroids.joined([self.centroids, fresh])
        self._known = None

    def _choices(self) -> _Choices:
        if self._known is None:
            book = self._codebook
            self._known = _Choices(book.by_token, book.order)
            if len(self.centroids):
                joint = Centroids.joined([book.by_token, self.centroids])
                codes = np.concatenate((book.order, len(book) + np.arange(len(self.centroids))))
                order = np.argsort(joint.tokens, kind="stable")
                self._known = _Choices(joint.take(order), codes[order])
        return self._known


@dataclass(frozen=True, eq=False)
class _Choices:
    """Centroids side by side for each token, and their codes."""

    centroids: Centroids
    codes: Int


def _renumber(packed: npt.NDArray[np.uint8], moved: Int) -> npt.NDArray[np.uint8]:
    codes, steps = unpack_codes(packed)
    return pack_codes(moved[codes], steps)


def _extend(numbers: array[int], more: npt.NDArray[np.integer]) -> None:
    numbers.frombytes(np.ascontiguousarray(more, np.int64).tobytes())


def _runs(positions: Int, lengths: Int) -> list[Int]:
    """Cut ascending positions where one is missing, and where a run's vectors become many."""
    if not len(positions):
        return []
    many = np.cumsum(lengths[positions]) // (BUFFERED * 4)
    breaks = np.flatnonzero((np.diff(positions) != 1) | (np.diff(many) != 0)) + 1
    return np.split(positions, breaks)
