"""Every error this library raises on purpose, as one tree.

Each leaf also inherits the standard exception that a caller would guess, so ``except ValueError``
keeps working for people who never import this module::

    LFM2ColBERTError
    ├── ConfigError(ValueError)                 an option is wrong or contradicts another
    ├── InputError(ValueError)                  what the caller passed cannot be used
    │   ├── FilterError                         a metadata filter is malformed
    │   └── TooManyTokensError                  texts to be reranked hold more than was allowed
    ├── PassageNotFoundError(KeyError)          no live passage has this id
    ├── MissingExtraError(ImportError)          an optional dependency is not installed
    ├── RetrieverClosedError(ValueError)        the retriever was closed before
    ├── ForkedProcessError(RuntimeError)        what the parent process made cannot be used here
    ├── ServerError                             a server failed to do what a client asked of it
    │   ├── ServerUnavailableError(ConnectionError, TimeoutError)   not reached, busy or too slow
    │   ├── ServerAnswerError(ValueError)           what answered is no such server, or broke off
    │   └── KeyRefusedError(PermissionError)        the key or token does not allow this
    ├── ModelError
    │   ├── ModelNotFoundError(OSError)         no such folder, cached model or reachable hub
    │   └── ModelFormatError(ValueError)        the folder is there but is not a model we can run
    └── StoredIndexError
        ├── IndexNotFoundError(FileNotFoundError)   the folder holds no index
        ├── IndexExistsError(FileExistsError)       the target of a save is taken
        ├── IndexFormatError(ValueError)            written by another version of the format
        ├── IndexMismatchError(ValueError)          made with another model or other settings
        ├── IndexCorruptError(OSError)              a file is missing, truncated or altered
        ├── IndexLockedError(TimeoutError)          another writer holds the index
        ├── IndexBusyError(RuntimeError)            it changed faster than it could be read
        ├── IndexGoneError(FileNotFoundError)       removed or replaced while it was open
        ├── IndexUnavailableError(OSError)          too many open files, no memory, an I/O error
        ├── AccessDeniedError(PermissionError)      this user may not read or create it
        ├── ReadOnlyError(PermissionError)          it may only be read, or was opened so
        ├── StorageFullError(OSError)               the disk is full; nothing was changed
        ├── RemoteUnavailableError(ConnectionError)     its engine is not reached, or too slow
        └── PartialWriteError(OSError)              an engine took a part of it, the rest not

Messages state what was wrong, the offending values, and the remedy: for whoever runs the library.
What strangers may be told is ``error.public``, a sentence a class, and ``error.code``, its name for
programs; neither ever holds anything of a query, a text, a path or the machine.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "AccessDeniedError",
    "AuditUnavailableError",
    "ConfigError",
    "FilterError",
    "ForkedProcessError",
    "IndexBusyError",
    "IndexCorruptError",
    "IndexExistsError",
    "IndexFormatError",
    "IndexGoneError",
    "IndexLockedError",
    "IndexMismatchError",
    "IndexNotFoundError",
    "IndexUnavailableError",
    "InputError",
    "KeyFileError",
    "KeyRefusedError",
    "LFM2ColBERTError",
    "MissingExtraError",
    "ModelError",
    "ModelFormatError",
    "ModelNotFoundError",
    "PartialWriteError",
    "PassageNotFoundError",
    "ReadOnlyError",
    "RemoteUnavailableError",
    "RetrieverClosedError",
    "ServerAnswerError",
    "ServerError",
    "ServerUnavailableError",
    "StorageFullError",
    "StoredIndexError",
    "TooManyTokensError",
]

REMEDY = "Restore the index from a backup, or build it again from the texts."
"""What helps where the bytes of an index are wrong."""


class LFM2ColBERTError(Exception):
    """Base of every error that this library raises on purpose.

    Attributes:
        code: the error's name for programs; it stays the same when messages change.
        public: what may be told to anybody, unlike the message.

    Example:
        >>> error = IndexNotFoundError("/srv/secret holds no index.")
        >>> error.code, error.public
        ('index-not-found', 'There is no such index.')
    """

    code: ClassVar[str] = "error"
    public: ClassVar[str] = "The request failed."


class ConfigError(LFM2ColBERTError, ValueError):
    """An option is invalid, or contradicts another one."""

    code = "config"
    public = "An option is invalid, or contradicts another one."


class InputError(LFM2ColBERTError, ValueError):
    """Texts, ids, metadata, a query or ``k`` cannot be used as passed; nothing was changed."""

    code = "input"
    public = "A text, an id, metadata, a query or a number cannot be used as it was given."


class FilterError(InputError):
    """A metadata filter is malformed: an unknown operator, or an operand of the wrong type."""

    code = "filter"
    public = (
        "The metadata filter is malformed, too large, or asks for a field that it may not ask for."
    )


class TooManyTokensError(InputError):
    """Texts that are to be reranked have more tokens than the caller allows."""

    code = "too-many-tokens"
    public = "The texts have more tokens than may be encoded for one request; send fewer of them."


class PassageNotFoundError(LFM2ColBERTError, KeyError):
    """No live passage has the requested id."""

    code = "passage-not-found"
    public = "No passage has this id."

    def __str__(self) -> str:
        """Return the message itself; ``KeyError`` would show its ``repr``."""
        return str(self.args[0]) if self.args else ""


class MissingExtraError(LFM2ColBERTError, ImportError):
    """An optional dependency is not installed; the message holds the command that installs it."""

    code = "missing-extra"
    public = "An optional part of the library is not installed."


class RetrieverClosedError(LFM2ColBERTError, ValueError):
    """The retriever was closed; open the index again."""

    code = "retriever-closed"
    public = "The index was closed."


class ForkedProcessError(LFM2ColBERTError, RuntimeError):
    """What the parent process made before a fork cannot be used in the child."""

    code = "forked-process"
    public = "What another process made cannot be used in this one."


class ServerError(LFM2ColBERTError):
    """A server could not do what a client asked of it, by no fault of who asked."""

    code = "server"
    public = "The server failed."


class ServerUnavailableError(ServerError, ConnectionError, TimeoutError):
    """The server cannot be reached, is busy, or took too long; try again later."""

    code = "server-unavailable"
    public = "The server cannot be reached or is busy; try again later."


class ServerAnswerError(ServerError, ValueError):
    """What answered is another program, has another certificate, or broke off; nothing is used."""

    code = "server-answer"
    public = "The server gave an answer that cannot be used."


class KeyRefusedError(ServerError, PermissionError):
    """The server does not know the key or token, or does not allow it to do this."""

    code = "key-refused"
    public = "The key or token does not allow this."


class KeyFileError(LFM2ColBERTError, OSError):
    """The file of a server's keys is missing, damaged, or may be read by others."""

    code = "key-file"
    public = "The keys of the server cannot be read or changed."


