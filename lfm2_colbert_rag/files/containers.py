"""Files that libraries read whole: how large they may be, and what is said of those that break.

What makes a small file unpack to more than a machine holds, or a document refer to other files, is
refused before a library sees it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InputError, LFM2ColBERTError
from .records import SourceFile

__all__ = ["content", "open_zip", "reading"]

LARGEST_FILE = 512 << 20
LARGEST_UNPACKED = 1 << 30
LARGEST_TREE = 256 << 20  # a parsed tree takes about ten times as much memory as its XML
_TREES = (".xml", ".rels", ".opf", ".ncx", ".xhtml", ".html", ".htm")
# The container of old Office files, and of encrypted ones of today.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def content(file: SourceFile, *, blank: bool = False) -> bytes:
    """Read a file, unpacked where its name ends in ``.gz``.

    Args:
        file: the file.
        blank: whether it may be empty.

    Raises:
        InputError: it is empty, or too large to be held in memory.
        OSError: it cannot be opened or read.
    """
    with file.open() as stream:
        data = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise InputError(
            f"it is larger than {LARGEST_FILE >> 20} MiB, the most that is read of one file of "
            "this kind; divide it."
        )
    if not blank and not data.strip(b"\0 \t\r\n"):
        raise InputError("it is empty.")
    return data


@contextmanager
def reading(kind: str) -> Iterator[None]:
    """Turn whatever a library raises about a damaged file into an error of ours.

    Args:
        kind: what the file should be, such as ``"a PDF file"``.

    Raises:
        InputError: something else than an error of ours was raised inside.
    """
    try:
        yield
    except (LFM2ColBERTError, MemoryError):
        raise
    except Exception as error:
        raise _broken(kind, error) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what Rust gives up with: no Exception
            raise
        raise _broken(kind, error) from None


def open_zip(data: bytes, kind: str) -> zipfile.ZipFile:
    """Open the archive that a document of today is, and weigh what is in it.

    Args:
        data: the file.
        kind: what it should be, such as ``"a .docx file"``.

    Raises:
        InputError: it is no archive, is protected by a password, or would unpack to too much.
    """
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            raise InputError("it is encrypted with a password; save it without one.")
        raise InputError(
            f"it is not {kind}, but a file of Office 2003 or older; save it in a format of today."
        )
    with reading(kind):
        archive = zipfile.ZipFile(io.BytesIO(data))
    members = archive.infolist()
    if any(one.flag_bits & 1 for one in members):
        raise InputError("it is encrypted with a password; save it without one.")
    trees = sum(one.file_size for one in members if one.filename.lower().endswith(_TREES))
    if trees > LARGEST_TREE or sum(one.file_size for one in members) > LARGEST_UNPACKED:
        raise InputError(
            f"it would unpack to more than {LARGEST_TREE >> 20} MiB of text, or to more than "
            f"{LARGEST_UNPACKED >> 20} MiB in all; divide it."
        )
    return archive


def _broken(kind: str, error: BaseException) -> InputError:
    said = " ".join(str(error).split())[:120] or type(error).__name__
    return InputError(f"it is damaged, or not {kind} ({said}).")
