"""Encoding from an iterator: same results, read block by block."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import encode_stream
from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.testing import HashEncoder

ENCODER = HashEncoder()


@given(texts=st.lists(st.text(max_size=20), max_size=20), block=st.integers(1, 8))
def test_it_gives_what_one_call_gives(texts, block):
    found = list(encode_stream(ENCODER, iter(texts), block=block))
    expected = ENCODER.encode_document(texts)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.vectors, other.vectors)
        np.testing.assert_array_equal(one.spans, other.spans)


def test_an_endless_source_is_read_a_block_at_a_time():
    taken = []
    source = (taken.append(n) or f"text {n}" for n in itertools.count())
    stream = encode_stream(ENCODER, source, block=4)
    assert taken == []
    next(stream)
    assert len(taken) == 4
    list(itertools.islice(stream, 4))
    assert len(taken) == 8


def test_progress_counts_every_passage():
    seen = []
    list(encode_stream(ENCODER, ["a"] * 10, block=3, progress=seen.append))
    assert sum(seen) == 10


def test_bad_input(causal):
    with pytest.raises(ConfigError, match="block must be 1 or more, not 0"):
        encode_stream(ENCODER, [], block=0)
    stream = encode_stream(causal, ["fine", 5], block=1)
    next(stream)
    with pytest.raises(InputError, match="is of type int, not str"):
        next(stream)
