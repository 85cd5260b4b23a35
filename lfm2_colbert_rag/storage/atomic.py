"""Folders that appear whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._support.disk import sync_file, sync_folder
from .._support.system_errors import system_errors
from ..errors import IndexExistsError


def is_taken(folder: Path) -> bool:
    """Tell whether something other than an empty folder is already there."""
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


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
        with system_errors(target):
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
        sync_file(path)
    sync_folder(folder)
