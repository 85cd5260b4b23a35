"""Arrays in NumPy's format that anybody may have written, of which nothing is believed unseen.

A header may promise terabytes, which NumPy would try to provide before it looks for them.
"""

from __future__ import annotations

import math
import os
import tokenize
import zipfile
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

# Bytes of one passage's vectors in an archive: a million of them are a text of a thousand pages.
_LARGEST_MEMBER = 1 << 30
# Nothing but zeros shrinks to a hundredth, and what is small does no harm.
_MOST_SHRUNK, _HARMLESS = 100, 1 << 24


class HeaderError(ValueError):
    """An array's file contradicts itself. Never reaches users: callers name the file."""


def map_array(file: BinaryIO) -> npt.NDArray[Any]:
    """Map an ``.npy`` file once its size is what its header promises.

    Raises:
        HeaderError: it is not, or the array holds objects.
    """
    dtype, shape, fortran = _read_header(file)
    start = file.tell()
    _require(dtype, shape, os.fstat(file.fileno()).st_size - start)
    if not math.prod(shape):
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "r", start, shape, "F" if fortran else "C")


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """Read an array of an ``.npz`` archive.

    Raises:
        HeaderError: as in :func:`map_array`, or it is larger than any passage.
    """
    bloated = info.file_size > max(_HARMLESS, _MOST_SHRUNK * info.compress_size)
    if info.file_size > _LARGEST_MEMBER or bloated:
        raise HeaderError(
            f"the array {info.filename!r:.100} has {info.file_size:,} bytes, of "
            f"{info.compress_size:,} in the archive"
        )
    with archive.open(info) as file:
        dtype, shape, fortran = _read_header(file)
        _require(dtype, shape, info.file_size - file.tell())
        data = file.read()
    _require(dtype, shape, len(data))
    values = np.frombuffer(data, dtype, math.prod(shape))
    return values.reshape(shape, order="F" if fortran else "C")


def _read_header(file: Any) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = readers[version](file)
    except KeyError:
        raise HeaderError(f"its format is {version}, which is not known") from None
    # The header is Python, more or less, and so are the errors of reading it.
    except (ValueError, SyntaxError, TypeError, tokenize.TokenError) as error:
        raise HeaderError(f"its header cannot be read: {error!s:.200}") from None
    except (RecursionError, MemoryError):
        raise HeaderError("its header cannot be read: it is nested too deep") from None
    return dtype, shape, fortran


def _require(dtype: np.dtype[Any], shape: tuple[int, ...], room: int) -> None:
    if dtype.hasobject:
        raise HeaderError("it holds Python objects, which are never unpickled")
    if any(length < 0 for length in shape):
        raise HeaderError(f"its shape is {shape}")
    needed = math.prod(shape) * dtype.itemsize
    if needed > room:
        raise HeaderError(f"its header promises {needed:,} bytes, but there are {room:,}")
