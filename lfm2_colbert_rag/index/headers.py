"""The first bytes of an ``.npy`` file, read without evaluating them.

NumPy takes a header for Python source. Ours are always written alike, so anything else is damage:
objects, structures, Fortran order, and whatever would keep a parser busy.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

# Version 1.0: its length follows in two bytes, so no header is longer than 65,535.
_MAGIC = b"\x93NUMPY\x01\x00"
_START = len(_MAGIC) + 2
_HEADER = re.compile(
    rb"\{'descr': '([<>|][fiu][1248])', 'fortran_order': False, "
    rb"'shape': \((\d{1,18}),(?: (\d{1,18}))?\), \} *\n"
)
_LONGEST = 1024


@dataclass(frozen=True)
class Header:
    """What an array's file says of itself.

    Attributes:
        dtype: of its elements, in this machine's order of bytes.
        shape: one or two lengths.
        start: where its elements begin.
    """

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    start: int

    @property
    def end(self) -> int:
        """Bytes of the whole file."""
        return self.start + self.dtype.itemsize * math.prod(self.shape)


def read_header(file: BinaryIO) -> Header:
    """Read the header of an ``.npy`` file that this library wrote.

    Raises:
        ValueError: it is another one.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> np.save(file, np.zeros((2, 3), np.float16))
        >>> _ = file.seek(0)
        >>> read_header(file).shape
        (2, 3)
    """
    head = file.read(_START)
    if len(head) < _START or not head.startswith(_MAGIC):
        raise ValueError("it does not begin as an array's file does")
    length = int.from_bytes(head[-2:], "little")
    text = file.read(min(length, _LONGEST))
    found = _HEADER.fullmatch(text)
    if found is None or len(text) < length:
        raise ValueError(f"its header is {text[:80]!r}")
    dtype = np.dtype(found[1].decode())
    if not dtype.isnative:
        raise ValueError(f"its elements are {dtype.str}, in the other order of bytes")
    shape = tuple(int(one) for one in found.groups()[1:] if one is not None)
    return Header(dtype, shape, _START + length)
