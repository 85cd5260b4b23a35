"""Files mapped into memory that keep no descriptor open.

Python's own maps hold a duplicate of the file's descriptor for as long as they live, and an index
of many segments has many files. The system needs none: a map stays until it is taken away. A file
must not be cut short while it is mapped, or reading beyond its new end kills the process (SIGBUS);
files of an index never change.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import weakref
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_FAILED = ctypes.c_void_p(-1).value
# Windows has neither such maps nor names for these.
_READ, _SHARED = getattr(mmap, "PROT_READ", 0), getattr(mmap, "MAP_SHARED", 0)


def _system() -> ctypes.CDLL | None:
    """Return the C library, where maps can be asked of it; None on Windows."""
    if sys.platform == "win32":
        return None
    try:
        library = ctypes.CDLL(None, use_errno=True)
        library.mmap.restype = ctypes.c_void_p
        library.mmap.argtypes = [
            ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
            ctypes.c_int64 if sys.maxsize > 2**32 else ctypes.c_long,
        ]  # fmt: skip
        library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    except (OSError, AttributeError):
        return None
    return library


SYSTEM = _system()


class _Pages:
    """A read-only map of a whole file, which NumPy sees as its bytes.

    Args:
        file: the file; it may be closed afterwards.
        size: its bytes, at least one.

    Raises:
        OSError: the system has no room for it.
    """

    def __init__(self, system: ctypes.CDLL, file: BinaryIO, size: int) -> None:
        address = system.mmap(None, size, _READ, _SHARED, file.fileno(), 0)
        if address == _FAILED:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), file.name)
        self._advise = system.madvise
        self._where = address, size
        self.__array_interface__ = {
            "version": 3, "data": (address, True), "shape": (size,), "typestr": "|u1",
        }  # fmt: skip
        weakref.finalize(self, system.munmap, address, size).atexit = False

    def release(self) -> None:
        """Let the system take the pages back; they are read again when they are needed."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._advise(*self._where, mmap.MADV_DONTNEED)


def map_bytes(file: BinaryIO, size: int) -> npt.NDArray[np.uint8]:
    """Map a whole file, read-only.

    Args:
        file: the file; it may be closed afterwards.
        size: its bytes.

    Returns:
        ``(size,)`` uint8. Whatever is made of it keeps the map, and no descriptor where the system
        has a C library to ask.

    Raises:
        OSError: the system has no room for it.
    """
    if not size:
        return np.empty(0, np.uint8)
    if SYSTEM is None:
        return np.frombuffer(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ), np.uint8)
    return np.asarray(_Pages(SYSTEM, file, size))


def release(array: npt.NDArray[Any]) -> None:
    """Unmap the pages of a mapped array until they are read again; nothing where it is none."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    if isinstance(owner, _Pages):
        owner.release()
    elif sys.platform != "win32" and isinstance(owner, mmap.mmap):
        owner.madvise(getattr(mmap, "MADV_DONTNEED", mmap.MADV_NORMAL))
