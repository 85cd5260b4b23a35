"""Folders in the making, beside what they are to become, and what killed makers left of theirs."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .._support.disk import sync_file, sync_folder
from .file_lock import FileLock, give_up, try_lock

# No name of a target is in it, which may be as long as the system takes.
_PREFIX = ".tmp-lfm2-colbert-"
# The lock of a room lies beside it, made before it and removed after it: whatever moment its maker
# was killed at, the lock is there to be found.
_LOCK = ".lock"
_NAME = re.compile(re.escape(_PREFIX) + "[0-9a-f]{16}" + re.escape(_LOCK))
_CONTENT = "content"


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Give an empty folder to fill and to rename; nobody else can look into it until then.

    What earlier processes were killed over in the same place is removed first.

    Args:
        parent: the folder that it lies in, two levels above; made if need be, and removed again
            if the block fails.

    Yields:
        The folder; removed, if it is still there, when the block ends.

    Raises:
        OSError: it cannot be made.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     with scratch_folder(Path(name)) as folder:
        ...         _ = folder.rename(Path(name) / "made")
        ...     [path.name for path in Path(name).iterdir()]
        ['made']
    """
    with made_folder(parent):
        remove_abandoned(parent)
        with _locked_room(parent) as room:
            room.mkdir(mode=0o700)
            (room / _CONTENT).mkdir()
            yield room / _CONTENT


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and those that it lies in; those made are removed if the block fails.

    Where it does not, the disk has them at the end.

    Args:
        folder: nothing happens if it is there.

    Raises:
        OSError: it cannot be made.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
        for path in missing:
            sync_folder(path.parent)
    except BaseException:
        for path in missing:
            with suppress(OSError):  # others may have put something there meanwhile
                path.rmdir()
        raise


@contextmanager
def _locked_room(parent: Path) -> Iterator[Path]:
    """Give the name of a folder to make, locked and then removed when the block ends."""
    lock = None
    while lock is None:  # somebody may take a new lock for one that was left behind
        room = parent / f"{_PREFIX}{secrets.token_hex(8)}"
        lock = try_lock(_lock_of(room))
    try:
        yield room
    finally:
        _leave(room, lock)


def _leave(room: Path, lock: FileLock) -> None:
    """Remove a room; its lock goes last, and stays if anything is left of the room."""
    shutil.rmtree(room, ignore_errors=True)
    if os.path.lexists(room):
        lock.release()
    else:
        give_up(lock)


def _lock_of(room: Path) -> Path:
    return room.with_name(f"{room.name}{_LOCK}")


def remove_abandoned(parent: Path) -> None:
    """Remove the folders in the making whose makers are dead.

    Args:
        parent: where they may lie. What cannot be removed stays.
    """
    with suppress(OSError):
        found = [Path(entry.path) for entry in os.scandir(parent) if _is_ours(entry)]
        for lock in found:
            _remove_if_abandoned(lock)


def publish(folder: Path, target: Path) -> None:
    """Give a finished folder its name, once the disk has all that is in it.

    Args:
        folder: the folder.
        target: its name to be; nothing, or an empty folder, may be there.

    Raises:
        OSError: the target is taken, or the disk refuses.
    """
    _sync_tree(folder)
    if target.is_dir():
        target.rmdir()
    folder.rename(target)
    sync_folder(target.parent)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    if _NAME.fullmatch(entry.name) is None or not entry.is_file(follow_symlinks=False):
        return False
    owner = getattr(os, "geteuid", None)
    return owner is None or entry.stat(follow_symlinks=False).st_uid == owner()


def _remove_if_abandoned(path: Path) -> None:
    with suppress(OSError):
        lock = try_lock(path)
        if lock is not None:
            _leave(path.with_name(path.name.removesuffix(_LOCK)), lock)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
            continue
        sync_file(path)
    sync_folder(folder)
