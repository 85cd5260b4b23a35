"""Is an index whole? Its files against their checksums, and what they say against one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .._support.progress import ProgressLike, reporting
from .._support.system_errors import system_errors
from ..errors import REMEDY, ConfigError, IndexCorruptError
from ..index.base import run_starts
from ..index.compressed.codebook import CodebookInfo
from ..index.compressed.segment import CompressedSegment
from ..index.segment import Segment, SegmentInfo
from ..types import Window
from .adapters import named_adapters, read_adapter
from .catalog import FILE_NAME, Catalog
from .file_lock import FileLock, Timeout
from .layout import ADAPTERS, CODEBOOKS, LOCK, SEGMENTS, STAGING
from .retired import is_retired
from .segments import SegmentOpener, verify_files
from .settings import IndexSettings

Opened = TypeVar("Opened")
_Sizes: TypeAlias = npt.NDArray[np.int64]

# What looks broken while others write may only have been replaced meanwhile: look again so often.
_LOOKS = 3
_NAMED = 3


def verify_folder(folder: Path, *, progress: ProgressLike = None) -> list[str]:
    """Check an index that is not open, also one that is too broken to be opened.

    Args:
        folder: the index.
        progress: see ``Retriever.add``; it counts passages.

    Returns:
        One sentence a problem.

    Raises:
        IndexNotFoundError: there is no index.
        IndexFormatError: it is in another version of the format.
    """
    try:
        catalog = Catalog(folder / FILE_NAME, inspected=True)
    except IndexCorruptError as error:
        return [str(error)]
    try:
        return verify_index(folder, catalog, progress=progress)
    finally:
        catalog.close()


def verify_index(folder: Path, catalog: Catalog, *, progress: ProgressLike = None) -> list[str]:
    """Check the catalog, every file of every live segment, and that they belong together.

    Args:
        folder: the index; it may be written meanwhile.
        catalog: its catalog.
        progress: see ``Retriever.add``; it counts passages.

    Returns:
        One sentence a problem; empty when all is well. What a killed writer left behind is named
        too, although it does no harm and the next writer removes it.
    """
    # Nothing that a damaged catalog says can be relied on, so that nothing else is looked at.
    return catalog.check() or [
        *find_damage(folder, catalog, progress=progress),
        *_find_orphans(folder, catalog),
    ]


def find_damage(folder: Path, catalog: Catalog, *, progress: ProgressLike = None) -> list[str]:
    """Do what :func:`verify_index` does once the catalog itself was found whole.

    What is merely left over is not told.
    """
    problems: list[str] = []
    for _ in range(_LOOKS):
        generation = catalog.generation()
        inspected = _Inspection(folder, catalog, generation)
        problems = inspected.run(progress) + inspected.run_once()
        for name in catalog.other_spaces():
            with suppress(ConfigError):  # it was forgotten meanwhile
                problems += _Inspection(folder, catalog.within(name), generation).run(progress)
        if not problems or catalog.generation() == generation:
            break
    return problems


class _Inspection:
    """One look at one generation."""

    def __init__(self, folder: Path, catalog: Catalog, generation: int) -> None:
        self._folder = folder
        self._catalog = catalog
        self._generation = generation

    def run(self, progress: ProgressLike) -> list[str]:
        """Compare everything with everything; returns one sentence a problem."""
        problems: list[str] = []
        changes = self._catalog.changes_since(-1)
        self._dim = changes.settings.dim
        self._sizes = self._catalog.passage_sizes(self._generation)
        self._characters = dict(self._sizes[:, [0, 3]].tolist())
        segments, self._codebooks = changes.segments, changes.codebooks
        self._opener = SegmentOpener(self._folder, self._dim)
        for codebook in self._codebooks:
            problems += self._open(codebook, partial(self._opener.codebook, codebook))[1]
        held: list[_Sizes] = []
        with reporting(progress, sum(info.passages for info in segments), "verifying") as report:
            for info in segments:
                problems += self._inspect(info, held, report)
        problems += self._compare(held, complete=len(held) == len(segments))
        return list(dict.fromkeys(problems))  # a codebook is told of by each of its segments

    def run_once(self) -> list[str]:
        """Look at what all spaces of vectors share, after :meth:`run` of the one that serves."""
        adapters = list(self._check_adapters(self._catalog.head().settings))
        return adapters + self._catalog.postings.check(self._sizes[:, 0])

    def _check_adapters(self, serving: IndexSettings) -> Iterator[str]:
        for info, settings in named_adapters(serving, self._catalog.other_spaces()):
            try:
                read_adapter(self._folder, info, settings)
            except IndexCorruptError as error:
                yield str(error)

    def _inspect(
        self, info: SegmentInfo, held: list[_Sizes], report: Callable[[int], None]
    ) -> list[str]:
        root = self._folder / SEGMENTS
        segment, problems = self._open(info, lambda: self._opener.segment(info, self._codebooks))
        if segment is not None:
            found = list(_check_layout(segment))
            if isinstance(segment, CompressedSegment):
                found += segment.check()
            if not found:
                held.append(_sizes(segment))
                found = list(self._check_windows(segment))
            problems = [f"{root / info.name}: {text} {REMEDY}" for text in found]
        report(info.passages)
        return problems

    def _open(
        self, info: SegmentInfo | CodebookInfo, opened: Callable[[], Opened]
    ) -> tuple[Opened | None, list[str]]:
        """Compare a folder's files with their checksums, then open it; or say why not."""
        try:
            problems = verify_files(self._folder, info)
            return (None, problems) if problems else (opened(), [])
        except (FileNotFoundError, IndexCorruptError) as error:  # gone between two looks, or wrong
            return None, [str(error)]

    def _check_windows(self, segment: Segment) -> Iterator[str]:
        """Read every window of a segment whose layout is sound."""
        faults: dict[str, list[int]] = {}
        for position, (row, length) in enumerate(
            zip(segment.rows.tolist(), segment.lengths.tolist(), strict=True)
        ):
            fault = _fault(segment.window(position), (length, self._dim), self._characters.get(row))
            if fault:
                faults.setdefault(fault, []).append(row)
        for fault, rows in faults.items():
            yield f"{fault} in {self._name(rows)}."

    def _compare(self, held: Sequence[_Sizes], *, complete: bool) -> Iterator[str]:
        """Look for each live passage in the segments; where some are unreadable, some may lack."""
        found = np.concatenate([np.empty((0, 3), dtype=np.int64), *held])
        order = np.argsort(found[:, 0], kind="stable")
        found = found[order]
        live = self._sizes[:, 0]
        places = np.searchsorted(found[:, 0], live)
        times = np.searchsorted(found[:, 0], live, side="right") - places
        if (times > 1).any():
            yield self._about(live[times > 1], "lies in more than one segment")
        if complete and (times < 1).any():
            yield self._about(live[times < 1], "has no vectors in any segment")
        once = times == 1
        differs = (found[places[once], 1:] != self._sizes[once, 1:3]).any(axis=1)
        if differs.any():
            yield self._about(
                live[once][differs],
                "has other numbers of windows and vectors than the catalog says",
            )

    def _about(self, rows: npt.NDArray[np.int64], what: str) -> str:
        return f"{self._folder / FILE_NAME}: {self._name(rows.tolist())} {what}. {REMEDY}"

    def _name(self, rows: Sequence[int]) -> str:
        several = list(dict.fromkeys(rows))
        known = self._catalog.passage_names(several[:_NAMED])
        names = ", ".join(known.get(row, f"row {row}") for row in several[:_NAMED])
        more = f" and {len(several) - _NAMED:,} more" if len(several) > _NAMED else ""
        return f"{'passage' if len(several) == 1 else 'each of the passages'} {names}{more}"


