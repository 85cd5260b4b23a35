# mypy: ignore-errors
"""Characters of a window's vectors, packed."""

from __future__ import annotations

import numpy as np

from ...jit.compiling import kernel, part

LONGEST = 35  # bits of the longest number that is written


@part
def write_number(value, out, at):
    """Seven bits a byte, lowest first, the eighth bit set while more follow."""
    while value > 127:
        out[at] = np.uint8((value & 127) | 128)
        value >>= 7
        at += 1
    out[at] = np.uint8(value)
    return at + 1


@kernel
def encode_spans(spans, begin, out):
    """Characters of a window's vectors as one byte each where they follow one another closely.

    High four bits: characters between the last span's end and this one's start; 14 for a marker,
    which has no characters; 15 where they do not fit and a number follows (zigzag). Low four bits:
    the span's length, 15 where a number follows. Returns the bytes written.
    """
    at, last = 0, begin
    for t in range(len(spans)):
        start, end = np.int64(spans[t, 0]), np.int64(spans[t, 1])
        if start == 0 and end == 0:
            out[at] = 14 << 4
            at += 1
            continue
        gap, length = start - last, end - start
        short = 0 <= gap < 14
        head = at
        out[head] = ((gap if short else 15) << 4) | min(length, 15)
        at += 1
        if not short:
            at = write_number((gap << 1) ^ (gap >> 63), out, at)
        if length >= 15:
            at = write_number(length, out, at)
        last = end
    return at


@kernel
def decode_spans(packed, begin, out):
    """Undo :func:`encode_spans`.

    Returns whether all of ``packed`` was used and nothing beyond it; else ``out`` means nothing.
    """
    at, last, end = 0, begin, len(packed)
    for t in range(len(out)):
        if at >= end:
            return False
        head = np.int64(packed[at])
        at += 1
        gap, length = head >> 4, head & 15
        if gap == 14:
            out[t, 0] = 0
            out[t, 1] = 0
            continue
        for field in range(2):
            if (gap if field == 0 else length) != 15:
                continue
            value, shift = np.int64(0), 0
            while at < end and packed[at] > 127 and shift < LONGEST:
                value |= np.int64(packed[at] & 127) << shift
                shift += 7
                at += 1
            if at >= end:
                return False
            value |= np.int64(packed[at]) << shift
            at += 1
            if field == 0:
                gap = (value >> 1) ^ -(value & 1)
            else:
                length = value
        start = last + gap
        out[t, 0] = start
        out[t, 1] = start + length
        last = start + length
    return at == end
