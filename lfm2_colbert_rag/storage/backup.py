"""Copies of an index: made while it serves, and taken back only when they are whole."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TypeAlias

from .._support.progress import ProgressLike, reporting
from .._support.regular import IrregularFileError, kind_of, open_regular
from .._support.system_errors import system_errors
from ..errors import IndexBusyError, IndexCorruptError, IndexNotFoundError, StoredIndexError
from ..index.compressed.codebook import CodebookInfo
from ..index.segment import SegmentInfo
from .adapters import AdapterInfo
from .atomic import is_taken, new_folder
from .catalog import FILE_NAME, Catalog
from .commits import Contents
from .layout import ADAPTERS, CODEBOOKS, SEGMENTS, require_catalog, require_folders
from .store import Store
from .verification import find_damage

_Report: TypeAlias = Callable[[int], None]

# Segments may be merged, and the old ones removed, while they are copied. Then the copy starts
# again from the newer generation; the last time nobody may write meanwhile.
_TRIES = 3
_BLOCK = 1_000_000  # bytes; the progress counts these
_SHOWN = 5
_REMEDY = "Restore the index from an older backup, or build it again from the texts."


def copy_index(store: Store, target: Path, *, progress: ProgressLike = None) -> None:
    """Copy one whole generation into a new folder; readers and writers go on.

    Every file is compared with its checksum on its way.

    Args:
        store: the index.
        target: the new folder.
        progress: see ``Retriever.add``; it counts megabytes.

    Raises:
        IndexExistsError: the target is taken.
        IndexCorruptError: a file of the index is missing or altered; nothing is left behind.
        IndexLockedError: others removed segments again and again, and then held the index.
        IndexBusyError: the same of an index that may only be read.
        StorageFullError: the disk is full; nothing is left behind.
    """
    with new_folder(target) as folder:
        for attempt in range(1, _TRIES + 1):
            last = attempt == _TRIES and not store.read_only
            with store.locks.writing() if last else nullcontext():
                if _copy_generation(store, folder, progress):
                    return
            _empty(folder)
        raise IndexBusyError(
            f"segments of {store.folder} were merged {_TRIES} times while they were copied, and it "
            "may only be read here, so that its writers cannot be kept out. Try again."
        )


def restore_index(backup: Path, target: Path, *, progress: ProgressLike = None) -> None:
    """Copy a backup to where an index shall be, and verify the copy before it gets its name.

    The backup itself is only read, and of it only what its catalog names: nothing that lies beside
    that is taken along. One that holds links, devices or the like is refused.

    Args:
        backup: the folder of an index that nobody writes.
        target: the new folder.
        progress: see ``Retriever.add``; it counts megabytes, then passages.

    Raises:
        IndexExistsError: the target is taken.
        IndexNotFoundError: the backup holds no index.
        IndexFormatError: the backup is in another version of the format.
        IndexCorruptError: the backup is broken; the message names what is.
        StorageFullError: the disk is full; nothing is left behind.
    """
    if not is_taken(target) and not Store.is_index(backup):
        raise IndexNotFoundError(f"{backup} holds no index, so there is nothing to restore.")
    _require_plain(backup)
    with new_folder(target) as folder:
        try:
            problems = _copy_whole(backup, folder, progress)
        except StoredIndexError as error:  # what is wrong with the copy is wrong with the backup
            raise type(error)(str(error).replace(str(folder), str(backup))) from None
        if problems:
            raise IndexCorruptError(_describe(backup, folder, problems))


def _require_plain(backup: Path) -> None:
    """Refuse a backup that holds anything but files and folders: no backup of ours ever does."""
    with system_errors(backup):
        for root, folders, files in os.walk(backup):
            for path in (Path(root) / name for name in (*folders, *files)):
                kind = kind_of(path)
                if kind not in (None, "a folder"):
                    raise IndexCorruptError(
                        f"{path} is {kind}, and a backup holds files and folders alone, so nothing "
                        f"was restored. {_REMEDY}"
                    )


def _copy_whole(backup: Path, folder: Path, progress: ProgressLike) -> list[str]:
    """Copy what the catalog names and nothing else, and say what is wrong with it."""
    require_catalog(backup / FILE_NAME)
    for name in (FILE_NAME, f"{FILE_NAME}-wal"):  # a log is there if nobody closed the index
        if (backup / name).exists():
            _copy_file(backup / name, folder / name, lambda _: None)
    catalog = Catalog(folder / FILE_NAME, inspected=True)
    try:
        problems = catalog.check()
        if problems:
            return problems
        _copy_folders(backup, folder, catalog.contents(), progress, problems)
        return problems or find_damage(folder, catalog, progress=progress)
    finally:
        catalog.close()


def _copy_folders(
    source: Path,
    target: Path,
    contents: Contents,
    progress: ProgressLike,
    problems: list[str] | None = None,
) -> None:
    """Copy the files of segments, codebooks and adapters.

    Where ``problems`` are given, what is wrong with a file goes there; otherwise it is raised.
    """
    everything: list[tuple[str, SegmentInfo | CodebookInfo | AdapterInfo]] = []
    everything += [(SEGMENTS, info) for info in contents.segments]
    everything += [(CODEBOOKS, info) for info in contents.codebooks]
    everything += [(ADAPTERS, info) for info in contents.adapters]
    for kind in (SEGMENTS, CODEBOOKS, *([ADAPTERS] if contents.adapters else [])):
        (target / kind).mkdir()
    total = sum(info.size for _, info in everything) // _BLOCK
    with reporting(progress, total, "copying, in MB") as report:
        for kind, info in everything:
            try:
                _copy_one(source, target, kind, info, report)
            except (FileNotFoundError, IndexCorruptError) as error:
                if problems is None:
                    raise
                missing = isinstance(error, FileNotFoundError)
                problems.append(f"{error.filename} is missing." if missing else str(error))


def _copy_generation(store: Store, folder: Path, progress: ProgressLike) -> bool:
    """Copy the newest generation; False if a segment of it was removed meanwhile."""
    contents = store.catalog.copy_to(folder / FILE_NAME)
    try:
        _copy_folders(store.folder, folder, contents, progress)
    except FileNotFoundError as error:
        if not store.catalog.contents().names >= contents.names:
            return False
        raise IndexCorruptError(
            f"{error.filename} is missing, so {store.folder} cannot be copied. {_REMEDY}"
        ) from error
    return True


def _copy_one(
    source: Path,
    target: Path,
    kind: str,
    info: SegmentInfo | CodebookInfo | AdapterInfo,
    report: _Report,
) -> None:
    if isinstance(info, AdapterInfo):
        _copy_checked(require_folders(source, kind) / info.file, target / kind, report, info.size,
                      info.name)  # fmt: skip
        return
    folder = require_folders(source, kind, info.name)
    (target / kind / info.name).mkdir()
    for key, expected in sorted(info.files.items()):
        copies = target / kind / info.name
        _copy_checked(folder / f"{key}.npy", copies, report, expected.size, expected.sha256)


def _copy_checked(file: Path, target: Path, report: _Report, size: int, sha256: str) -> None:
    """Copy a file into a folder, and compare it with its checksum."""
    if _copy_file(file, target / file.name, report, size) != sha256:
        raise IndexCorruptError(
            f"{file} was altered: its checksum differs, so it cannot be copied. {_REMEDY}"
        )


def _copy_file(source: Path, target: Path, report: _Report, size: int | None = None) -> str:
    """Copy a file, of a known size if one is given; returns the checksum of what was copied."""
    digest = hashlib.sha256()
    try:
        reading = open_regular(source)
    except IrregularFileError as error:
        raise IndexCorruptError(f"{error}. {_REMEDY}") from None
    with reading, target.open("wb") as writing:
        found = os.fstat(reading.fileno()).st_size
        if size is not None and found != size:
            raise IndexCorruptError(f"{source} has {found} bytes instead of {size}. {_REMEDY}")
        while block := reading.read(_BLOCK):
            digest.update(block)
            writing.write(block)
            report(len(block) // _BLOCK)
    return digest.hexdigest()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _describe(backup: Path, folder: Path, problems: Sequence[str]) -> str:
    shown = " ".join(problems[:_SHOWN]).replace(str(folder), str(backup))
    more = f" And {len(problems) - _SHOWN:,} more." if len(problems) > _SHOWN else ""
    return f"{backup} is broken and was not restored. {shown}{more}"
