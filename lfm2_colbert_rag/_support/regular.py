"""Files from elsewhere, opened only if they are files.

A folder that somebody else made may hold a link to a secret, a FIFO that never answers, or a device
that never ends, under the name of a file.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

# Opening a FIFO waits for whoever writes it unless told otherwise. Windows knows neither flag.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class IrregularFileError(OSError):
    """Something other than a file has its name. Never reaches users: callers say what it means."""


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading, without following a link in place of it.

    Args:
        path: the file; links among the folders above it are followed.

    Raises:
        IrregularFileError: it is a link, a folder, a FIFO, a device or a socket.
        OSError: it is missing, or cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     try:
        ...         open_regular(Path(folder))
        ...     except IrregularFileError as error:
        ...         str(error).endswith("is a folder, not a file")
        True
    """
    kind = kind_of(path)
    if kind is not None:
        raise IrregularFileError(f"{path} is {kind}, not a file")
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:  # it has become one since
            raise IrregularFileError(f"{path} is a link, not a file") from error
        raise
    found = os.fstat(handle).st_mode
    if not stat.S_ISREG(found):
        os.close(handle)
        raise IrregularFileError(f"{path} is {_name(found)}, not a file")
    return os.fdopen(handle, "rb")


def write_regular(path: Path, content: bytes) -> None:
    """Write a small file anew, without following a link or waiting for a FIFO in place of it.

    Raises:
        IrregularFileError: it is a link, a folder, a FIFO, a device or a socket.
        OSError: it cannot be written.
    """
    try:
        handle = os.open(path, _FLAGS | os.O_WRONLY | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a FIFO that nobody reads
            raise IrregularFileError(f"{path} is not a file") from error
        raise
    with os.fdopen(handle, "wb") as file:
        found = os.fstat(handle).st_mode
        if not stat.S_ISREG(found):
            raise IrregularFileError(f"{path} is {_name(found)}, not a file")
        file.truncate()
        file.write(content)


def kind_of(path: Path) -> str | None:
    """Say what has the name of a file; None for a file.

    Raises:
        OSError: nothing has the name, or it cannot be looked at.
    """
    mode = path.lstat().st_mode
    return None if stat.S_ISREG(mode) else _name(mode)


def _name(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "something else")
