"""Folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._support.system_errors import raise_named
from ..errors import IndexExistsError, IndexUnavailableError, InputError, LFM2ColBERTError
from .scratch import publish, scratch_folder

_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY})
# What says that no folder can have this name.
_UNUSABLE = frozenset(
    {errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENOENT}
)


def is_taken(folder: Path) -> bool:
    """Tell whether something other than an empty folder is already there.

    Raises:
        InputError: no folder can have this name.
        AccessDeniedError: this user may not look.
    """
    with refusals(folder):
        try:
            folder.lstat()
        except FileNotFoundError:
            return False
        return not folder.is_dir() or any(folder.iterdir())


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill, which gets its name once the block is done and the disk has it.

    Until then nobody else can look into it. What killed processes left of theirs beside it is
    removed first.

    Args:
        target: its name to be.

    Yields:
        An empty folder near the target; removed if the block fails.

    Raises:
        IndexExistsError: the target is taken.
        InputError: no folder can have this name.
        AccessDeniedError: this user may not make it.
        StorageFullError: the disk is full; nothing is left behind.
        IndexUnavailableError: the system refuses it for another reason; likewise.

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
        raise _taken(target)
    with refusals(target):
        real = Path(os.path.realpath(target))  # a link to an empty folder stays a link
        with scratch_folder(real.parent) as folder:
            yield folder
            publish(folder, real)


@contextmanager
def refusals(target: Path) -> Iterator[None]:
    """Raise what the system refuses within the block as an error of this library.

    Args:
        target: the folder that is made.

    Raises:
        IndexExistsError: something is there by now.
        InputError: no folder can have this name.
        AccessDeniedError: this user may not make it.
        StorageFullError: the disk is full.
        IndexUnavailableError: the system refuses it for another reason.
    """
    try:
        yield
    except LFM2ColBERTError:  # some of them are errors of the system, too
        raise
    except (OSError, MemoryError) as error:
        raise_named(error, target)
        if isinstance(error, MemoryError) or not _is_about(error, target):
            raise IndexUnavailableError(
                f"{target} could not be written ({error}); nothing is left behind."
            ) from error
        if error.errno in _TAKEN:  # somebody else was faster
            raise _taken(target) from error
        raise InputError(
            f"no file or folder can be named {target} ({error.strerror}); choose another name."
        ) from error


def _is_about(error: OSError, target: Path) -> bool:
    """Tell whether the system refused the target itself, or what leads to it."""
    names = {str(target), *map(str, target.parents), os.path.realpath(target)}
    return error.errno in _TAKEN | _UNUSABLE and {error.filename, error.filename2} & names != set()


def _taken(target: Path) -> IndexExistsError:
    return IndexExistsError(f"{target} exists and is not empty; name a new folder.")