def _check_layout(segment: Segment) -> Iterator[str]:
    """Check what must be right before a window can be read at all."""
    info, offsets, rows = segment.info, segment.offsets, segment.rows
    if offsets.shape != (len(rows) + 1,) or segment.windows.shape != (len(rows), 2):
        yield (
            f"it has {len(rows)} rows, but offsets of shape {offsets.shape} and windows of shape "
            f"{segment.windows.shape}."
        )
        return
    if offsets[0] != 0 or (segment.lengths < 1).any() or offsets[-1] != info.vectors:
        yield f"its offsets do not ascend from 0 to its {info.vectors} vectors."
    flat = () if isinstance(segment, CompressedSegment) else ("vectors", "token_ids", "spans")
    for name in flat:
        values = getattr(segment, name, None)
        if values is not None and len(values) != info.vectors:
            yield f"it has {len(values)} {name}, but {info.vectors} vectors by the catalog."
    if (np.diff(rows) < 0).any():
        yield "its rows do not ascend."
    elif len(run_starts(rows)) != info.passages:
        yield f"it holds {len(run_starts(rows))} passages; the catalog says {info.passages}."


def _sizes(segment: Segment) -> _Sizes:
    """Return what a segment holds of each passage: ``(n, 3)`` row, windows and vectors."""
    starts = run_starts(segment.rows)
    if not len(starts):
        return np.empty((0, 3), dtype=np.int64)
    windows = np.diff([*starts, len(segment.rows)])
    tokens = np.add.reduceat(segment.lengths, starts)
    return np.stack((segment.rows[starts], windows, tokens), axis=1)


def _fault(window: Window, shape: tuple[int, int], characters: int | None) -> str | None:
    """Say what is wrong with one window; characters of its passage, None where that is dead."""
    encoded = window.encoded
    if encoded.vectors.shape != shape or len(encoded.token_ids) != shape[0]:
        return f"the vectors have another shape than {shape[0]} by {shape[1]}"
    if not np.isfinite(encoded.vectors).all():
        return "there is a vector that is not finite (NaN or infinity)"
    if encoded.spans.shape != (shape[0], 2):
        return f"the spans have another shape than {shape[0]} by 2"
    if characters is not None and not window.fits(characters):
        return "there is a span outside of the text"
    return None


def _find_orphans(folder: Path, catalog: Catalog) -> list[str]:
    """Name what no commit refers to, unless somebody is writing and may be about to."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(0)
    except (Timeout, OSError):
        return []
    try:
        named = catalog.contents().names
        with system_errors(folder):
            found = [
                *(
                    one
                    for room in (SEGMENTS, CODEBOOKS, STAGING)
                    for one in _folders(folder / room)
                ),
                *_within(folder / ADAPTERS),
            ]
            return [
                f"{path} was left behind by a write that never finished; the next add, delete "
                "or optimize removes it."
                for path in found
                if path.name not in named and not is_retired(path) and not _is_staged(path)
            ]
    finally:
        lock.release()


def _folders(parent: Path) -> list[Path]:
    return [path for path in _within(parent) if path.is_dir()]


def _within(parent: Path) -> list[Path]:
    return sorted(parent.iterdir()) if parent.is_dir() else []


def _is_staged(path: Path) -> bool:
    """Tell whether a writer holds the lock of a folder under ``staging``."""
    file = path.with_suffix(".lock")
    if not file.exists():
        return False
    lock = FileLock(file)
    try:
        lock.acquire(0)
    except Timeout:
        return True
    lock.release()
    return False
