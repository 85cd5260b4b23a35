"""What the operating system refuses, under names that blame what is to blame.

Only bytes that are wrong make an index corrupt. A full disk, a missing right, a limit on open files
or an I/O error say nothing about them, and a backup would not help.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import (
    AccessDeniedError,
    IndexGoneError,
    IndexUnavailableError,
    LFM2ColBERTError,
    StorageFullError,
    StoredIndexError,
)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
# What may be so now and otherwise later, and what helps.
UNAVAILABLE = {
    errno.EMFILE: "Close what is no longer used, or raise the limit (`ulimit -n`).",
    errno.ENFILE: "The whole machine has too many files open; close some.",
    errno.ENOMEM: "Free some memory and repeat the call.",
    errno.EIO: "Look at the disk: the system could not read or write it.",
    errno.EAGAIN: "Repeat the call.",
    errno.EBUSY: "Another process uses the file; repeat the call.",
    getattr(errno, "ESTALE", errno.EIO): "The network file system lost the file; mount it again.",
}

# Windows: somebody has the file open, locked, or mapped. Their errno says something else.
_IN_USE = frozenset({32, 33, 1224})


def named(error: OSError | MemoryError, path: Path) -> StoredIndexError | None:
    """Return the error that says what the system refused, and of which file or folder.

    Args:
        error: what the system said.
        path: what the caller was at work on.

    Returns:
        None where it says neither of these: then it is about the file itself, such as its absence.

    Example:
        >>> type(named(OSError(errno.EMFILE, "Too many open files"), Path("i"))).__name__
        'IndexUnavailableError'
        >>> named(FileNotFoundError(errno.ENOENT, "No such file"), Path("i"))
    """
    if isinstance(error, LFM2ColBERTError):
        return None
    if isinstance(error, MemoryError):
        return IndexUnavailableError(
            f"there was not enough memory for {path}. {UNAVAILABLE[errno.ENOMEM]}"
        )
    if getattr(error, "winerror", None) in _IN_USE:
        return IndexUnavailableError(
            f"{error.filename or path} cannot be used now ({error.strerror}). "
            f"{UNAVAILABLE[errno.EBUSY]} The index itself is not blamed."
        )
    if error.errno in FULL:
        return StorageFullError(
            f"the disk that holds {path} took no more data ({error.strerror}); "
            "nothing was changed. Free some space and repeat the call."
        )
    if error.errno in DENIED:
        return AccessDeniedError(
            f"{error.filename or path} may not be used by this user ({error.strerror}). Nothing "
            "was changed: give the process the right, or name another folder."
        )
    if error.errno in UNAVAILABLE:
        return IndexUnavailableError(
            f"{error.filename or path} cannot be used now ({error.strerror}). "
            f"{UNAVAILABLE[error.errno]} The index itself is not blamed."
        )
    return None


def raise_named(error: OSError | MemoryError, path: Path) -> None:
    """Raise what :func:`named` returns, if it returns anything.

    Raises:
        StorageFullError: the disk is full.
        AccessDeniedError: this user may not do so.
        IndexUnavailableError: too many open files, no memory, an I/O error.
    """
    meant = named(error, path)
    if meant is not None:
        raise meant from error


def gone(folder: Path) -> IndexGoneError:
    """Return the error about an index whose folder is no longer there."""
    return IndexGoneError(
        f"{folder} holds no index any more: it was removed or moved since it was opened. Open it "
        "where it is now, or restore it from a backup."
    )


@contextmanager
def system_errors(path: Path) -> Iterator[None]:
    """Raise what the system refuses within the block as :func:`raise_named` does."""
    try:
        yield
    except (OSError, MemoryError) as error:
        raise_named(error, path)
        raise