class AuditUnavailableError(LFM2ColBERTError, OSError):
    """The audit log takes no more lines, so that what must be in it cannot be done."""

    code = "audit-unavailable"
    public = "The server cannot note what is done, and does nothing that must be noted; try again."


class ModelError(LFM2ColBERTError):
    """Base of the errors about model checkpoints."""

    code = "model"
    public = "The model cannot be used."


class ModelNotFoundError(ModelError, OSError):
    """The model is neither a local folder, nor in the cache, nor on a reachable hub."""

    code = "model-not-found"
    public = "The model was not found."


class ModelFormatError(ModelError, ValueError):
    """The checkpoint exists, but it is not a late-interaction model that we can run."""

    code = "model-format"
    public = "The model is of a kind that cannot be run, or is damaged."


class StoredIndexError(LFM2ColBERTError):
    """Base of the errors about an index on disk."""

    code = "index"
    public = "The index cannot be used."


class IndexNotFoundError(StoredIndexError, FileNotFoundError):
    """The folder holds no index."""

    code = "index-not-found"
    public = "There is no such index."


class IndexExistsError(StoredIndexError, FileExistsError):
    """The target folder already holds something; it is never overwritten silently."""

    code = "index-exists"
    public = "The place of the index is taken."


class IndexFormatError(StoredIndexError, ValueError):
    """The index was written in another version of the on-disk format."""

    code = "index-format"
    public = "The index was written by another version of the library."


class IndexMismatchError(StoredIndexError, ValueError):
    """The index was made with another model or other encoder settings."""

    code = "index-mismatch"
    public = "The index was made with another model or other settings."


class IndexCorruptError(StoredIndexError, OSError):
    """A file of the index is missing, truncated or altered."""

    code = "index-corrupt"
    public = "The index is damaged."


class IndexLockedError(StoredIndexError, TimeoutError):
    """Another writer, in this process or another, holds the index."""

    code = "index-locked"
    public = "The index is being written to by somebody else; try again."


class IndexBusyError(StoredIndexError, RuntimeError):
    """What a search found was deleted and forgotten meanwhile, several times in a row."""

    code = "index-busy"
    public = "The index changed faster than it could be read; try again."


class IndexGoneError(StoredIndexError, FileNotFoundError):
    """The folder was removed, moved or replaced while it was open; open the index again."""

    code = "index-gone"
    public = "The index was removed or replaced while it was open."


class IndexUnavailableError(StoredIndexError, OSError):
    """The system refuses it now: too many open files, no memory, an I/O error."""

    code = "index-unavailable"
    public = "The system cannot serve the index at the moment; try again later."


class AccessDeniedError(StoredIndexError, PermissionError):
    """This user has no right to read, or to create, a file or folder; nothing was changed."""

    code = "access-denied"
    public = "The system does not allow access to a file of the index."


class ReadOnlyError(StoredIndexError, PermissionError):
    """The index may only be read, or was opened with ``read_only=True``; nothing was changed."""

    code = "read-only"
    public = "This may only be read; nothing was changed."


class StorageFullError(StoredIndexError, OSError):
    """The disk is full; the index is as it was before the call."""

    code = "storage-full"
    public = "The disk is full."


class RemoteUnavailableError(StoredIndexError, ConnectionError):
    """The engine that holds the index cannot be reached, is busy, or took too long; try again."""

    code = "remote-unavailable"
    public = "The engine that holds the index cannot be reached at the moment; try again later."


class PartialWriteError(StoredIndexError, OSError):
    """An engine acknowledged a part of what was to be written, and then could not be reached.

    Nothing is half a passage: those in :attr:`written` can be found, of those in :attr:`missing`
    some windows may be there. The same call again completes it.

    Attributes:
        written: ids of the passages that were acknowledged.
        missing: ids of those that were not.
    """

    code = "partial-write"
    public = "Only a part was written; the same request again completes it."

    def __init__(
        self, message: str, written: Sequence[str] = (), missing: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.written, self.missing = tuple(written), tuple(missing)


def shown(value: object) -> str:
    """Return a value as messages show it: one short line, however large, deep or strange it is."""
    try:
        return " ".join(line.strip() for line in _SHOWN.repr(value).splitlines())
    except Exception:  # what it is made of refuses: integers of 4,300 digits, a repr that raises
        return f"a {type(value).__name__}"


def typed(value: object) -> str:
    """Return a value with its type, as messages show it: ``int (7)``."""
    return f"{type(value).__name__} ({shown(value)})"


_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother = 3, 60, 60
