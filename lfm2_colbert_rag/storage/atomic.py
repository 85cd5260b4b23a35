"""Folders that appear whole or not at all; what a full disk means."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._support.disk import sync_folder
from ..errors import IndexExistsError, StorageFullError, StoredIndexError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_taken(folder: Path) -> bool:
    """Tell whether something other than an empty folder is already there."""
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk into an error that says that nothing was changed.

    Raises:
        StorageFullError: the block ran out of room.
    """
    try:
        yield
    except OSError as error:
        raise_if_full(error, folder)
        raise


def raise_if_full(error: OSError, folder: Path) -> None:
    """Raise what a full disk means, if that is what an error says.

    Raises:
        StorageFullError: the disk is full.
    """
    if error.errno in _DISK_FULL and not isinstance(error, StoredIndexError):
        raise StorageFullError(
            f"the disk that holds {folder} took no more data ({error.strerror}); "
            "nothing was changed. Free some space and repeat the call."
        ) from error


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill, which gets its name once the block is done and the disk has it.

    Args:
        target: its name to be.

    Yields:
        An empty folder beside the target; removed if the block fails.

    Raises:
        IndexExistsError: the target is taken.
        StorageFullError: the disk is full; nothing is left behind.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     target = Path(parent) / "made"
        ...     with new_folder(target) as folder:
        ...         _ = (folder / "file").write_text("content")
        ...     [file.name for file in target.iterdir()]
        ['file']
    """
    if is_taken(target):
        raise IndexExistsError(f"{target} exists and is not empty; name a new folder.")
    temporary = target.with_name(f".tmp-{target.name}-{secrets.token_hex(4)}")
    try:
        with storage_errors(target):
            temporary.mkdir(parents=True)
            yield temporary
            _sync_tree(temporary)
            if target.exists():
                target.rmdir()
            temporary.replace(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(target.parent)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
            continue
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder)
