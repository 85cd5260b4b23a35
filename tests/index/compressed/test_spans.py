"""Spans take a byte where they follow one another closely, and come back whatever they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.index.compressed import kernels

LARGEST = 2**31 - 1
MARKER = (0, 0)


def packed(spans: np.ndarray, begin: int) -> np.ndarray:
    out = np.empty(11 * len(spans), np.uint8)
    return out[: kernels.encode_spans(spans, begin, out)]


def unpacked(codes: np.ndarray, begin: int, count: int) -> np.ndarray:
    out = np.empty((count, 2), np.int32)
    kernels.decode_spans(codes, begin, out)
    return out


def as_array(spans) -> np.ndarray:
    return np.array(spans, dtype=np.int32).reshape(-1, 2)


places = st.integers(0, 60) | st.integers(0, LARGEST)
any_span = st.just(MARKER) | st.tuples(places, places).map(lambda pair: tuple(sorted(pair)))


@settings(deadline=None)
@given(spans=st.lists(any_span, max_size=30), begin=places)
def test_any_spans_come_back(spans, begin):
    """In any order, overlapping, empty, huge, or of markers that stand for no characters."""
    given_spans = as_array(spans)
    codes = packed(given_spans, begin)
    assert len(codes) <= 11 * len(spans)
    np.testing.assert_array_equal(unpacked(codes, begin, len(spans)), given_spans)


def test_extremes_come_back():
    spans = as_array([(LARGEST, LARGEST), (0, LARGEST), MARKER, (LARGEST - 1, LARGEST), (0, 1)])
    for begin in (0, LARGEST):
        found = unpacked(packed(spans, begin), begin, len(spans))
        np.testing.assert_array_equal(found, spans)


def test_words_and_markers_take_a_byte_each():
    starts = np.cumsum(np.random.default_rng(0).integers(6, 15, 200))
    spans = np.stack((starts, starts + 5), axis=1).astype(np.int32)
    spans[::10] = MARKER
    assert len(packed(spans, int(starts[0]))) <= 220
