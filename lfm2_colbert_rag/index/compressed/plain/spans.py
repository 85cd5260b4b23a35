"""Characters of a window's vectors, unpacked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_LONGEST = 35  # bits of the longest number that is written
_MARKER, _LONG = 14, 15  # see the kernel ``encode_spans``


def decode_spans(packed: npt.NDArray[np.uint8], begin: int, out: npt.NDArray[np.integer]) -> bool:
    """Undo ``encode_spans``.

    Returns whether all of ``packed`` was used and nothing beyond it; else ``out`` means nothing.
    """
    read, last = iter(packed.tolist()), begin
    try:
        for place in range(len(out)):
            head = next(read)
            gap, length = head >> 4, head & 15
            if gap == _MARKER:
                out[place] = 0
                continue
            if gap == _LONG:
                number = _number(read)
                gap = (number >> 1) ^ -(number & 1)
            if length == _LONG:
                length = _number(read)
            start = last + gap
            last = start + length
            out[place] = start, last
    except (StopIteration, OverflowError):  # of numbers that no text has characters for
        return False
    return next(read, None) is None


def _number(read: Iterator[int]) -> int:
    """Return a number of seven bits a byte, lowest first."""
    value = shift = 0
    while True:
        byte = next(read)
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128 or shift > _LONGEST:
            return value
