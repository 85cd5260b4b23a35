"""What SQLite says, under the names of this library.

Only a damaged file makes an index corrupt; a full disk, a limit or a missing right do not.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .._support.system_errors import gone, named
from ..errors import (
    REMEDY,
    AccessDeniedError,
    IndexCorruptError,
    IndexLockedError,
    IndexUnavailableError,
    InputError,
    LFM2ColBERTError,
    ReadOnlyError,
    RetrieverClosedError,
    StorageFullError,
)

WRITING = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
)
"""Primary codes of what a file meets that is written."""

# Bytes that are written where SQLite says no more than that it could not.
_PROBE = 1 << 18


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Raise what SQLite refuses within the block as an error of this library.

    Args:
        path: the database file.

    Raises:
        IndexGoneError: the file is no longer there.
        IndexCorruptError: it is damaged.
        IndexLockedError: another connection held it for too long.
        IndexUnavailableError: too many open files, no memory, an I/O error.
        AccessDeniedError: this user may not read it.
        ReadOnlyError: this user may not write it.
        StorageFullError: the disk is full; nothing was changed.
        RetrieverClosedError: the connection was closed by another thread.
        InputError: a value is larger than SQLite takes.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise translated(error, path) from error


def translated(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> LFM2ColBERTError:
    """Return the error of this library that an error of SQLite means.

    Args:
        error: what was said; the whole answer is in its code, where it has one.
        path: the database file.
    """
    if isinstance(error, UnicodeDecodeError):
        return damaged(path, error)
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return _BY_CODE.get(code & 0xFF, _unavailable)(path, error)
    # Without a code it was not SQLite but Python's module that refused.
    if "closed" in str(error):
        return RetrieverClosedError(
            f"the index in {path.parent} was closed; open it again to use it."
        )
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return InputError(f"a value cannot be kept in {path.parent} ({error}).")
    # Only text that is no UTF-8 says so without a code.
    return (damaged if "decode" in str(error) else _unavailable)(path, error)


def damaged(path: Path, error: Exception) -> LFM2ColBERTError:
    """Return the error that says that a database file has wrong bytes, or is gone."""
    if not path.exists():
        return gone(path.parent)
    return IndexCorruptError(f"{path} is damaged ({error}). {REMEDY}")


def _full(path: Path, error: Exception) -> LFM2ColBERTError:
    return StorageFullError(
        f"the disk that holds {path.parent} took no more data ({error}); "
        "nothing was changed. Free some space and repeat the call."
    )


def _read_only(path: Path, error: Exception) -> LFM2ColBERTError:
    plain = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY
    if plain and all(os.access(one, os.W_OK) for one in (path, path.parent)):
        # Then it is the header of the file that forbids it, which nobody here writes like that.
        return damaged(path, error)
    return ReadOnlyError(f"{path.parent} cannot be written here ({error}); nothing was changed.")


def _locked(path: Path, error: Exception) -> LFM2ColBERTError:
    return IndexLockedError(
        f"{path.parent} was held by another process for too long ({error}). Nothing was changed: "
        "try again."
    )


def _denied(path: Path, error: Exception) -> LFM2ColBERTError:
    return AccessDeniedError(
        f"{path} may not be used by this user ({error}). Nothing was changed: give the process "
        "the right."
    )


def _too_big(path: Path, error: Exception) -> LFM2ColBERTError:
    return InputError(
        f"a text or its metadata is larger than the catalog of {path.parent} takes ({error}). "
        "Nothing was changed: divide it into several passages."
    )


def _no_memory(path: Path, error: Exception) -> LFM2ColBERTError:
    meant = named(MemoryError(str(error)), path)
    return meant if meant is not None else _unavailable(path, error)


def _unavailable(path: Path, error: Exception) -> LFM2ColBERTError:
    return IndexUnavailableError(
        f"{path} cannot be used now ({error}). Repeat the call. The index itself is not blamed."
    )


def _cannot_open(path: Path, error: Exception) -> LFM2ColBERTError:
    """Say why a file could not be opened, which SQLite does not.

    It is not opened to find out: to close it would release the locks that this process has on it.
    """
    if not path.exists():
        return gone(path.parent)
    if not os.access(path, os.R_OK) or not os.access(path.parent, os.X_OK):
        return _denied(path, error)
    if not path.is_file():
        return IndexCorruptError(f"{path} is not a file. {REMEDY}")
    return _refused(path, error, lambda: os.close(os.open(os.devnull, os.O_RDONLY)))


def _input_output(path: Path, error: Exception) -> LFM2ColBERTError:
    """Say why a file could not be read or written: SQLite reports only a disk without space."""
    if _limited():
        return _full(path, error)

    def write() -> None:
        with tempfile.TemporaryFile(dir=path.parent) as file:
            file.write(bytes(_PROBE))

    return _refused(path, error, write)


def _refused(path: Path, error: Exception, attempt: Callable[[], None]) -> LFM2ColBERTError:
    """Return what the system says to an attempt of the same kind."""
    try:
        attempt()
    except OSError as refused:
        if refused.errno == errno.ENOENT:
            return gone(path.parent)
        # Of the attempt's own file nobody has heard.
        meant = named(OSError(refused.errno, refused.strerror), path)
        if meant is not None:
            return meant
    return _unavailable(path, error)


def _limited() -> bool:
    """Tell whether files of this process may not grow beyond a limit."""
    if sys.platform == "win32":  # which has no such limit
        return False
    import resource

    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def _missing(path: Path, error: Exception) -> LFM2ColBERTError:
    """Return what a statement means that SQLite does not understand: a table or JSON is broken."""
    said = str(error)
    signs = ("no such", "malformed", "has no column", "decode", "unsupported file format")
    return (damaged if any(one in said for one in signs) else _unavailable)(path, error)


_BY_CODE: dict[int, Callable[[Path, Exception], LFM2ColBERTError]] = {
    sqlite3.SQLITE_ERROR: _missing,
    sqlite3.SQLITE_PERM: _denied,
    sqlite3.SQLITE_BUSY: _locked,
    sqlite3.SQLITE_LOCKED: _locked,
    sqlite3.SQLITE_PROTOCOL: _locked,
    sqlite3.SQLITE_NOMEM: _no_memory,
    sqlite3.SQLITE_READONLY: _read_only,
    sqlite3.SQLITE_IOERR: _input_output,
    sqlite3.SQLITE_CORRUPT: damaged,
    sqlite3.SQLITE_NOTADB: damaged,
    sqlite3.SQLITE_FORMAT: damaged,
    sqlite3.SQLITE_CONSTRAINT: damaged,
    sqlite3.SQLITE_MISMATCH: damaged,
    sqlite3.SQLITE_FULL: _full,
    sqlite3.SQLITE_CANTOPEN: _cannot_open,
    sqlite3.SQLITE_AUTH: _denied,
    sqlite3.SQLITE_TOOBIG: _too_big,
}
