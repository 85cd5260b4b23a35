"""The encoder without weights: its words, and equal vectors for equal ones."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.encoder import hash as hashing
from lfm2_colbert_rag.encoder import load_encoder, read_fingerprint
from lfm2_colbert_rag.testing import HashEncoder

WORD = re.compile(r"\w+|[^\w\s]")
CHARACTERS = st.sampled_from("a_1 \n.é\u0301東\u200d👩\x1c\x85\u2028²\ud800٣\U000e0001")


@given(st.text(CHARACTERS, max_size=60))
def test_long_texts_have_the_words_of_short_ones(text):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hashing, "_FEW", 3)
        patched.setattr(hashing, "_TOGETHER", 7)
        found = hashing.find_words(text)
    assert found.tolist() == [list(word.span()) for word in WORD.finditer(text)]


def test_words_in_every_script():
    text = "".join(map(chr, range(0x20000)))
    found = hashing.find_words(text).tolist()
    assert found == [list(word.span()) for word in WORD.finditer(text)]


@given(st.text(st.sampled_from("aA b.é"), max_size=40))
def test_each_word_has_its_vector_wherever_it_stands(text):
    encoder = HashEncoder(document_length=8)
    encoded = encoder.encode_document([text])[0]
    words = [word.group() for word in WORD.finditer(text)][:8]
    alone = [encoder.encode_document([word])[0] for word in words]
    assert len(encoded) == len(words)
    for vector, token, one in zip(encoded.vectors, encoded.token_ids, alone, strict=True):
        assert np.array_equal(vector, one.vectors[0])
        assert token == one.token_ids[0]


def test_a_salt_makes_another_model():
    plain, salted = HashEncoder(), load_encoder("hash:7")
    assert (salted.name, plain.name) == ("hash:7", "hash")
    assert salted.fingerprint == HashEncoder(salt=7).fingerprint != plain.fingerprint
    assert read_fingerprint("hash:7") == salted.fingerprint
    one, other = (each.encode_query(["Hello world"])[0].vectors for each in (plain, salted))
    assert np.abs(one - other).max() > 0.1
